variable "name" {
  description = "Name of the function; role, log group and alarms are named after it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.name))
    error_message = "The name of a function must have letters, digits, hyphens and underscores; it is \"${var.name}\"."
  }

  # AWS allows 64 characters for the name of a function, and for that of a role.
  validation {
    condition     = length("${var.name}-${var.region}") <= 64
    error_message = "The name of a role, \"${var.name}-${var.region}\", has ${length("${var.name}-${var.region}")} characters and may have 64."
  }
}

variable "description" {
  description = "What the function does, in one sentence."
  type        = string
}

variable "handler" {
  description = "Import path of the handler in the zip."
  type        = string
}

variable "package" {
  description = "The zip: a local file, or bucket and key."
  type = object({
    file   = optional(string)
    bucket = optional(string)
    key    = optional(string)
  })

  validation {
    condition     = (var.package.file == null) == (var.package.bucket != null && var.package.key != null)
    error_message = "package must name either a file, or both bucket and key."
  }
}

variable "defaults" {
  description = "What all functions of the deployment have in common; the root module's variables of the same names say more."
  type = object({
    runtime            = string
    architecture       = string
    logging_level      = string
    log_retention_days = number
    kms_key_arn        = optional(string)
    alarm_topic_arn    = optional(string)
  })
}

variable "region" {
  description = "AWS region, which ends the role's name."
  type        = string
}

variable "account_id" {
  description = "AWS account of the function: Lambda may assume its role for functions of this account alone."
  type        = string
}

variable "memory_mb" {
  description = "Memory in MB."
  type        = number
}

variable "timeout_seconds" {
  description = "Time-out in seconds."
  type        = number
}

variable "reserved_concurrency" {
  description = "Invocations set aside for the function, which are also its most. null: none."
  type        = number
  default     = null
}

variable "environment" {
  description = "Environment variables: the task's settings, and no secret."
  type        = map(string)
}

variable "permissions" {
  description = "What the task itself may do, by statement id, with a condition where there is one: operator, key, values. Its log, queue, dead letters and keys are added here."
  type = map(object({
    actions   = list(string)
    resources = list(string)
    condition = optional(map(map(list(string))))
  }))

  # Some actions know no resources; then the condition is what limits them.
  validation {
    condition     = alltrue([for permission in values(var.permissions) : !contains(concat(permission.actions, permission.condition == null ? permission.resources : []), "*")])
    error_message = "permissions must name actions, and resources or a condition, not \"*\" alone."
  }

  # A bucket's ARN does not say whose it is.
  validation {
    condition = alltrue([
      for permission in values(var.permissions) :
      !anytrue([for action in permission.actions : startswith(action, "s3:")]) || try(length(permission.condition.StringEquals["aws:ResourceAccount"]) > 0, false)
    ])
    error_message = "permissions on S3 must have the condition StringEquals aws:ResourceAccount, because a bucket's name does not say whose it is."
  }
}

variable "bucket_keys" {
  description = "KMS keys that objects are encrypted with, apart from the deployment's own: of buckets that the function reads, and of those that it writes."
  type = object({
    read  = optional(list(string), [])
    write = optional(list(string), [])
  })
  default  = {}
  nullable = false
}

variable "continues" {
  description = "Whether the function sends what it cannot finish before its time-out back to its own queue, and goes on in the next invocation. Lambda must not take that for a loop, and an invocation that lasts long is no alarm."
  type        = bool
  default     = false
  nullable    = false
}

variable "queue" {
  description = "Queue whose messages the function works on. null: none."
  type = object({
    arn                 = string
    batch_size          = number
    maximum_concurrency = number
  })
  default = null
}

variable "dead_letter_queue_arn" {
  description = "Queue for events that failed for good: the task sends there, and so does Lambda after a failed asynchronous invocation."
  type        = string
}

variable "failures" {
  description = "What the task counts as failed: the service that its metrics name, of what they are, and a sentence for the alarm. null: it counts nothing."
  type = object({
    service     = string
    of          = string
    description = string
  })
  default = null
}
