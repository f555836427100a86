variable "upload_validate_enabled" {
  description = "Whether upload_validate is deployed; upload_validate_github_repo and upload_validate_webhook_url are needed then."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_github_repo" {
  description = "Repository where an issue asks for the import of each right set."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !var.upload_validate_enabled || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.upload_validate_github_repo))
    error_message = "upload_validate_github_repo must be \"owner/name\" when upload_validate is enabled."
  }
}

variable "upload_validate_webhook_url" {
  description = "Address that the report on every set is posted to, or the entry that holds it where the address itself is a secret, as for upload_validate_webhook_key_name."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true # see pasted_keys.tf

  validation {
    condition     = !var.upload_validate_enabled || var.upload_validate_webhook_url != ""
    error_message = "upload_validate_webhook_url must be set when upload_validate is enabled, for example to \"https://example.org/hook\"."
  }
}

# ---- Uploads ----

variable "upload_validate_upload_bucket" {
  description = "Existing bucket that files are uploaded to. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_upload_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_upload_bucket))
    error_message = "upload_validate_upload_bucket must be the name of an S3 bucket, or null to have one made."
  }
}

variable "upload_validate_upload_kms_key_arns" {
  description = "KMS keys of the upload bucket, apart from kms_key_arn; the first encrypts one made here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.upload_validate_upload_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", arn))])
    error_message = "upload_validate_upload_kms_key_arns must hold ARNs of keys and not of aliases."
  }
}

variable "upload_validate_manage_notification" {
  description = "Whether the upload bucket's notification is set here. S3 knows one notification configuration a bucket and this replaces it whole: false for a given bucket that has others, and add the queue to them."
  type        = bool
  default     = true
  nullable    = false

  # Two notification configurations of one bucket would replace each other at every apply.
  validation {
    condition = !var.upload_validate_enabled || !var.upload_validate_manage_notification || !contains(
      concat(
        var.archive_copy_enabled && var.archive_copy_manage_notification ? [coalesce(var.archive_copy_source_bucket, "${local.bucket_prefix}-source")] : [],
        var.partition_replicate_enabled && var.partition_replicate_manage_notification ? [coalesce(var.partition_replicate_source_bucket, ".")] : [],
      ),
      coalesce(var.upload_validate_upload_bucket, "${local.bucket_prefix}-uploads"),
    )
    error_message = "upload_validate_manage_notification must be false, because the bucket is the source of another task too and S3 keeps one notification configuration for each bucket: add s3:ObjectCreated:* for the queue yourself."
  }
}

variable "upload_validate_expire_uploads_after_days" {
  description = "Days after which an upload is deleted in a bucket made here: what is right has been published by then, and what is wrong has been told. 0: never."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.upload_validate_expire_uploads_after_days >= 0 && var.upload_validate_expire_uploads_after_days <= 3650 && floor(var.upload_validate_expire_uploads_after_days) == var.upload_validate_expire_uploads_after_days
    error_message = "upload_validate_expire_uploads_after_days must be a whole number from 0 to 3650, 0 for never."
  }
}

variable "upload_validate_settle_seconds" {
  description = "Seconds from an upload to the look at its set, so that files which are uploaded together are judged together."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.upload_validate_settle_seconds >= 0 && var.upload_validate_settle_seconds <= 900 && floor(var.upload_validate_settle_seconds) == var.upload_validate_settle_seconds
    error_message = "upload_validate_settle_seconds must be a whole number from 0 to 900, which is SQS's own limit."
  }
}

# ---- Published and quarantined sets ----

variable "upload_validate_final_bucket" {
  description = "Existing bucket that right sets are published in. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_final_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_final_bucket))
    error_message = "upload_validate_final_bucket must be the name of an S3 bucket, or null to have one made."
  }
}

variable "upload_validate_final_kms_key_arns" {
  description = "KMS keys of the final bucket, apart from kms_key_arn; the first encrypts one made here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.upload_validate_final_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", arn))])
    error_message = "upload_validate_final_kms_key_arns must hold ARNs of keys and not of aliases."
  }
}

variable "upload_validate_quarantine_enabled" {
  description = "Whether wrong sets are put aside, with their report."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_quarantine_bucket" {
  description = "Existing bucket that wrong sets are put aside in. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_quarantine_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_quarantine_bucket))
    error_message = "upload_validate_quarantine_bucket must be the name of an S3 bucket, or null to have one made."
  }
}

variable "upload_validate_quarantine_kms_key_arns" {
  description = "KMS keys of the quarantine bucket, apart from kms_key_arn; the first encrypts one made here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.upload_validate_quarantine_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", arn))])
    error_message = "upload_validate_quarantine_kms_key_arns must hold ARNs of keys and not of aliases."
  }
}

variable "upload_validate_superseded_files" {
  description = "What becomes of published and quarantined files that the newest set under their prefix does not have: keep, and the report names them, or remove, which needs s3:DeleteObject and takes every file directly under the prefix."
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
  description = "What an upload is held against: a file in the profiles of the task, without its extension."
  type        = string
  default     = "polling-stations"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.upload_validate_profile))
    error_message = "upload_validate_profile must be the name of a profile, for example \"polling-stations\" or \"table-schema\"."
  }
}

