# Partition, region and account of this deployment. ARNs and bucket names are built from these and work in every partition.
data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id # `name` is deprecated since provider 6, and `region` is unknown before
  account_id = data.aws_caller_identity.current.account_id

  # Bucket names are globally unique, so the buckets created here have account and region in their names.
  bucket_prefix = "${var.name_prefix}-${local.account_id}-${local.region}"

  # Whether each task is deployed. A task is a folder in tasks/ and a zip of the same name.
  tasks = {
    archive_copy        = var.archive_copy_enabled
    partition_replicate = var.partition_replicate_enabled
    upload_validate     = var.upload_validate_enabled
  }
  enabled_tasks = [for task, enabled in local.tasks : task if enabled]

  # The code of each task: the zip in the package bucket, named by its hash, or else the zip of `make dist`.
  packages = {
    for task in local.enabled_tasks : task => {
      file   = var.package_bucket == null ? "${var.package_dir}/${task}.zip" : null
      bucket = var.package_bucket
      key    = var.package_bucket == null ? null : "${var.package_prefix}${task}/${lookup(var.package_hashes, task, "")}.zip"
    }
  }

  # Endings of the longest names after name_prefix, and the number of characters that AWS allows. A role's name ends with the
  # region, so a function's name is shorter and has the same limit (64). All other names are shorter or have a higher limit.
  longest_name_endings = merge(
    !var.archive_copy_enabled ? {} : {
      "-archive-copy-${local.region}" = 64 # role
      "-archive-copy-dead-letters"    = 80 # queue
    },
    !var.archive_copy_enabled || var.archive_copy_source_bucket != null ? {} : {
      "-${local.account_id}-${local.region}-source" = 63 # bucket
    },
    !var.partition_replicate_enabled ? {} : {
      "-partition-replicate-enqueue-${local.region}" = 64 # role
      "-partition-replicate-recheck-dead-letters"    = 80 # queue
    },
    !var.partition_replicate_enabled || var.partition_replicate_destination_bucket != null ? {} : {
      "-${local.account_id}-${local.region}-mirror" = 63 # bucket
    },
    !var.upload_validate_enabled ? {} : {
      "-upload-validate-${local.region}" = 64 # role
      "-upload-validate-dead-letters"    = 80 # queue
    },
    !var.upload_validate_enabled || var.upload_validate_upload_bucket != null ? {} : {
      "-${local.account_id}-${local.region}-uploads" = 63 # bucket
    },
    !var.upload_validate_enabled || var.upload_validate_final_bucket != null ? {} : {
      "-${local.account_id}-${local.region}-published" = 63 # bucket
    },
    !var.upload_validate_enabled || !var.upload_validate_quarantine_enabled || var.upload_validate_quarantine_bucket != null ? {} : {
      "-${local.account_id}-${local.region}-quarantine" = 63 # bucket
    },
    !var.build_enabled ? {} : {
      "-build-${local.region}"                        = 64 # role
      "-${local.account_id}-${local.region}-packages" = 63 # bucket
    },
  )

  # Settings that all functions share.
  function_defaults = {
    runtime            = var.runtime
    architecture       = var.architecture
    logging_level      = var.logging_level
    log_retention_days = var.log_retention_days
    kms_key_arn        = var.kms_key_arn
    alarm_topic_arn    = var.alarm_topic_arn
  }
}

# Forms of values. A validation uses them twice: for its condition, and to name each refused item of a list or map.
locals {
  form_of_kms_key_arn = "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[^:]+$"
  form_of_extension   = "^(\\.[^/]+|other)$"
  storage_classes     = ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
}
