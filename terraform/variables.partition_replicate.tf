variable "partition_replicate_enabled" {
  description = "Whether partition_replicate is deployed. It needs a source bucket, and credentials for the destination's partition."
  type        = bool
  default     = false
  nullable    = false
}

# ---- The source ----

variable "partition_replicate_source_bucket" {
  description = "Existing bucket that is mirrored, in the region of the deployment. Required when partition_replicate is enabled."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_source_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.partition_replicate_source_bucket))
    error_message = "partition_replicate_source_bucket must be the name of an S3 bucket."
  }

  validation {
    condition     = !var.partition_replicate_enabled || var.partition_replicate_source_bucket != null
    error_message = "partition_replicate_source_bucket must name the bucket to be mirrored when partition_replicate_enabled is true."
  }

  # Two notification configurations of one bucket would replace each other at every apply.
  validation {
    condition = !(
      var.partition_replicate_enabled && var.partition_replicate_manage_notification
      && var.archive_copy_enabled && var.archive_copy_manage_notification
      && coalesce(var.partition_replicate_source_bucket, ".") == coalesce(var.archive_copy_source_bucket, "${local.bucket_prefix}-source")
    )
    error_message = "partition_replicate_source_bucket is archive_copy's source too, and S3 keeps one notification configuration for each bucket: set partition_replicate_manage_notification to false and switch EventBridge on for the bucket yourself."
  }
}

variable "partition_replicate_source_kms_key_arns" {
  description = "KMS keys that objects of the source bucket are encrypted with, apart from kms_key_arn."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.partition_replicate_source_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", arn))])
    error_message = "partition_replicate_source_kms_key_arns must hold ARNs of keys and not of aliases."
  }
}

variable "partition_replicate_prefixes" {
  description = "What the keys begin with that are mirrored. Empty: all of them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for prefix in var.partition_replicate_prefixes : prefix != ""])
    error_message = "partition_replicate_prefixes: a prefix must not be empty; leave the list empty to mirror all keys."
  }
}

variable "partition_replicate_manage_notification" {
  description = "Whether EventBridge is switched on for the source bucket here. S3 knows one notification configuration a bucket and this replaces it whole: false for a bucket that has others, and switch EventBridge on there."
  type        = bool
  default     = true
  nullable    = false
}

# ---- The destination ----

variable "partition_replicate_destination_region" {
  description = "Region of the destination, which decides its partition, for example us-gov-west-1. null: that of the environment."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_region == null || can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]+$", var.partition_replicate_destination_region))
    error_message = "partition_replicate_destination_region must be the name of an AWS region, for example \"us-gov-west-1\", or null."
  }
}

variable "partition_replicate_destination_profile" {
  description = "Profile in the AWS configuration of whoever applies this, with credentials for the destination's partition. null: those of the environment."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_profile == null || var.partition_replicate_destination_profile != ""
    error_message = "partition_replicate_destination_profile must be the name of a profile, or null."
  }
}

variable "partition_replicate_destination_bucket" {
  description = "Existing bucket of the destination. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.partition_replicate_destination_bucket))
    error_message = "partition_replicate_destination_bucket must be the name of an S3 bucket, or null to have one made."
  }

  validation {
    condition     = local.no_keys.partition_replicate_destination_endpoint_url == "" || var.partition_replicate_destination_bucket != null
    error_message = "partition_replicate_destination_bucket must name a bucket when an endpoint is given: none can be made there."
  }
}

variable "partition_replicate_destination_kms_key_arn" {
  description = "KMS key of the destination's partition that encrypts the mirror. null: what the bucket does by default."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_destination_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", var.partition_replicate_destination_kms_key_arn))
    error_message = "partition_replicate_destination_kms_key_arn must be the ARN of a key and not of an alias, or null."
  }
}

variable "partition_replicate_destination_endpoint_url" {
  description = "URL of an S3-compatible store that is the destination in AWS's place. Empty: AWS."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true # see pasted_keys.tf
}

# ---- Credentials for the destination ----

variable "partition_replicate_credentials" {
  description = "How the function gets at the destination: `federation`, by a role there that it assumes with a token, or `access_key`, by a user whose key is put into a secret by hand. null: `federation` where the destination is on AWS, else `access_key`."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_credentials == null || try(contains(["federation", "access_key"], var.partition_replicate_credentials), false)
    error_message = "partition_replicate_credentials must be \"federation\" or \"access_key\", or null."
  }

  validation {
    condition     = try(var.partition_replicate_credentials != "federation", true) || local.no_keys.partition_replicate_destination_endpoint_url == ""
    error_message = "partition_replicate_credentials cannot be \"federation\" where an endpoint is given: only AWS takes a token of AWS."
  }
}

variable "partition_replicate_issuer_url" {
  description = "Issuer URL of the account of this deployment, which AWS says when outbound identity federation is enabled, once for the account: `aws iam enable-outbound-web-identity-federation`. Required for `federation`."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_issuer_url == null || can(regex("^https://[a-z0-9.-]+(/[A-Za-z0-9._~-]+)*$", var.partition_replicate_issuer_url))
    error_message = "partition_replicate_issuer_url must be an https address without a trailing slash, as `aws iam enable-outbound-web-identity-federation` prints it, or null."
  }

  validation {
    condition     = !local.partition_replicate_federated || var.partition_replicate_issuer_url != null
    error_message = "partition_replicate_issuer_url must be given: run `aws iam enable-outbound-web-identity-federation` once in the account of this deployment, and set the IssuerIdentifier that it prints (later `aws iam get-outbound-web-identity-federation-info` prints it). Without federation, set partition_replicate_credentials to \"access_key\"."
  }
}

