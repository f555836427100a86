variable "mirror_check_enabled" {
  description = "Whether both sides of the mirror are compared on a schedule. It needs partition_replicate."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.mirror_check_enabled || var.partition_replicate_enabled
    error_message = "mirror_check_enabled needs partition_replicate_enabled: without a mirror there is nothing to compare."
  }
}

variable "mirror_check_repair" {
  description = "Whether a check sends the keys that differ through the mirror's queue. It deletes only what the mirror made and the source no longer has."
  type        = bool
  default     = false
  nullable    = false
}

variable "mirror_check_hours" {
  description = "Hours from one check to the next. Choose more than a check takes; tasks/mirror_check/README.md says how long that is."
  type        = number
  default     = 24
  nullable    = false

  # The period of a CloudWatch alarm is at most a day.
  validation {
    condition     = var.mirror_check_hours >= 1 && var.mirror_check_hours <= 24 && floor(var.mirror_check_hours) == var.mirror_check_hours
    error_message = "mirror_check_hours must be a whole number from 1 to 24."
  }
}

variable "mirror_check_lag_seconds" {
  description = "Seconds within which the event of a change arrives. A difference of an object that changed later does not count."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.mirror_check_lag_seconds >= 0
    error_message = "mirror_check_lag_seconds must be 0 or more."
  }
}

variable "mirror_check_memory_mb" {
  description = "Memory of the function in MB, which also decides how fast it compares."
  type        = number
  default     = 1769 # one full processor
  nullable    = false

  validation {
    condition     = var.mirror_check_memory_mb >= 256 && var.mirror_check_memory_mb <= 10240 && floor(var.mirror_check_memory_mb) == var.mirror_check_memory_mb
    error_message = "mirror_check_memory_mb must be a whole number from 256 to 10240."
  }
}
