# ---- The deployment ----

variable "name_prefix" {
  description = "Begins the name of everything made here. Two deployments in one account and region need two prefixes."
  type        = string
  default     = "bucket-brigade"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must have 2 or more lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen, for example \"bucket-brigade\"."
  }

  # How long it may be depends on the region and on what is made.
  validation {
    condition     = alltrue([for ending, limit in local.longest_name_endings : length("${var.name_prefix}${ending}") <= limit])
    error_message = "name_prefix is too long: ${join(", ", [for ending, limit in local.longest_name_endings : "${var.name_prefix}${ending} may have ${limit} characters and has ${length("${var.name_prefix}${ending}")}" if length("${var.name_prefix}${ending}") > limit])}."
  }
}

variable "tags" {
  description = "Tags for everything made here that can carry tags."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 50 && !anytrue([for key in keys(var.tags) : startswith(lower(key), "aws:")])
    error_message = "tags must hold at most 50 entries, and no key may begin with \"aws:\", which AWS keeps for itself."
  }
}

variable "disposable_buckets" {
  description = "Whether the buckets made here can be destroyed, with all that they hold: true for a deployment that is thrown away, such as one for tests. Set it before the first apply; the README says how to change it later."
  type        = bool
  default     = false
  nullable    = false
}

variable "bucket_owners" {
  description = "Account IDs of given buckets that belong to another account than the deployment's (a mirror: than the destination's), by bucket. The functions use no bucket of an account that is not expected. A bucket that is named here is not looked up, so a bucket that is made later is named here too, with its account."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for owner in values(var.bucket_owners) : can(regex("^[0-9]{12}$", owner))])
    error_message = "bucket_owners must name accounts by their 12 digits, for example { shared-archive = \"210987654321\" }."
  }

  validation {
    condition     = length(setsubtract(keys(var.bucket_owners), concat(values(local.given_buckets), local.partition_replicate_given_mirrors))) == 0
    error_message = "bucket_owners names buckets that no other variable gives: ${join(", ", setsubtract(keys(var.bucket_owners), concat(values(local.given_buckets), local.partition_replicate_given_mirrors)))}. Check their spelling. A bucket that is made here belongs to the deployment's account."
  }

  validation {
    condition     = alltrue([for bucket in values(local.event_buckets) : lookup(var.bucket_owners, coalesce(bucket, "."), local.account_id) == local.account_id])
    error_message = "bucket_owners: a bucket whose events start the work must belong to the deployment's account, ${local.account_id}."
  }
}

variable "alarm_topic_arn" {
  description = "SNS topic that every alarm tells when it goes off and when it is over. null: the alarms are only to be seen in CloudWatch."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[^:]+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic, for example \"arn:aws:sns:eu-west-1:123456789012:alarms\", or null."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the deployment: it encrypts queues, logs, tables, secrets, function environments, and the buckets made here that have no key of their own. null: AWS's own keys. The README says what the key's policy must allow."
  type        = string
  default     = null

  # An alias is refused, because IAM policies know keys by their key id only.
  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key and not of an alias, for example \"arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\", or null."
  }
}

variable "log_retention_days" {
  description = "Days that log lines are kept, 0 for ever. The log says what was archived where, hence a year."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs knows, for example 30, 90 or 365, or 0 for ever."
  }
}

variable "logging_level" {
  description = "Least level of the log lines that functions write."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.logging_level)
    error_message = "logging_level must be DEBUG, INFO, WARNING or ERROR."
  }
}

# ---- The code ----

variable "package_dir" {
  description = "Folder of the zips that `make dist` builds. Not used when package_bucket is set."
  type        = string
  default     = "../dist"
  nullable    = false

  validation {
    condition     = var.package_bucket != null || alltrue([for task in local.enabled_tasks : fileexists("${var.package_dir}/${task}.zip")])
    error_message = "package_dir must hold one zip a task (${join(", ", [for task in local.enabled_tasks : "${task}.zip"])}): run `make dist`, or set package_bucket and package_hashes."
  }
}

variable "package_bucket" {
  description = "Bucket that the build uploaded the zips to, in the region of the functions. null: the zips in package_dir."
  type        = string
  default     = null

  validation {
    condition     = var.package_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.package_bucket))
    error_message = "package_bucket must be the name of an S3 bucket, or null to take the zips in package_dir."
  }
}

variable "package_prefix" {
  description = "What the keys in package_bucket begin with: the build's PACKAGE_PREFIX."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.package_prefix == "" || (endswith(var.package_prefix, "/") && !startswith(var.package_prefix, "/"))
    error_message = "package_prefix must be empty, or end with \"/\" and not begin with it, for example \"bucket-brigade/\"."
  }
}

