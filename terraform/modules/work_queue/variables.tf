variable "name" {
  description = "Name of the queue, without `.fifo`; the dead-letter queue is named after it."
  type        = string

  # SQS allows 80; "-dead-letters.fifo" takes 18.
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,62}$", var.name))
    error_message = "The name of a queue must have 1 to 62 letters, digits, hyphens and underscores; it is \"${var.name}\"."
  }
}

variable "partition" {
  description = "AWS partition, for ARNs."
  type        = string
}

variable "region" {
  description = "AWS region, for ARNs."
  type        = string
}

variable "account_id" {
  description = "AWS account, for ARNs; a sender's resource must belong to it."
  type        = string
}

variable "function_timeout_seconds" {
  description = "Time-out of the function that works on the queue; the visibility time-out is six times as long."
  type        = number

  validation {
    condition     = var.function_timeout_seconds >= 1 && var.function_timeout_seconds <= 900
    error_message = "function_timeout_seconds must be from 1 to 900, which is Lambda's own limit."
  }
}

variable "max_receive_count" {
  description = "How often a message is handed out before it becomes a dead letter. Only what kills its function comes that far, at most 15 hours later (ten visibility time-outs of 90 minutes): what fails for a while is sent again before."
  type        = number
  default     = 10

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count must be from 1 to 1000."
  }
}

variable "delay_seconds" {
  description = "Seconds that a message lies in the queue before it is handed out for the first time."
  type        = number
  default     = 0

  validation {
    condition     = var.delay_seconds >= 0 && var.delay_seconds <= 900
    error_message = "delay_seconds must be from 0 to 900, which is SQS's own limit."
  }
}

variable "fifo" {
  description = "Whether messages of one group are handed out in order, with high throughput across groups."
  type        = bool
  default     = false
}

variable "sender" {
  description = "AWS service that may send to the queue, and the ARN of the only resource it may do so for. null: none."
  type = object({
    service    = string
    source_arn = string
  })
  default = null
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the messages. null: SQS's own."
  type        = string
  default     = null
}

variable "alarm_topic_arn" {
  description = "SNS topic that the alarms tell. null: none."
  type        = string
  default     = null
}
