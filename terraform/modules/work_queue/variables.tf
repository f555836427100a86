variable "name" {
  description = "Name of the queue, without `.fifo`. The name of the dead-letter queue begins with it."
  type        = string

  # SQS allows 80 characters, and "-dead-letters.fifo" has 18.
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,62}$", var.name))
    error_message = "The name of a queue must have 1 to 62 letters, digits, hyphens and underscores; it is \"${var.name}\"."
  }
}

variable "partition" {
  description = "AWS partition in the ARNs."
  type        = string
}

variable "region" {
  description = "AWS region in the ARNs."
  type        = string
}

variable "account_id" {
  description = "AWS account in the ARNs. The sender's resource must belong to it."
  type        = string
}

variable "function_timeout_seconds" {
  description = "Time-out in seconds of the function that processes the queue. The visibility time-out is six times as long."
  type        = number

  validation {
    condition     = var.function_timeout_seconds >= 1 && var.function_timeout_seconds <= 900
    error_message = "function_timeout_seconds must be from 1 to 900, the limit of Lambda."
  }
}

variable "max_receive_count" {
  description = "Deliveries of a message before it becomes a dead letter. Only a message that kills its function reaches the limit, after at most 15 hours (ten visibility time-outs of 90 minutes); a message that fails for some time is sent again before."
  type        = number
  default     = 10

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count must be from 1 to 1000."
  }
}

variable "delay_seconds" {
  description = "Seconds before a new message is delivered for the first time."
  type        = number
  default     = 0

  validation {
    condition     = var.delay_seconds >= 0 && var.delay_seconds <= 900
    error_message = "delay_seconds must be from 0 to 900, the limit of SQS."
  }
}

variable "fifo" {
  description = "Whether the queue is FIFO: messages of one group are delivered in order, with high throughput across groups."
  type        = bool
  default     = false
}

variable "content_deduplication" {
  description = "Whether the body of a message without a deduplication ID serves as one; only for a FIFO queue."
  type        = bool
  default     = false
}

variable "sender" {
  description = "AWS service that may send to the queue, and the ARN of the only resource for which it may send. undelivered: whether it may send to the dead-letter queue too, as EventBridge does with an event that it could not deliver for a day. null: none."
  type = object({
    service     = string
    source_arn  = string
    undelivered = optional(bool, false)
  })
  default = null
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the messages. null: keys that SQS manages."
  type        = string
  default     = null
}

variable "alarm_topic_arn" {
  description = "SNS topic that gets a message when an alarm starts and when it ends. null: none."
  type        = string
  default     = null
}
