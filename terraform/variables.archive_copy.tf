variable "archive_copy_enabled" {
  description = "Whether archive_copy is deployed. false removes every resource of it; a plan that would delete its buckets fails unless disposable_buckets is true."
  type        = bool
  default     = true
  nullable    = false
}

# ---- The source ----

variable "archive_copy_source_bucket" {
  description = "Existing bucket whose restored objects are copied. null: Terraform creates one."
  type        = string
  default     = null

  validation {
    condition     = var.archive_copy_source_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.archive_copy_source_bucket))
    error_message = "archive_copy_source_bucket must be the name of an S3 bucket, or null; then Terraform creates one."
  }
}

variable "archive_copy_source_kms_key_arns" {
  description = "KMS keys that encrypt objects of the source bucket, apart from kms_key_arn. The first one encrypts a bucket created here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for arn in var.archive_copy_source_kms_key_arns : can(regex(local.form_of_kms_key_arn, arn))])
    error_message = "archive_copy_source_kms_key_arns must list ARNs of keys, not of aliases. Refused: ${join(", ", [
      for arn in var.archive_copy_source_kms_key_arns : jsonencode(arn) if !can(regex(local.form_of_kms_key_arn, arn))
    ])}."
  }
}

variable "archive_copy_manage_notification" {
  description = "Whether Terraform sets the notification of the source bucket. S3 keeps one notification configuration for each bucket, and Terraform replaces it as a whole. Use false for an existing bucket that has other notifications, and add the queue to them."
  type        = bool
  default     = true
  nullable    = false
}

# ---- The archives ----

