variable "task_name_enabled" {
  description = "Whether task_name is deployed. It needs a source bucket."
  type        = bool
  default     = false
  nullable    = false
}

# ---- The source ----

variable "task_name_source_bucket" {
  description = "Existing bucket whose new objects are measured, in the region of the deployment. Required when task_name is enabled."
  type        = string
  default     = null

  validation {
    condition     = var.task_name_source_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.task_name_source_bucket))
    error_message = "task_name_source_bucket must be the name of an S3 bucket."
  }

  validation {
    condition     = !var.task_name_enabled || var.task_name_source_bucket != null
    error_message = "task_name_source_bucket must name the bucket whose objects are measured when task_name_enabled is true."
  }
}

variable "task_name_manage_notification" {
  description = "Whether Terraform enables EventBridge for the source bucket. S3 keeps one notification configuration for each bucket, and Terraform replaces it as a whole. Use false for a bucket that has other notifications, and enable EventBridge there."
  type        = bool
  default     = true
  nullable    = false

  # Two notification configurations for one bucket would replace each other at every apply.
  validation {
    condition = !var.task_name_enabled || !var.task_name_manage_notification || !contains(
      concat(
        var.archive_copy_enabled && var.archive_copy_manage_notification ? [coalesce(var.archive_copy_source_bucket, "${local.bucket_prefix}-source")] : [],
        var.partition_replicate_enabled && var.partition_replicate_manage_notification ? [coalesce(var.partition_replicate_source_bucket, ".")] : [],
        var.upload_validate_enabled && var.upload_validate_manage_notification ? [coalesce(var.upload_validate_upload_bucket, "${local.bucket_prefix}-uploads")] : [],
      ),
      coalesce(var.task_name_source_bucket, "."),
    )
    error_message = "task_name_manage_notification must be false, because the bucket is also the source of another task, and S3 keeps one notification configuration for each bucket. Enable EventBridge for the bucket yourself."
  }
}

# ---- The function ----

variable "task_name_memory_mb" {
  description = "Memory of the function in MB."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.task_name_memory_mb >= 128 && var.task_name_memory_mb <= 10240 && floor(var.task_name_memory_mb) == var.task_name_memory_mb
    error_message = "task_name_memory_mb must be a whole number from 128 to 10240."
  }
}

variable "task_name_timeout_seconds" {
  description = "Time-out of the function in seconds. A message whose invocation was killed comes back after six times the time-out."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.task_name_timeout_seconds >= 10 && var.task_name_timeout_seconds <= 900 && floor(var.task_name_timeout_seconds) == var.task_name_timeout_seconds
    error_message = "task_name_timeout_seconds must be a whole number from 10 to 900, the limit of Lambda."
  }
}

variable "task_name_maximum_concurrency" {
  description = "Maximum number of invocations that the queue runs at the same time."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.task_name_maximum_concurrency >= 2 && var.task_name_maximum_concurrency <= 1000 && floor(var.task_name_maximum_concurrency) == var.task_name_maximum_concurrency
    error_message = "task_name_maximum_concurrency must be a whole number from 2 to 1000, the limits of Lambda."
  }
}
