variable "build_enabled" {
  description = "Whether CodeBuild builds the tasks: a project, and a bucket for the sources and the packages. docs/codebuild.md describes a build."
  type        = bool
  default     = false
  nullable    = false
}

variable "build_git" {
  description = "Repository that a build clones: its host, its name, the ARN of a connection in the build's region, and a branch. null: a build takes the zip of the sources from the package bucket."
  type = object({
    host           = string
    repository     = string
    connection_arn = string
    branch         = optional(string, "main")
  })
  default = null

  # CodeBuild names the type of each host, see build_source_types. A host of your own would need further settings.
  validation {
    condition     = var.build_git == null || try(contains(keys(local.build_source_types), var.build_git.host), false)
    error_message = "build_git.host must be ${join(", ", keys(local.build_source_types))}. For any other host, upload a zip of the sources."
  }

  validation {
    condition     = var.build_git == null || can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", var.build_git.repository))
    error_message = "build_git.repository must be \"owner/name\", without a host."
  }

  validation {
    condition     = var.build_git == null || can(regex("^arn:[a-z-]+:(codeconnections|codestar-connections):[a-z0-9-]+:[0-9]{12}:connection/[^:]+$", var.build_git.connection_arn))
    error_message = "build_git.connection_arn must be the ARN of a connection, for example \"arn:aws:codeconnections:eu-west-1:123456789012:connection/01234567-89ab-cdef-0123-456789abcdef\"."
  }
}

variable "build_environment" {
  description = "Label of the newest build: the ENVIRONMENT of the build. Each upload replaces the packages with this label, and keeps those with a hash."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]*$", var.build_environment))
    error_message = "build_environment must have letters, digits, hyphens and underscores, for example \"main\"."
  }
}

variable "build_image" {
  description = "Image of the build: one of CodeBuild's own for Linux that has Python 3.13. The packages are the same from each."
  type        = string
  default     = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
  nullable    = false

  validation {
    condition     = can(regex("^aws/codebuild/(amazonlinux-(x86_64|aarch64)-standard|standard):[0-9.-]+$", var.build_image))
    error_message = "build_image must be an image of CodeBuild for Linux, for example \"aws/codebuild/amazonlinux-aarch64-standard:3.0\"."
  }
}

variable "build_compute_type" {
  description = "Size of the build's machine. A build runs all tests on all its cores, so more cores make it shorter."
  type        = string
  default     = "BUILD_GENERAL1_MEDIUM"
  nullable    = false

  validation {
    condition     = can(regex("^BUILD_GENERAL1_(SMALL|MEDIUM|LARGE|XLARGE|2XLARGE)$", var.build_compute_type))
    error_message = "build_compute_type must be BUILD_GENERAL1_SMALL, BUILD_GENERAL1_MEDIUM, BUILD_GENERAL1_LARGE, BUILD_GENERAL1_XLARGE or BUILD_GENERAL1_2XLARGE."
  }
}

variable "build_timeout_minutes" {
  description = "Minutes after which CodeBuild stops a build."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.build_timeout_minutes >= 5 && var.build_timeout_minutes <= 2160 && floor(var.build_timeout_minutes) == var.build_timeout_minutes
    error_message = "build_timeout_minutes must be a whole number from 5 to 2160, the limits of CodeBuild."
  }
}
