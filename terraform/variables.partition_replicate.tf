variable "partition_replicate_enabled" {
  description = "Whether partition_replicate is deployed. It needs a source bucket, and credentials for the destination's partition."
  type        = bool
  default     = false
  nullable    = false
}

# ---- The source ----

variable "partition_replicate_source_bucket" {
  description = "Existing bucket to mirror, in the region of the deployment. Required when partition_replicate is enabled."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_source_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.partition_replicate_source_bucket))
    error_message = "partition_replicate_source_bucket must be the name of an S3 bucket."
  }

  validation {
    condition     = !var.partition_replicate_enabled || var.partition_replicate_source_bucket != null
    error_message = "partition_replicate_source_bucket must name the bucket to mirror when partition_replicate_enabled is true."
  }
}

variable "partition_replicate_source_kms_key_arns" {
  description = "KMS keys that encrypt objects of the source bucket, apart from kms_key_arn."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for arn in var.partition_replicate_source_kms_key_arns : can(regex(local.form_of_kms_key_arn, arn))])
    error_message = "partition_replicate_source_kms_key_arns must list ARNs of keys, not of aliases. Refused: ${join(", ", [
      for arn in var.partition_replicate_source_kms_key_arns : jsonencode(arn) if !can(regex(local.form_of_kms_key_arn, arn))
    ])}."
  }
}

variable "partition_replicate_prefixes" {
  description = "Key prefixes to mirror. Empty: all keys."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for prefix in var.partition_replicate_prefixes : prefix != ""])
    error_message = "partition_replicate_prefixes: a prefix must not be empty. To mirror all keys, leave the list empty. Refused: ${join(", ", [
      for index, prefix in var.partition_replicate_prefixes : "number ${index + 1} of ${length(var.partition_replicate_prefixes)}" if prefix == ""
    ])}."
  }
}

variable "partition_replicate_manage_notification" {
  description = "Whether Terraform enables EventBridge for the source bucket. S3 keeps one notification configuration for each bucket, and Terraform replaces it as a whole. Use false for a bucket that has other notifications, and enable EventBridge there."
  type        = bool
  default     = true
  nullable    = false

  # Two notification configurations for one bucket would replace each other at every apply.
  validation {
    condition = !(
      var.partition_replicate_enabled && var.partition_replicate_manage_notification
      && var.archive_copy_enabled && var.archive_copy_manage_notification
      && coalesce(var.partition_replicate_source_bucket, ".") == coalesce(var.archive_copy_source_bucket, "${local.bucket_prefix}-source")
    )
    error_message = "partition_replicate_manage_notification must be false, because the bucket is also the source of archive_copy, and S3 keeps one notification configuration for each bucket. Enable EventBridge for the bucket yourself."
  }
}

# ---- The destination ----

variable "partition_replicate_destination_region" {
  description = "Region of the destination, for example us-gov-west-1; it decides the partition. null: the region of the environment."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_region == null || can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]+$", var.partition_replicate_destination_region))
    error_message = "partition_replicate_destination_region must be the name of an AWS region, for example \"us-gov-west-1\", or null."
  }
}

variable "partition_replicate_destination_profile" {
  description = "Profile in the AWS configuration of the person or job that runs Terraform, with credentials for the destination's partition. null: the credentials of the environment."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_profile == null || var.partition_replicate_destination_profile != ""
    error_message = "partition_replicate_destination_profile must be the name of a profile, or null."
  }
}

variable "partition_replicate_destination_bucket" {
  description = "Existing bucket of the destination. null: Terraform creates one."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.partition_replicate_destination_bucket))
    error_message = "partition_replicate_destination_bucket must be the name of an S3 bucket, or null; then Terraform creates one."
  }

  validation {
    condition     = local.no_keys.partition_replicate_destination_endpoint_url == "" || var.partition_replicate_destination_bucket != null
    error_message = "partition_replicate_destination_bucket must name a bucket when partition_replicate_destination_endpoint_url is set: Terraform cannot create one there."
  }
}