variable "archive_copy_archives" {
  description = "The archives, by name. extensions: the key extensions that go to this archive, each with its dot; `other` stands for every extension that no archive lists. bucket: an existing bucket; if left out, Terraform creates one. storage_class: storage class of the copies, STANDARD if left out. noncurrent_versions_expire_after_days: days after which a bucket created here deletes a noncurrent version, never if left out. kms_key_arns: KMS keys of the bucket; the first one encrypts a bucket created here."
  type = map(object({
    extensions                            = list(string)
    bucket                                = optional(string)
    storage_class                         = optional(string)
    noncurrent_versions_expire_after_days = optional(number)
    kms_key_arns                          = optional(list(string), [])
  }))
  default  = { all = { extensions = ["other"] } }
  nullable = false

  validation {
    condition     = length(var.archive_copy_archives) > 0
    error_message = "archive_copy_archives must have at least one archive, for example { all = { extensions = [\"other\"] } }."
  }

  validation {
    condition = alltrue([for archive in values(var.archive_copy_archives) : length(archive.extensions) > 0])
    error_message = "archive_copy_archives: each archive must have at least one extension. Without any: ${join(", ", [
      for name, archive in var.archive_copy_archives : name if length(archive.extensions) == 0
    ])}."
  }

  validation {
    condition = alltrue([for name in keys(var.archive_copy_archives) : can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", name))])
    error_message = "archive_copy_archives: an archive's name must have only lower-case letters, digits and inner hyphens, because it becomes part of a bucket's name. Refused: ${join(", ", [
      for name in keys(var.archive_copy_archives) : jsonencode(name) if !can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", name))
    ])}."
  }

  validation {
    condition = alltrue([
      for extension in flatten(values(var.archive_copy_archives)[*].extensions) : can(regex(local.form_of_extension, extension))
    ])
    error_message = "archive_copy_archives: an extension must begin with a dot and contain no \"/\", for example \".txt\" or \".tar.gz\", or be \"other\". Refused: ${join(", ", flatten([
      for name, archive in var.archive_copy_archives : [for extension in archive.extensions : "${jsonencode(extension)} of the archive ${name}" if !can(regex(local.form_of_extension, extension))]
    ]))}."
  }

  # The task ignores the case of an extension.
  validation {
    condition = (
      length(distinct([for extension in compact(flatten(values(var.archive_copy_archives)[*].extensions)) : lower(extension)]))
      == length(compact(flatten(values(var.archive_copy_archives)[*].extensions)))
    )
    error_message = "archive_copy_archives: each extension may occur only once, in upper or lower case, because an object goes to one archive. Refused: ${join(", ", [
      for extension, archives in { for item in flatten([for name, archive in var.archive_copy_archives : [for extension in compact(archive.extensions) : { extension = lower(extension), archive = name }]]) : item.extension => item.archive... } : "${jsonencode(extension)} of ${join(" and ", archives)}" if length(archives) > 1
    ])}."
  }

  validation {
    condition = alltrue([
      for archive in values(var.archive_copy_archives) : archive.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", archive.bucket))
    ])
    error_message = "archive_copy_archives: bucket must be the name of an S3 bucket, or be left out; then Terraform creates one. Refused: ${join(", ", [
      for name, archive in var.archive_copy_archives : "${jsonencode(archive.bucket)} of the archive ${name}" if archive.bucket != null && !can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", archive.bucket))
    ])}."
  }

  validation {
    condition = alltrue([
      for name, archive in var.archive_copy_archives : archive.bucket != null || length("${local.bucket_prefix}-archive-${name}") <= 63
    ])
    error_message = "archive_copy_archives: Terraform would create a bucket named \"${local.bucket_prefix}-archive-\" and the archive's name, which may have at most 63 characters. Shorten name_prefix or the archive's name, or set bucket. Too long: ${join(", ", [
      for name, archive in var.archive_copy_archives : "${local.bucket_prefix}-archive-${name}" if archive.bucket == null && length("${local.bucket_prefix}-archive-${name}") > 63
    ])}."
  }

  validation {
    condition = !contains([for archive in values(var.archive_copy_archives) : coalesce(archive.bucket, "-")], coalesce(var.archive_copy_source_bucket, "."))
    error_message = "archive_copy_archives: the source bucket cannot be an archive, because a copy has the same key as its source. Refused: ${join(", ", [
      for name, archive in var.archive_copy_archives : "${archive.bucket} of the archive ${name}" if coalesce(archive.bucket, "-") == coalesce(var.archive_copy_source_bucket, ".")
    ])}."
  }

  validation {
    condition = alltrue([
      for archive in values(var.archive_copy_archives) :
      contains(local.storage_classes, coalesce(archive.storage_class, "STANDARD"))
    ])
    error_message = "archive_copy_archives: storage_class must be one of ${join(", ", local.storage_classes)}, or be left out. Refused: ${join(", ", [
      for name, archive in var.archive_copy_archives : "${jsonencode(archive.storage_class)} of the archive ${name}" if !contains(local.storage_classes, coalesce(archive.storage_class, "STANDARD"))
    ])}."
  }

  validation {
    condition = alltrue([
      for days in values(var.archive_copy_archives)[*].noncurrent_versions_expire_after_days : days == null || try(days >= 1 && floor(days) == days, false)
    ])
    error_message = "archive_copy_archives: noncurrent_versions_expire_after_days must be a whole number of at least 1, or be left out. Refused: ${join(", ", [
      for name, archive in var.archive_copy_archives : "${archive.noncurrent_versions_expire_after_days} of the archive ${name}" if archive.noncurrent_versions_expire_after_days != null && !try(archive.noncurrent_versions_expire_after_days >= 1 && floor(archive.noncurrent_versions_expire_after_days) == archive.noncurrent_versions_expire_after_days, false)
    ])}."
  }

  validation {
    condition = alltrue([for archive in values(var.archive_copy_archives) : archive.bucket == null || archive.noncurrent_versions_expire_after_days == null])
    error_message = "archive_copy_archives: noncurrent_versions_expire_after_days is only for buckets created here. Set the life cycle of an existing bucket yourself. Refused: the setting of the archive ${join(", ", [
      for name, archive in var.archive_copy_archives : name if archive.bucket != null && archive.noncurrent_versions_expire_after_days != null
    ])}."
  }

  validation {
    condition = alltrue([for arn in flatten(values(var.archive_copy_archives)[*].kms_key_arns) : can(regex(local.form_of_kms_key_arn, arn))])
    error_message = "archive_copy_archives: kms_key_arns must list ARNs of keys, not of aliases. Refused: ${join(", ", flatten([
      for name, archive in var.archive_copy_archives : [for arn in archive.kms_key_arns : "${jsonencode(arn)} of the archive ${name}" if !can(regex(local.form_of_kms_key_arn, arn))]
    ]))}."
  }
}

# ---- What is copied ----

variable "archive_copy_annotations" {
  description = "`carry` copies S3 object annotations; `ignore` leaves them out and names them in the log."
  type        = string
  default     = "carry"
  nullable    = false

  validation {
    condition     = contains(["carry", "ignore"], var.archive_copy_annotations)
    error_message = "archive_copy_annotations must be \"carry\" or \"ignore\"."
  }
}

