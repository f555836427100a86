variable "name" {
  description = "Name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "The name of a bucket must have 3 to 63 lower-case letters, digits and hyphens; it is \"${var.name}\"."
  }
}

variable "partition" {
  description = "AWS partition in the ARNs."
  type        = string
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the objects. null: keys that S3 manages."
  type        = string
  default     = null
}

variable "disposable" {
  description = "Whether Terraform may destroy the bucket with all its objects. false: a plan that would destroy it fails."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_versions_expire_after_days" {
  description = "Days after which a noncurrent version is deleted. null: never."
  type        = number
  default     = null

  validation {
    condition     = var.noncurrent_versions_expire_after_days == null || try(var.noncurrent_versions_expire_after_days >= 1, false)
    error_message = "noncurrent_versions_expire_after_days must be 1 or more, or null."
  }
}

variable "expire_after_days" {
  description = "Days after which an object is deleted. null: never."
  type        = number
  default     = null

  validation {
    condition     = var.expire_after_days == null || try(var.expire_after_days >= 1, false)
    error_message = "expire_after_days must be 1 or more, or null."
  }
}
