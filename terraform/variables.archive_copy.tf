variable "archive_copy_enabled" {
  description = "Whether archive_copy is deployed. false leaves nothing of it; a plan that would delete its buckets fails unless disposable_buckets is true."
  type        = bool
  default     = true
  nullable    = false
}

# ---- The source ----

variable "archive_copy_source_bucket" {
  description = "Existing bucket whose restored objects are copied. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.archive_copy_source_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.archive_copy_source_bucket))
    error_message = "archive_copy_source_bucket must be the name of an S3 bucket, or null to have one made."
  }
}

variable "archive_copy_source_kms_key_arns" {
  description = "KMS keys that objects of the source bucket are encrypted with, apart from kms_key_arn; the first encrypts a bucket made here."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.archive_copy_source_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", arn))])
    error_message = "archive_copy_source_kms_key_arns must hold ARNs of keys and not of aliases."
  }
}

variable "archive_copy_manage_notification" {
  description = "Whether the source bucket's notification is set here. S3 knows one notification configuration a bucket and this replaces it whole: false for a given bucket that has others, and add the queue to them."
  type        = bool
  default     = true
  nullable    = false
}

# ---- The archives ----

variable "archive_copy_archives" {
  description = "The archives by name: the extensions that go there, with their dot, `other` for all that no archive names; an existing bucket, or none to have one made; the storage class of the copies, STANDARD if none is given; for a bucket made here, the days after which a version is deleted that is no longer the current one, never if none is given; the KMS keys of the bucket, of which the first encrypts one made here."
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
    condition     = length(var.archive_copy_archives) > 0 && alltrue([for archive in values(var.archive_copy_archives) : length(archive.extensions) > 0])
    error_message = "archive_copy_archives must hold at least one archive, and each archive at least one extension."
  }

  validation {
    condition     = alltrue([for name in keys(var.archive_copy_archives) : can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", name))])
    error_message = "archive_copy_archives: an archive's name must consist of lower-case letters, digits and inner hyphens, because it becomes part of its bucket's name."
  }

  validation {
    condition = alltrue([
      for extension in flatten(values(var.archive_copy_archives)[*].extensions) : extension == "other" || can(regex("^\\.[^/]+$", extension))
    ])
    error_message = "archive_copy_archives: an extension must begin with its dot and hold no \"/\", for example \".txt\" or \".tar.gz\", or be \"other\"."
  }

  # The task does not tell upper from lower case.
  validation {
    condition = (
      length(distinct([for extension in flatten(values(var.archive_copy_archives)[*].extensions) : lower(extension)]))
      == length(flatten(values(var.archive_copy_archives)[*].extensions))
    )
    error_message = "archive_copy_archives: each extension may be named once only, whatever its case, because an object goes to one archive."
  }

  validation {
    condition = alltrue([
      for archive in values(var.archive_copy_archives) : archive.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", archive.bucket))
    ])
    error_message = "archive_copy_archives: bucket must be the name of an S3 bucket, or be left out to have one made."
  }

  validation {
    condition = alltrue([
      for name, archive in var.archive_copy_archives : archive.bucket != null || length("${local.bucket_prefix}-archive-${name}") <= 63
    ])
    error_message = "archive_copy_archives: the name of a bucket to be made, \"${local.bucket_prefix}-archive-\" and the archive's name, may have 63 characters: shorten name_prefix or the archive's name, or give a bucket."
  }

  validation {
    condition     = !contains([for archive in values(var.archive_copy_archives) : coalesce(archive.bucket, "-")], coalesce(var.archive_copy_source_bucket, "."))
    error_message = "archive_copy_archives: the source bucket cannot be an archive of itself, because an object is archived under its own key."
  }

  validation {
    condition = alltrue([
      for archive in values(var.archive_copy_archives) :
      contains(["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], coalesce(archive.storage_class, "STANDARD"))
    ])
    error_message = "archive_copy_archives: storage_class must be STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER or DEEP_ARCHIVE, or be left out."
  }

  validation {
    condition = alltrue([
      for days in values(var.archive_copy_archives)[*].noncurrent_versions_expire_after_days : days == null || try(days >= 1 && floor(days) == days, false)
    ])
    error_message = "archive_copy_archives: noncurrent_versions_expire_after_days must be a whole number from 1 on, or be left out."
  }

  validation {
    condition     = alltrue([for archive in values(var.archive_copy_archives) : archive.bucket == null || archive.noncurrent_versions_expire_after_days == null])
    error_message = "archive_copy_archives: noncurrent_versions_expire_after_days is for buckets made here; set the life cycle of an existing bucket yourself."
  }

  validation {
    condition     = alltrue([for arn in flatten(values(var.archive_copy_archives)[*].kms_key_arns) : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", arn))])
    error_message = "archive_copy_archives: kms_key_arns must hold ARNs of keys and not of aliases."
  }
}

# ---- What is copied ----

variable "archive_copy_annotations" {
  description = "What becomes of S3 object annotations: `carry` copies them, `ignore` leaves them and names them in the log."
  type        = string
  default     = "carry"
  nullable    = false

  validation {
    condition     = contains(["carry", "ignore"], var.archive_copy_annotations)
    error_message = "archive_copy_annotations must be \"carry\" or \"ignore\"."
  }
}

variable "archive_copy_older_versions" {
  description = "What becomes of a restored version if the archive holds a newer one: \"refuse\" makes its message a dead letter, with the reason, and changes nothing; \"allow\" lets it replace the newer one."
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
  description = "How often one copy is tried in all within one invocation: 3 is the first time and two more."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.archive_copy_retries >= 1 && var.archive_copy_retries <= 10 && floor(var.archive_copy_retries) == var.archive_copy_retries
    error_message = "archive_copy_retries must be a whole number from 1 to 10; it counts the first try too."
  }
}

variable "archive_copy_retry_sleep_seconds" {
  description = "Seconds before the second try of a copy; later waits grow from there."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.archive_copy_retry_sleep_seconds >= 0 && var.archive_copy_retry_sleep_seconds <= 60
    error_message = "archive_copy_retry_sleep_seconds must be a number from 0 to 60."
  }
}

# ---- The function ----

variable "archive_copy_memory_mb" {
  description = "Memory of the function in MB. S3 copies the bytes itself; memory only buys processor time for starting and signing."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.archive_copy_memory_mb >= 128 && var.archive_copy_memory_mb <= 10240 && floor(var.archive_copy_memory_mb) == var.archive_copy_memory_mb
    error_message = "archive_copy_memory_mb must be a whole number from 128 to 10240."
  }
}

variable "archive_copy_timeout_seconds" {
  description = "Time-out of the function in seconds. A message whose invocation was killed comes back after six times as long; an object of hundreds of GB needs it all."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.archive_copy_timeout_seconds >= 10 && var.archive_copy_timeout_seconds <= 900 && floor(var.archive_copy_timeout_seconds) == var.archive_copy_timeout_seconds
    error_message = "archive_copy_timeout_seconds must be a whole number from 10 to 900, which is Lambda's own limit."
  }
}

variable "archive_copy_batch_size" {
  description = "How many messages one invocation gets at most."
  type        = number
  default     = 10
  nullable    = false

  # Above 10, Lambda demands a batching window, and one time-out would have to do for ever more copies.
  validation {
    condition     = var.archive_copy_batch_size >= 1 && var.archive_copy_batch_size <= 10 && floor(var.archive_copy_batch_size) == var.archive_copy_batch_size
    error_message = "archive_copy_batch_size must be a whole number from 1 to 10."
  }
}

variable "archive_copy_concurrency" {
  description = "How many objects one invocation copies at a time."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.archive_copy_concurrency >= 1 && var.archive_copy_concurrency <= 64 && floor(var.archive_copy_concurrency) == var.archive_copy_concurrency
    error_message = "archive_copy_concurrency must be a whole number from 1 to 64."
  }
}

variable "archive_copy_maximum_concurrency" {
  description = "Invocations that the queue starts at a time at most. At 20, eight copies each, small objects arrive near the 3,500 writes a second that S3 takes under one prefix."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.archive_copy_maximum_concurrency >= 2 && var.archive_copy_maximum_concurrency <= 1000 && floor(var.archive_copy_maximum_concurrency) == var.archive_copy_maximum_concurrency
    error_message = "archive_copy_maximum_concurrency must be a whole number from 2 to 1000, which are Lambda's own limits."
  }
}

variable "archive_copy_reserved_concurrency" {
  description = "Invocations set aside for this function, which are also its most. null: none. To hold it back, archive_copy_maximum_concurrency is the better way: a message whose invocation is refused counts as received."
  type        = number
  default     = null

  validation {
    condition     = var.archive_copy_reserved_concurrency == null || try(var.archive_copy_reserved_concurrency >= 1 && floor(var.archive_copy_reserved_concurrency) == var.archive_copy_reserved_concurrency, false)
    error_message = "archive_copy_reserved_concurrency must be a whole number from 1 on, or null; to stop the task, set archive_copy_enabled to false."
  }
}
