variable "upload_validate_enabled" {
  description = "Whether upload_validate is deployed. It then needs upload_validate_github_repo and upload_validate_webhook_url."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_github_repo" {
  description = "Repository in which an issue requests the import of each valid set, as \"owner/name\". Required when upload_validate is enabled."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !var.upload_validate_enabled || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.upload_validate_github_repo))
    error_message = "upload_validate_github_repo must be \"owner/name\" when upload_validate is enabled."
  }
}

variable "upload_validate_webhook_url" {
  description = "URL that receives the report on every set. If the URL itself is a secret, the name of the entry that holds it, as for upload_validate_webhook_key_name. Required when upload_validate is enabled."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true # checked in pasted_keys.tf

  validation {
    condition     = !var.upload_validate_enabled || var.upload_validate_webhook_url != ""
    error_message = "upload_validate_webhook_url must be set when upload_validate is enabled, for example to \"https://example.org/hook\"."
  }
}

# ---- Uploads ----

variable "upload_validate_upload_bucket" {
  description = "Existing bucket that receives the uploads. null: Terraform creates one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_upload_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_upload_bucket))
    error_message = "upload_validate_upload_bucket must be the name of an S3 bucket, or null; then Terraform creates one."
  }
}

variable "upload_validate_upload_kms_key_arns" {
  description = "KMS keys of the upload bucket, apart from kms_key_arn. The first one encrypts a bucket created here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for arn in var.upload_validate_upload_kms_key_arns : can(regex(local.form_of_kms_key_arn, arn))])
    error_message = "upload_validate_upload_kms_key_arns must list ARNs of keys, not of aliases. Refused: ${join(", ", [
      for arn in var.upload_validate_upload_kms_key_arns : jsonencode(arn) if !can(regex(local.form_of_kms_key_arn, arn))
    ])}."
  }
}

variable "upload_validate_manage_notification" {
  description = "Whether Terraform sets the notification of the upload bucket. S3 keeps one notification configuration for each bucket, and Terraform replaces it as a whole. Use false for an existing bucket that has other notifications, and add the queue to them."
  type        = bool
  default     = true
  nullable    = false

  # Two notification configurations for one bucket would replace each other at every apply.
  validation {
    condition = !var.upload_validate_enabled || !var.upload_validate_manage_notification || !contains(
      concat(
        var.archive_copy_enabled && var.archive_copy_manage_notification ? [coalesce(var.archive_copy_source_bucket, "${local.bucket_prefix}-source")] : [],
        var.partition_replicate_enabled && var.partition_replicate_manage_notification ? [coalesce(var.partition_replicate_source_bucket, ".")] : [],
      ),
      coalesce(var.upload_validate_upload_bucket, "${local.bucket_prefix}-uploads"),
    )
    error_message = "upload_validate_manage_notification must be false, because the bucket is also the source of another task, and S3 keeps one notification configuration for each bucket. Add s3:ObjectCreated:* for the queue yourself."
  }
}

variable "upload_validate_expire_uploads_after_days" {
  description = "Days after which a bucket created here deletes an upload. By then, valid files are published and invalid ones are reported. 0: never."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.upload_validate_expire_uploads_after_days >= 0 && var.upload_validate_expire_uploads_after_days <= 3650 && floor(var.upload_validate_expire_uploads_after_days) == var.upload_validate_expire_uploads_after_days
    error_message = "upload_validate_expire_uploads_after_days must be a whole number from 0 to 3650; 0 is never."
  }
}

variable "upload_validate_settle_seconds" {
  description = "Seconds between an upload and the check of its set, so that files uploaded together are checked together."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.upload_validate_settle_seconds >= 0 && var.upload_validate_settle_seconds <= 900 && floor(var.upload_validate_settle_seconds) == var.upload_validate_settle_seconds
    error_message = "upload_validate_settle_seconds must be a whole number from 0 to 900, the limit of SQS."
  }
}

# ---- Published and quarantined sets ----

variable "upload_validate_final_bucket" {
  description = "Existing bucket in which valid sets are published. null: Terraform creates one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_final_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_final_bucket))
    error_message = "upload_validate_final_bucket must be the name of an S3 bucket, or null; then Terraform creates one."
  }
}