variable "upload_validate_table_schema" {
  description = "Frictionless Table Schema, Tabular Data Resource or Tabular Data Package for the profile table-schema: s3://bucket/key, or a file in the profiles of the task. \"\": none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.upload_validate_table_schema == "" || can(regex("^(s3://[^/]+/.+|[^/]+[.]json)$", var.upload_validate_table_schema))
    error_message = "upload_validate_table_schema must be s3://bucket/key, the name of a .json file in the profiles of the task, or empty."
  }
}

variable "upload_validate_council_api_url" {
  description = "Where councils are looked up: \"/{gss}.json\" is added to it."
  type        = string
  default     = "https://wheredoivote.co.uk/api/beta/councils"
  nullable    = false
  sensitive   = true # see pasted_keys.tf
}

variable "upload_validate_error_limit" {
  description = "How many errors of a file are told in full; all are counted."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.upload_validate_error_limit >= 1 && var.upload_validate_error_limit <= 1000 && floor(var.upload_validate_error_limit) == var.upload_validate_error_limit
    error_message = "upload_validate_error_limit must be a whole number from 1 to 1000."
  }
}

variable "upload_validate_file_limit" {
  description = "How many files a set may have; one with more is rejected. A set has to be judged within one invocation."
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
  description = "GitHub's API, or that of an enterprise server."
  type        = string
  default     = "https://api.github.com"
  nullable    = false
  sensitive   = true # see pasted_keys.tf
}

variable "upload_validate_github_key_name" {
  description = "Entry that holds the GitHub token, which may write issues. It is \"/path\" or \"ssm:name\" in SSM's Parameter Store, or \"secretsmanager:name\", with \"#field\" for one field of a JSON secret. null: what would be sent is logged."
  type        = string
  default     = null
  sensitive   = true # see pasted_keys.tf
}

variable "upload_validate_webhook_key_name" {
  description = "Entry that holds the key of the webhook. It is \"/path\" or \"ssm:name\" in SSM's Parameter Store, or \"secretsmanager:name\", with \"#field\" for one field of a JSON secret. null: what would be sent is logged."
  type        = string
  default     = null
  sensitive   = true # see pasted_keys.tf
}

variable "upload_validate_error_report_email" {
  description = "Who is written to about wrong sets. null: what would be sent is logged."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_error_report_email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.upload_validate_error_report_email))
    error_message = "upload_validate_error_report_email must be an e-mail address, or null."
  }
}

variable "upload_validate_sender_email" {
  description = "Whom these e-mails come from, an identity that SES knows or one of a domain that it knows. null: upload_validate_error_report_email."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_sender_email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.upload_validate_sender_email))
    error_message = "upload_validate_sender_email must be an e-mail address, or null."
  }
}

variable "upload_validate_ses_identity_enabled" {
  description = "Whether the sender is made an identity of SES here; SES then writes to that address, and a person has to follow the link."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_sentry_dsn_name" {
  description = "Entry that holds the DSN of a Sentry project, which is told of errors in the code. It is \"/path\" or \"ssm:name\" in SSM's Parameter Store, or \"secretsmanager:name\", with \"#field\" for one field of a JSON secret. null: what would be sent is logged."
  type        = string
  default     = null
  sensitive   = true # see pasted_keys.tf
}

# ---- The function ----

variable "upload_validate_memory_mb" {
  description = "Memory of the function in MB. The check itself needs little; memory buys processor time: at 1769 a function has one processor."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = var.upload_validate_memory_mb >= 128 && var.upload_validate_memory_mb <= 10240 && floor(var.upload_validate_memory_mb) == var.upload_validate_memory_mb
    error_message = "upload_validate_memory_mb must be a whole number from 128 to 10240."
  }
}

variable "upload_validate_timeout_seconds" {
  description = "Time-out of the function in seconds: a file of 150 MB takes a few. A message whose invocation was killed comes back after six times as long."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.upload_validate_timeout_seconds >= 10 && var.upload_validate_timeout_seconds <= 900 && floor(var.upload_validate_timeout_seconds) == var.upload_validate_timeout_seconds
    error_message = "upload_validate_timeout_seconds must be a whole number from 10 to 900, which is Lambda's own limit."
  }
}

variable "upload_validate_batch_size" {
  description = "How many messages one invocation gets at most; those of one set are handled by one look."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.upload_validate_batch_size >= 1 && var.upload_validate_batch_size <= 10 && floor(var.upload_validate_batch_size) == var.upload_validate_batch_size
    error_message = "upload_validate_batch_size must be a whole number from 1 to 10."
  }
}

variable "upload_validate_maximum_concurrency" {
  description = "Invocations that the queue starts at a time at most. At 5, GitHub, SES and the webhook are not overrun: GitHub allows about 80 new issues and comments a minute."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.upload_validate_maximum_concurrency >= 2 && var.upload_validate_maximum_concurrency <= 1000 && floor(var.upload_validate_maximum_concurrency) == var.upload_validate_maximum_concurrency
    error_message = "upload_validate_maximum_concurrency must be a whole number from 2 to 1000, which are Lambda's own limits."
  }
}

variable "upload_validate_reserved_concurrency" {
  description = "Invocations set aside for this function, which are also its most. null: none."
  type        = number
  default     = null

  validation {
    condition     = var.upload_validate_reserved_concurrency == null || try(var.upload_validate_reserved_concurrency >= 1 && var.upload_validate_reserved_concurrency <= 100000 && floor(var.upload_validate_reserved_concurrency) == var.upload_validate_reserved_concurrency, false)
    error_message = "upload_validate_reserved_concurrency must be a whole number from 1 to 100000, or null."
  }
}