variable "package_hashes" {
  description = "Content hash of each task's zip in package_bucket, by task: the hashes in the build's manifest. Required for every enabled task when package_bucket is set."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for hash in values(var.package_hashes) : can(regex("^[0-9A-Za-z_-]+$", hash))])
    error_message = "package_hashes must hold hashes as the build prints them, without a folder and without \".zip\"."
  }

  validation {
    condition     = var.package_bucket == null || length(setsubtract(local.enabled_tasks, keys(var.package_hashes))) == 0
    error_message = "package_hashes must name the hash of every enabled task when package_bucket is set: missing ${join(", ", setsubtract(local.enabled_tasks, keys(var.package_hashes)))}."
  }
}

variable "runtime" {
  description = "Lambda runtime. The zips carry bytecode of python3.13, another version compiles at every cold start."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.1[1-9]$", var.runtime))
    error_message = "runtime must be a Python runtime of Lambda from 3.11 on, for example \"python3.13\"."
  }
}

variable "architecture" {
  description = "Processor of the functions. The zips are pure Python and run on both; arm64 costs less."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be \"arm64\" or \"x86_64\"."
  }
}

# ---- archive_copy ----

variable "archive_copy_enabled" {
  description = "Whether archive_copy is deployed. false leaves nothing of it; a plan that would delete its buckets fails unless disposable_buckets is true."
  type        = bool
  default     = true
  nullable    = false
}

variable "archive_copy_source_bucket" {
  description = "Existing bucket whose restored objects are copied. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.archive_copy_source_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.archive_copy_source_bucket))
    error_message = "archive_copy_source_bucket must be the name of an S3 bucket, or null to have one made."
  }
}

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

variable "archive_copy_reserved_concurrency" {
  description = "Invocations set aside for this function, which are also its most. null: none. To hold it back, archive_copy_maximum_concurrency is the better way: a message whose invocation is refused counts as received."
  type        = number
  default     = null

  validation {
    condition     = var.archive_copy_reserved_concurrency == null || try(var.archive_copy_reserved_concurrency >= 1 && floor(var.archive_copy_reserved_concurrency) == var.archive_copy_reserved_concurrency, false)
    error_message = "archive_copy_reserved_concurrency must be a whole number from 1 on, or null; to stop the task, set archive_copy_enabled to false."
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

# ---- partition_replicate ----

variable "partition_replicate_enabled" {
  description = "Whether partition_replicate is deployed. It needs a source bucket, and credentials for the destination's partition."
  type        = bool
  default     = false
  nullable    = false
}

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

# ---- upload_validate ----

variable "upload_validate_enabled" {
  description = "Whether upload_validate is deployed; upload_validate_github_repo and upload_validate_webhook_url are needed then."
  type        = bool
  default     = false
  nullable    = false
}

variable "upload_validate_upload_bucket" {
  description = "Existing bucket that files are uploaded to. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_upload_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_upload_bucket))
    error_message = "upload_validate_upload_bucket must be the name of an S3 bucket, or null to have one made."
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

variable "upload_validate_final_bucket" {
  description = "Existing bucket that right sets are published in. null: make one."
  type        = string
  default     = null

  validation {
    condition     = var.upload_validate_final_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.upload_validate_final_bucket))
    error_message = "upload_validate_final_bucket must be the name of an S3 bucket, or null to have one made."
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

variable "upload_validate_webhook_key_name" {
  description = "Entry that holds the key of the webhook. It is \"/path\" or \"ssm:name\" in SSM's Parameter Store, or \"secretsmanager:name\", with \"#field\" for one field of a JSON secret. null: what would be sent is logged."
  type        = string
  default     = null
  sensitive   = true # see pasted_keys.tf
}

variable "upload_validate_council_api_url" {
  description = "Where councils are looked up: \"/{gss}.json\" is added to it."
  type        = string
  default     = "https://wheredoivote.co.uk/api/beta/councils"
  nullable    = false
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

variable "upload_validate_reserved_concurrency" {
  description = "Invocations set aside for this function, which are also its most. null: none."
  type        = number
  default     = null

  validation {
    condition     = var.upload_validate_reserved_concurrency == null || try(var.upload_validate_reserved_concurrency >= 1 && var.upload_validate_reserved_concurrency <= 100000 && floor(var.upload_validate_reserved_concurrency) == var.upload_validate_reserved_concurrency, false)
    error_message = "upload_validate_reserved_concurrency must be a whole number from 1 to 100000, or null."
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