variable "archive_copy_older_versions" {
  description = "What happens to a restored version if the archive holds a newer one. \"refuse\" makes the message a dead letter with its reason and changes nothing; \"allow\" replaces the newer version."
  type        = string
  default     = "refuse"
  nullable    = false

  validation {
    condition     = contains(["refuse", "allow"], var.archive_copy_older_versions)
    error_message = "archive_copy_older_versions must be \"refuse\" or \"allow\"."
  }
}

# ---- Retries ----

variable "archive_copy_retries" {
  description = "Attempts for each copy within one invocation, the first included: 3 is one attempt and two retries."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.archive_copy_retries >= 1 && var.archive_copy_retries <= 10 && floor(var.archive_copy_retries) == var.archive_copy_retries
    error_message = "archive_copy_retries must be a whole number from 1 to 10, the first attempt included."
  }
}

variable "archive_copy_retry_sleep_seconds" {
  description = "Seconds before the second attempt of a copy; each later wait is longer."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.archive_copy_retry_sleep_seconds >= 0 && var.archive_copy_retry_sleep_seconds <= 60
    error_message = "archive_copy_retry_sleep_seconds must be a number from 0 to 60."
  }
}

# ---- The function ----

variable "archive_copy_direct_requests" {
  description = "Whether the function sends its most common requests to S3 without most of botocore. false leaves all of them to botocore, for example to exclude the direct transport as the cause of an error."
  type        = bool
  default     = false
  nullable    = false
}

variable "archive_copy_memory_mb" {
  description = "Memory of the function in MB. S3 copies the bytes itself, so memory only buys processor time for start-up and request signing."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.archive_copy_memory_mb >= 128 && var.archive_copy_memory_mb <= 10240 && floor(var.archive_copy_memory_mb) == var.archive_copy_memory_mb
    error_message = "archive_copy_memory_mb must be a whole number from 128 to 10240."
  }
}

variable "archive_copy_timeout_seconds" {
  description = "Time-out of the function in seconds. The default is Lambda's limit, because an object of hundreds of GB needs all of it. A message whose invocation was killed comes back after six times the time-out."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.archive_copy_timeout_seconds >= 10 && var.archive_copy_timeout_seconds <= 900 && floor(var.archive_copy_timeout_seconds) == var.archive_copy_timeout_seconds
    error_message = "archive_copy_timeout_seconds must be a whole number from 10 to 900, the limit of Lambda."
  }
}

variable "archive_copy_batch_size" {
  description = "Maximum number of messages in one invocation."
  type        = number
  default     = 10
  nullable    = false

  # Above 10, Lambda requires a batching window, and all copies of a larger batch would share one time-out.
  validation {
    condition     = var.archive_copy_batch_size >= 1 && var.archive_copy_batch_size <= 10 && floor(var.archive_copy_batch_size) == var.archive_copy_batch_size
    error_message = "archive_copy_batch_size must be a whole number from 1 to 10."
  }
}

variable "archive_copy_concurrency" {
  description = "Objects that one invocation copies at the same time."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.archive_copy_concurrency >= 1 && var.archive_copy_concurrency <= 64 && floor(var.archive_copy_concurrency) == var.archive_copy_concurrency
    error_message = "archive_copy_concurrency must be a whole number from 1 to 64."
  }
}

variable "archive_copy_maximum_concurrency" {
  description = "Maximum number of invocations that the queue runs at the same time. With 20 invocations of eight copies each, small objects come near the 3,500 writes a second that S3 accepts under one prefix."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.archive_copy_maximum_concurrency >= 2 && var.archive_copy_maximum_concurrency <= 1000 && floor(var.archive_copy_maximum_concurrency) == var.archive_copy_maximum_concurrency
    error_message = "archive_copy_maximum_concurrency must be a whole number from 2 to 1000, the limits of Lambda."
  }
}

variable "archive_copy_reserved_concurrency" {
  description = "Invocations reserved for this function, which are also its maximum. null: none. To slow the task down, prefer archive_copy_maximum_concurrency: a message whose invocation is throttled counts as received."
  type        = number
  default     = null

  validation {
    condition     = var.archive_copy_reserved_concurrency == null || try(var.archive_copy_reserved_concurrency >= 1 && floor(var.archive_copy_reserved_concurrency) == var.archive_copy_reserved_concurrency, false)
    error_message = "archive_copy_reserved_concurrency must be a whole number of at least 1, or null. To stop the task, set archive_copy_enabled to false."
  }
}