variable "upload_validate_final_kms_key_arns" {
  description = "KMS keys of the final bucket, apart from kms_key_arn. The first one encrypts a bucket created here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for arn in var.upload_validate_final_kms_key_arns : can(regex(local.form_of_kms_key_arn, arn))])
    error_message = "upload_validate_final_kms_key_arns must list ARNs of keys, not of aliases. Refused: ${join(", ", [
      for arn in var.upload_validate_final_kms_key_arns : jsonencode(arn) if !can(regex(local.form_of_kms_key_arn, arn))
    ])}."
  }
}

variable "upload_validate_quarantine_enabled" {
  description = "Whether invalid sets are copied to the quarantine bucket, with their report."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_quarantine_bucket" {
  description = "Existing bucket for invalid sets. null: Terraform creates one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_quarantine_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_quarantine_bucket))
    error_message = "upload_validate_quarantine_bucket must be the name of an S3 bucket, or null; then Terraform creates one."
  }
}

variable "upload_validate_quarantine_kms_key_arns" {
  description = "KMS keys of the quarantine bucket, apart from kms_key_arn. The first one encrypts a bucket created here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for arn in var.upload_validate_quarantine_kms_key_arns : can(regex(local.form_of_kms_key_arn, arn))])
    error_message = "upload_validate_quarantine_kms_key_arns must list ARNs of keys, not of aliases. Refused: ${join(", ", [
      for arn in var.upload_validate_quarantine_kms_key_arns : jsonencode(arn) if !can(regex(local.form_of_kms_key_arn, arn))
    ])}."
  }
}

variable "upload_validate_superseded_files" {
  description = "What happens to published and quarantined files that the newest set under their prefix does not contain. `keep`: they stay, and the report names them. `remove`: they are deleted, which needs s3:DeleteObject and covers every file directly under the prefix."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "remove"], var.upload_validate_superseded_files)
    error_message = "upload_validate_superseded_files must be \"keep\" or \"remove\"."
  }
}

# ---- The check ----

variable "upload_validate_profile" {
  description = "Profile that uploads are checked against: a file in the task's profiles folder, without its extension."
  type        = string
  default     = "polling-stations"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.upload_validate_profile))
    error_message = "upload_validate_profile must be the name of a profile, for example \"polling-stations\" or \"table-schema\"."
  }
}

variable "upload_validate_table_schema" {
  description = "Frictionless Table Schema, Tabular Data Resource or Tabular Data Package for the profile table-schema: s3://bucket/key, or a file in the task's profiles folder. \"\": none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.upload_validate_table_schema == "" || can(regex("^(s3://[^/]+/.+|[^/]+[.]json)$", var.upload_validate_table_schema))
    error_message = "upload_validate_table_schema must be s3://bucket/key, the name of a .json file in the profiles of the task, or empty."
  }
}

variable "upload_validate_council_api_url" {
  description = "URL of the council API. The function appends \"/{gss}.json\"."
  type        = string
  default     = "https://wheredoivote.co.uk/api/beta/councils"
  nullable    = false
  sensitive   = true # checked in pasted_keys.tf
}

variable "upload_validate_error_limit" {
  description = "Maximum number of errors of a file that a report shows in full. All errors are counted."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.upload_validate_error_limit >= 1 && var.upload_validate_error_limit <= 1000 && floor(var.upload_validate_error_limit) == var.upload_validate_error_limit
    error_message = "upload_validate_error_limit must be a whole number from 1 to 1000."
  }
}

variable "upload_validate_file_limit" {
  description = "Maximum number of files in a set. A larger set is rejected, because one invocation must be able to check the whole set."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.upload_validate_file_limit >= 1 && var.upload_validate_file_limit <= 10000 && floor(var.upload_validate_file_limit) == var.upload_validate_file_limit
    error_message = "upload_validate_file_limit must be a whole number from 1 to 10000."
  }
}

# ---- Reports ----

variable "upload_validate_github_api_url" {
  description = "URL of the GitHub API, or of the API of a GitHub Enterprise server."
  type        = string
  default     = "https://api.github.com"
  nullable    = false
  sensitive   = true # checked in pasted_keys.tf
}

variable "upload_validate_github_key_name" {
  description = "Entry that holds the GitHub token, which needs permission to write issues. Write \"/path\" or \"ssm:name\" for SSM Parameter Store, \"secretsmanager:name\" for Secrets Manager, and \"secretsmanager:name#field\" for one field of a JSON secret. null: nothing is sent, and the function logs what it would send."
  type        = string
  default     = null
  sensitive   = true # checked in pasted_keys.tf
}