variable "partition_replicate_destination_kms_key_arn" {
  description = "KMS key in the destination's partition that encrypts the mirror. null: the default encryption of the bucket."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_kms_key_arn == null || can(regex(local.form_of_kms_key_arn, var.partition_replicate_destination_kms_key_arn))
    error_message = "partition_replicate_destination_kms_key_arn must be the ARN of a key, not of an alias, or null."
  }
}

variable "partition_replicate_destination_endpoint_url" {
  description = "URL of an S3-compatible store, if the destination is not AWS. Empty: AWS."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true # checked in pasted_keys.tf
}

# ---- Credentials for the destination ----

variable "partition_replicate_credentials" {
  description = "How the function gets access to the destination. `federation`: it assumes a role there with a token. `access_key`: it uses the access key of a user, which a person puts into a secret. null: `federation` if the destination is on AWS, else `access_key`."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_credentials == null || try(contains(["federation", "access_key"], var.partition_replicate_credentials), false)
    error_message = "partition_replicate_credentials must be \"federation\" or \"access_key\", or null."
  }

  validation {
    condition     = try(var.partition_replicate_credentials != "federation", true) || local.no_keys.partition_replicate_destination_endpoint_url == ""
    error_message = "partition_replicate_credentials cannot be \"federation\" when partition_replicate_destination_endpoint_url is set: only AWS accepts a token of AWS."
  }
}

variable "partition_replicate_issuer_url" {
  description = "Issuer URL of the deployment's account. AWS prints it when you enable outbound identity federation, once for each account: `aws iam enable-outbound-web-identity-federation`. Required for `federation`."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_issuer_url == null || can(regex("^https://[a-z0-9.-]+(/[A-Za-z0-9._~-]+)*$", var.partition_replicate_issuer_url))
    error_message = "partition_replicate_issuer_url must be an https URL without a trailing slash, as `aws iam enable-outbound-web-identity-federation` prints it, or null."
  }

  validation {
    condition     = !local.partition_replicate_federated || var.partition_replicate_issuer_url != null
    error_message = "partition_replicate_issuer_url must be set. Run `aws iam enable-outbound-web-identity-federation` once in the account of this deployment, and use the IssuerIdentifier that it prints; later, `aws iam get-outbound-web-identity-federation-info` prints it again. To do without federation, set partition_replicate_credentials to \"access_key\"."
  }
}

variable "partition_replicate_token_audience" {
  description = "Audience of the token for the destination. The OpenID Connect provider and the role of the destination accept no other."
  type        = string
  default     = "bucket-brigade"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9:/._-]{1,255}$", var.partition_replicate_token_audience))
    error_message = "partition_replicate_token_audience must have 1 to 255 letters, digits and the characters : / . _ -"
  }
}

variable "partition_replicate_oidc_provider_arn" {
  description = "Existing OpenID Connect provider for the issuer URL in the destination's account; its client IDs must include the audience. null: Terraform creates one. An account can have only one for each issuer URL."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.partition_replicate_oidc_provider_arn))
    error_message = "partition_replicate_oidc_provider_arn must be the ARN of an OpenID Connect provider, or null; then Terraform creates one."
  }

  validation {
    condition     = try(endswith(var.partition_replicate_oidc_provider_arn, ":oidc-provider/${trimprefix(var.partition_replicate_issuer_url, "https://")}"), true)
    error_message = "partition_replicate_oidc_provider_arn must be the provider for partition_replicate_issuer_url: its ARN ends with that URL, without https://."
  }
}

# ---- What is mirrored ----

variable "partition_replicate_deletes" {
  description = "What happens at the destination when an object is deleted at the source. `mirror` deletes it there too (with a delete marker, if the bucket keeps versions); `keep` does nothing."
  type        = string
  default     = "mirror"
  nullable    = false

  validation {
    condition     = contains(["mirror", "keep"], var.partition_replicate_deletes)
    error_message = "partition_replicate_deletes must be \"mirror\" or \"keep\"."
  }
}

variable "partition_replicate_versions" {
  description = "Which versions of a key are mirrored. `all`: each version once, oldest first. `current`: only the newest. null: `all` if both buckets keep versions, else `current`."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_versions == null || try(contains(["all", "current"], var.partition_replicate_versions), false)
    error_message = "partition_replicate_versions must be \"all\" or \"current\", or null."
  }
}

