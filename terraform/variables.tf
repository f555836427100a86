# ---- The deployment ----

variable "name_prefix" {
  description = "Prefix of the name of every resource. Two deployments in one account and region need different prefixes."
  type        = string
  default     = "bucket-brigade"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must have at least 2 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen, for example \"bucket-brigade\"."
  }

  # The maximum length depends on the region and on the enabled tasks.
  validation {
    condition     = alltrue([for ending, limit in local.longest_name_endings : length("${var.name_prefix}${ending}") <= limit])
    error_message = "name_prefix is too long: ${join(", ", [for ending, limit in local.longest_name_endings : "${var.name_prefix}${ending} has ${length("${var.name_prefix}${ending}")} characters, and AWS allows ${limit}" if length("${var.name_prefix}${ending}") > limit])}."
  }
}

variable "tags" {
  description = "Tags of every resource that can have tags."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 49
    error_message = "tags must have at most 49 entries, because AWS allows 50 and each function gets one more, and has ${length(var.tags)}."
  }

  validation {
    condition = !anytrue([for key in keys(var.tags) : startswith(lower(key), "aws:")])
    error_message = "tags: no key may begin with \"aws:\", which AWS reserves. Refused: ${join(", ", [
      for key in keys(var.tags) : jsonencode(key) if startswith(lower(key), "aws:")
    ])}."
  }
}

variable "disposable_buckets" {
  description = "Whether `terraform destroy` may delete the buckets of this deployment and all their objects: true for a temporary deployment, for example for tests. Set it before the first apply; terraform/README.md describes how to change it later."
  type        = bool
  default     = false
  nullable    = false
}

variable "bucket_owners" {
  description = "Account ID of each existing bucket that belongs to another account than the deployment's, by bucket name; for a mirror, to another account than the destination's. The functions refuse a bucket of an unexpected account. Terraform does not look up a bucket that is named here, so also name a bucket that will be created later, with its account."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for owner in values(var.bucket_owners) : can(regex("^[0-9]{12}$", owner))])
    error_message = "bucket_owners must give each account as 12 digits, for example { shared-archive = \"210987654321\" }. Refused: ${join(", ", [
      for bucket, owner in var.bucket_owners : "${jsonencode(owner)} of the bucket ${bucket}" if !can(regex("^[0-9]{12}$", owner))
    ])}."
  }

  validation {
    condition     = length(setsubtract(keys(var.bucket_owners), concat(values(local.given_buckets), local.partition_replicate_given_mirrors))) == 0
    error_message = "bucket_owners names buckets that no other variable names: ${join(", ", setsubtract(keys(var.bucket_owners), concat(values(local.given_buckets), local.partition_replicate_given_mirrors)))}. Check their spelling. A bucket created here belongs to the deployment's account and needs no entry."
  }

  validation {
    condition = alltrue([for bucket in values(local.event_buckets) : lookup(var.bucket_owners, coalesce(bucket, "."), local.account_id) == local.account_id])
    error_message = "bucket_owners: a bucket whose events start a task must belong to the deployment's account, ${local.account_id}. Refused: ${join(", ", [
      for variable, bucket in local.event_buckets : "${bucket}, which ${variable} names" if lookup(var.bucket_owners, coalesce(bucket, "."), local.account_id) != local.account_id
    ])}."
  }
}

variable "alarm_topic_arn" {
  description = "SNS topic that gets a message when an alarm starts and when it ends. null: alarms are visible only in CloudWatch."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[^:]+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic, for example \"arn:aws:sns:eu-west-1:123456789012:alarms\", or null."
  }
}

variable "dashboard_enabled" {
  description = "Whether the deployment has a dashboard in CloudWatch, named like name_prefix. CloudWatch charges for each dashboard of an account beyond the third."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key of the deployment. It encrypts queues, logs, tables, secrets, function environments, and each bucket created here that has no key of its own. null: keys that AWS owns. terraform/README.md lists what the key policy must allow."
  type        = string
  default     = null

  # No alias, because an IAM policy identifies a key only by its key ID.
  validation {
    condition     = var.kms_key_arn == null || can(regex(local.form_of_kms_key_arn, var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias, for example \"arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\", or null."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps log lines; 0 keeps them for ever. The default is a year, because the log records which object was archived where."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs supports, for example 30, 90 or 365, or 0 for ever."
  }
}

variable "logging_level" {
  description = "Lowest level of the log lines that the functions write."
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
  description = "Folder with the zips that `make dist` builds. Not used when package_bucket is set."
  type        = string
  default     = "../dist"
  nullable    = false

  validation {
    condition     = var.package_bucket != null || alltrue([for task in local.enabled_tasks : fileexists("${var.package_dir}/${task}.zip")])
    error_message = "package_dir must contain one zip for each enabled task (${join(", ", [for task in local.enabled_tasks : "${task}.zip"])}): run `make dist`, or set package_bucket and package_hashes."
  }
}

variable "package_bucket" {
  description = "Bucket with the zips that the build uploaded, in the region of the functions. null: use the zips in package_dir."
  type        = string
  default     = null

  validation {
    condition     = var.package_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.package_bucket))
    error_message = "package_bucket must be the name of an S3 bucket, or null to use the zips in package_dir."
  }
}

variable "package_prefix" {
  description = "Prefix of the keys in package_bucket: the PACKAGE_PREFIX of the build."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.package_prefix == "" || (endswith(var.package_prefix, "/") && !startswith(var.package_prefix, "/"))
    error_message = "package_prefix must be empty, or end with \"/\" and not begin with it, for example \"bucket-brigade/\"."
  }
}

variable "package_hashes" {
  description = "Content hash of each task's zip in package_bucket, by task, from the manifest of the build. Required for every enabled task when package_bucket is set."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for hash in values(var.package_hashes) : can(regex("^[0-9A-Za-z_-]+$", hash))])
    error_message = "package_hashes must contain hashes as the build prints them, without a folder and without \".zip\". Refused: ${join(", ", [
      for task, hash in var.package_hashes : "${jsonencode(hash)} of ${task}" if !can(regex("^[0-9A-Za-z_-]+$", hash))
    ])}."
  }

  validation {
    condition     = var.package_bucket == null || length(setsubtract(local.enabled_tasks, keys(var.package_hashes))) == 0
    error_message = "package_hashes must contain the hash of every enabled task when package_bucket is set. Missing: ${join(", ", setsubtract(local.enabled_tasks, keys(var.package_hashes)))}."
  }
}

variable "runtime" {
  description = "Lambda runtime. The zips contain bytecode for python3.13; any other version compiles the code at every cold start."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.1[1-9]$", var.runtime))
    error_message = "runtime must be a Lambda runtime of Python 3.11 or newer, for example \"python3.13\"."
  }
}

variable "architecture" {
  description = "Processor of the functions. The zips are pure Python and run on both; the default, arm64, costs less."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be \"arm64\" or \"x86_64\"."
  }
}