variable "upload_validate_webhook_key_name" {
  description = "Entry that holds the key of the webhook. Write \"/path\" or \"ssm:name\" for SSM Parameter Store, \"secretsmanager:name\" for Secrets Manager, and \"secretsmanager:name#field\" for one field of a JSON secret. null: nothing is sent, and the function logs what it would send."
  type        = string
  default     = null
  sensitive   = true # checked in pasted_keys.tf
}

variable "upload_validate_error_report_email" {
  description = "E-mail address that gets the reports on invalid sets. null: nothing is sent, and the function logs what it would send."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_error_report_email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.upload_validate_error_report_email))
    error_message = "upload_validate_error_report_email must be an e-mail address, or null."
  }
}

variable "upload_validate_sender_email" {
  description = "Sender of these e-mails: an identity that SES has verified, or an address of a verified domain. null: upload_validate_error_report_email."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_sender_email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.upload_validate_sender_email))
    error_message = "upload_validate_sender_email must be an e-mail address, or null."
  }
}

variable "upload_validate_ses_identity_enabled" {
  description = "Whether Terraform creates an SES identity for the sender. SES then sends a link to that address, and a person must follow it."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_sentry_dsn_name" {
  description = "Entry that holds the DSN of the Sentry project that gets errors in the code. Write \"/path\" or \"ssm:name\" for SSM Parameter Store, \"secretsmanager:name\" for Secrets Manager, and \"secretsmanager:name#field\" for one field of a JSON secret. null: nothing is sent to Sentry."
  type        = string
  default     = null
  sensitive   = true # checked in pasted_keys.tf
}

# ---- The function ----

variable "upload_validate_direct_requests" {
  description = "Whether the function sends its most common requests to S3 without most of botocore. false leaves all of them to botocore, for example to exclude the direct transport as the cause of an error."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_memory_mb" {
  description = "Memory of the function in MB. The check itself needs little; memory buys processor time, and 1769 MB is one full processor."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = var.upload_validate_memory_mb >= 128 && var.upload_validate_memory_mb <= 10240 && floor(var.upload_validate_memory_mb) == var.upload_validate_memory_mb
    error_message = "upload_validate_memory_mb must be a whole number from 128 to 10240."
  }
}

variable "upload_validate_timeout_seconds" {
  description = "Time-out of the function in seconds. A file of 150 MB takes a few seconds. A message whose invocation was killed comes back after six times the time-out."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.upload_validate_timeout_seconds >= 10 && var.upload_validate_timeout_seconds <= 900 && floor(var.upload_validate_timeout_seconds) == var.upload_validate_timeout_seconds
    error_message = "upload_validate_timeout_seconds must be a whole number from 10 to 900, the limit of Lambda."
  }
}

variable "upload_validate_batch_size" {
  description = "Maximum number of messages in one invocation. One check handles all messages of a set."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.upload_validate_batch_size >= 1 && var.upload_validate_batch_size <= 10 && floor(var.upload_validate_batch_size) == var.upload_validate_batch_size
    error_message = "upload_validate_batch_size must be a whole number from 1 to 10."
  }
}

variable "upload_validate_maximum_concurrency" {
  description = "Maximum number of invocations that the queue runs at the same time. 5 does not overload GitHub, SES and the webhook: GitHub allows about 80 new issues and comments a minute."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.upload_validate_maximum_concurrency >= 2 && var.upload_validate_maximum_concurrency <= 1000 && floor(var.upload_validate_maximum_concurrency) == var.upload_validate_maximum_concurrency
    error_message = "upload_validate_maximum_concurrency must be a whole number from 2 to 1000, the limits of Lambda."
  }
}

variable "upload_validate_reserved_concurrency" {
  description = "Invocations reserved for this function, which are also its maximum. null: none."
  type        = number
  default     = null

  validation {
    condition     = var.upload_validate_reserved_concurrency == null || try(var.upload_validate_reserved_concurrency >= 1 && var.upload_validate_reserved_concurrency <= 100000 && floor(var.upload_validate_reserved_concurrency) == var.upload_validate_reserved_concurrency, false)
    error_message = "upload_validate_reserved_concurrency must be a whole number from 1 to 100000, or null."
  }
}