variable "partition_replicate_version_deletes" {
  description = "What happens at the destination when a version is permanently deleted at the source. `keep` keeps its mirror; `mirror` deletes it too, which cannot be undone."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "mirror"], var.partition_replicate_version_deletes)
    error_message = "partition_replicate_version_deletes must be \"keep\" or \"mirror\"."
  }

  validation {
    condition     = var.partition_replicate_version_deletes == "keep" || var.partition_replicate_versions != "current"
    error_message = "partition_replicate_version_deletes cannot be \"mirror\" when partition_replicate_versions is \"current\": the mirror then does not record which version came from which."
  }
}

variable "partition_replicate_annotations" {
  description = "`carry` mirrors S3 object annotations and costs one more request to the source for each object; `ignore` leaves them out and names them in the log."
  type        = string
  default     = "carry"
  nullable    = false

  validation {
    condition     = contains(["carry", "ignore"], var.partition_replicate_annotations)
    error_message = "partition_replicate_annotations must be \"carry\" or \"ignore\"."
  }
}

# ---- The function ----

variable "partition_replicate_direct_requests" {
  description = "Whether the function sends its most common requests to S3 and DynamoDB without most of botocore. false leaves all of them to botocore, for example to exclude the direct transport as the cause of an error."
  type        = bool
  default     = true
  nullable    = false
}

variable "partition_replicate_memory_mb" {
  description = "Memory of the function in MB. Half of it buffers bytes in transit. It must hold a whole part, and an object has at most 10,000 parts."
  type        = number
  default     = 1769 # one full processor
  nullable    = false

  validation {
    condition     = var.partition_replicate_memory_mb >= 256 && var.partition_replicate_memory_mb <= 10240 && floor(var.partition_replicate_memory_mb) == var.partition_replicate_memory_mb
    error_message = "partition_replicate_memory_mb must be a whole number from 256 to 10240."
  }
}

variable "partition_replicate_timeout_seconds" {
  description = "Time-out of the function in seconds. A larger object continues in the next invocation. A message whose invocation was killed comes back after six times the time-out."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.partition_replicate_timeout_seconds >= 60 && var.partition_replicate_timeout_seconds <= 900 && floor(var.partition_replicate_timeout_seconds) == var.partition_replicate_timeout_seconds
    error_message = "partition_replicate_timeout_seconds must be a whole number from 60 to 900, the limit of Lambda."
  }
}

variable "partition_replicate_maximum_concurrency" {
  description = "Maximum number of invocations that the queue runs at the same time. With 20 invocations of ten keys each, the mirror writes its records about as fast as a new on-demand table accepts them: 4,000 units a second."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.partition_replicate_maximum_concurrency >= 2 && var.partition_replicate_maximum_concurrency <= 1000 && floor(var.partition_replicate_maximum_concurrency) == var.partition_replicate_maximum_concurrency
    error_message = "partition_replicate_maximum_concurrency must be a whole number from 2 to 1000, the limits of Lambda."
  }
}

# ---- Alarms ----

variable "partition_replicate_lag_alarm_seconds" {
  description = "Age in seconds above which an event that is waiting or in work starts the lag alarm."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.partition_replicate_lag_alarm_seconds >= 60
    error_message = "partition_replicate_lag_alarm_seconds must be 60 or more."
  }
}