variable "partition_replicate_token_audience" {
  description = "Audience of the token for the destination. Its OpenID Connect provider and its role accept no other."
  type        = string
  default     = "bucket-brigade"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9:/._-]{1,255}$", var.partition_replicate_token_audience))
    error_message = "partition_replicate_token_audience must have 1 to 255 letters, digits, and characters of : / . _ -"
  }
}

variable "partition_replicate_oidc_provider_arn" {
  description = "Existing OpenID Connect provider for the issuer URL in the destination's account, which has the audience among its client ids. null: make one; an account can have only one for each issuer URL."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.partition_replicate_oidc_provider_arn))
    error_message = "partition_replicate_oidc_provider_arn must be the ARN of an OpenID Connect provider, or null to have one made."
  }

  validation {
    condition     = try(endswith(var.partition_replicate_oidc_provider_arn, ":oidc-provider/${trimprefix(var.partition_replicate_issuer_url, "https://")}"), true)
    error_message = "partition_replicate_oidc_provider_arn must be the provider for partition_replicate_issuer_url: its ARN ends in that URL without https://."
  }
}

# ---- What is mirrored ----

variable "partition_replicate_deletes" {
  description = "What a delete at the source does at the destination: `mirror` deletes there too (a delete marker, where it keeps versions), `keep` does nothing."
  type        = string
  default     = "mirror"
  nullable    = false

  validation {
    condition     = contains(["mirror", "keep"], var.partition_replicate_deletes)
    error_message = "partition_replicate_deletes must be \"mirror\" or \"keep\"."
  }
}

variable "partition_replicate_versions" {
  description = "Which versions of a key are mirrored: `all`, each once and oldest first, or `current`, the newest alone. null: `all` where both buckets keep versions, else `current`."
  type        = string
  default     = null

  validation {
    condition     = var.partition_replicate_versions == null || try(contains(["all", "current"], var.partition_replicate_versions), false)
    error_message = "partition_replicate_versions must be \"all\" or \"current\", or null."
  }
}

variable "partition_replicate_version_deletes" {
  description = "What the removal of one version for good does at the destination: `keep` leaves its mirror there, `mirror` removes it too, which cannot be undone."
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "mirror"], var.partition_replicate_version_deletes)
    error_message = "partition_replicate_version_deletes must be \"keep\" or \"mirror\"."
  }

  validation {
    condition     = var.partition_replicate_version_deletes == "keep" || var.partition_replicate_versions != "current"
    error_message = "partition_replicate_version_deletes cannot be \"mirror\" where partition_replicate_versions is \"current\": nobody knows then which version was made from which."
  }
}

variable "partition_replicate_annotations" {
  description = "What becomes of S3 object annotations: `carry` mirrors them, which costs one more request to the source for each object, `ignore` leaves them and names them in the log."
  type        = string
  default     = "carry"
  nullable    = false

  validation {
    condition     = contains(["carry", "ignore"], var.partition_replicate_annotations)
    error_message = "partition_replicate_annotations must be \"carry\" or \"ignore\"."
  }
}

# ---- The function ----

variable "partition_replicate_memory_mb" {
  description = "Memory of the function in MB. Half of it holds bytes on their way: a part has to fit, and an object has 10,000 parts at most."
  type        = number
  default     = 1769 # one whole processor
  nullable    = false

  validation {
    condition     = var.partition_replicate_memory_mb >= 256 && var.partition_replicate_memory_mb <= 10240 && floor(var.partition_replicate_memory_mb) == var.partition_replicate_memory_mb
    error_message = "partition_replicate_memory_mb must be a whole number from 256 to 10240."
  }
}

variable "partition_replicate_timeout_seconds" {
  description = "Time-out of the function in seconds. A larger object continues in the next invocation; a message whose invocation was killed comes back after six times as long."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.partition_replicate_timeout_seconds >= 60 && var.partition_replicate_timeout_seconds <= 900 && floor(var.partition_replicate_timeout_seconds) == var.partition_replicate_timeout_seconds
    error_message = "partition_replicate_timeout_seconds must be a whole number from 60 to 900, which is Lambda's own limit."
  }
}

variable "partition_replicate_maximum_concurrency" {
  description = "Invocations that the queue starts at a time at most. At 20, ten keys each, the mirror writes about as fast as a new on-demand table takes its records, 4,000 units a second."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.partition_replicate_maximum_concurrency >= 2 && var.partition_replicate_maximum_concurrency <= 1000 && floor(var.partition_replicate_maximum_concurrency) == var.partition_replicate_maximum_concurrency
    error_message = "partition_replicate_maximum_concurrency must be a whole number from 2 to 1000, which are Lambda's own limits."
  }
}

# ---- Alarms ----

variable "partition_replicate_lag_alarm_seconds" {
  description = "How old an event may be when it is worked on before the lag alarm goes off."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.partition_replicate_lag_alarm_seconds >= 60
    error_message = "partition_replicate_lag_alarm_seconds must be 60 or more."
  }
}
