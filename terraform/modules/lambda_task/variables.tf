variable "name" {
  description = "Name of the function. The names of role, log group and alarms contain it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.name))
    error_message = "The name of a function may only have letters, digits, hyphens and underscores; it is \"${var.name}\"."
  }

  # AWS allows 64 characters for the name of a function and for the name of a role.
  validation {
    condition     = length("${var.name}-${var.region}") <= 64
    error_message = "The name of a role, \"${var.name}-${var.region}\", has ${length("${var.name}-${var.region}")} characters, and AWS allows 64."
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
  description = "The zip: a local file, or a bucket and a key."
  type = object({
    file   = optional(string)
    bucket = optional(string)
    key    = optional(string)
  })

  validation {
    condition     = (var.package.file == null) == (var.package.bucket != null && var.package.key != null)
    error_message = "package must have either a file, or both a bucket and a key."
  }
}

variable "defaults" {
  description = "Settings that all functions of the deployment share. deployment: the value of the tag by which `brigade` finds them, and a dimension of the metrics of a task. The root module describes the variables of the same names."
  type = object({
    deployment         = string
    runtime            = string
    architecture       = string
    logging_level      = string
    log_retention_days = number
    kms_key_arn        = optional(string)
    alarm_topic_arn    = optional(string)
  })
}

variable "region" {
  description = "AWS region. The role's name ends with it."
  type        = string
}

variable "account_id" {
  description = "AWS account of the function. Lambda may assume the role only for functions of this account."
  type        = string
}

variable "memory_mb" {
  description = "Memory of the function in MB."
  type        = number
}

variable "timeout_seconds" {
  description = "Time-out of the function in seconds."
  type        = number
}

variable "reserved_concurrency" {
  description = "Invocations reserved for the function, which are also its maximum. null: none."
  type        = number
  default     = null
}

variable "environment" {
  description = "Environment variables: the task's settings, without secrets."
  type        = map(string)
}

variable "permissions" {
  description = "Permissions of the task, by statement ID. A condition is a map: operator -> key -> values. The module adds the permissions on log, queue, dead letters and keys."
  type = map(object({
    actions   = list(string)
    resources = list(string)
    condition = optional(map(map(list(string))))
  }))

  # Some actions support no resource ARNs; a condition must limit these.
  validation {
    condition     = alltrue([for permission in values(var.permissions) : !contains(concat(permission.actions, permission.condition == null ? permission.resources : []), "*")])
    error_message = "permissions must not have \"*\" as an action, and \"*\" as a resource only with a condition."
  }

  # A bucket's ARN does not identify its owner.
  validation {
    condition = alltrue([
      for permission in values(var.permissions) :
      !anytrue([for action in permission.actions : startswith(action, "s3:")]) || try(length(permission.condition.StringEquals["aws:ResourceAccount"]) > 0, false)
    ])
    error_message = "permissions on S3 must have the condition StringEquals aws:ResourceAccount, because a bucket's name does not identify its owner."
  }
}

variable "bucket_keys" {
  description = "KMS keys that encrypt objects, apart from the deployment's key. read: keys of the buckets that the function reads. write: keys of the buckets that it writes."
  type = object({
    read  = optional(list(string), [])
    write = optional(list(string), [])
  })
  default  = {}
  nullable = false
}

variable "continues" {
  description = "Whether the function sends work that it cannot finish before its time-out back to its own queue, and continues in the next invocation. If true, Lambda's loop detection is off, and there is no alarm on the duration."
  type        = bool
  default     = false
  nullable    = false
}

variable "queue" {
  description = "Queue whose messages the function processes. null: none."
  type = object({
    arn                 = string
    batch_size          = number
    maximum_concurrency = number
  })
  default = null
}

variable "dead_letter_queue_arn" {
  description = "Queue for events that failed permanently. The task sends to it, and so does Lambda after a failed asynchronous invocation."
  type        = string
}

variable "failures" {
  description = "The task's metric of failures. service: its dimension `service`. of: what it counts, for the alarm's name. description: a sentence for the alarm. null: the task has no such metric."
  type = object({
    service     = string
    of          = string
    description = string
  })
  default = null
}
