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

  # Each task by its name, which is also the name of its folder in tasks/ and of its zip. The task's own file holds the entry:
  # enabled: whether the task is deployed.
  # event_buckets: existing buckets whose events start the task, by the variable that names each, or null.
  # name_endings: endings of its longest names after name_prefix, and the number of characters that AWS allows. A role's name
  # ends with the region, so a function's name is shorter and has the same limit (64). All other names are shorter or have a
  # higher limit.
  # dashboard: names, after name_prefix, and limits in its graphs: function, queue and dead-letter queues; delayed: whether the queue delays
  # messages; other_functions: functions that only feed the queue; written: the metric that counts written objects; lag_seconds:
  # the threshold of its alarm on the lag. null: the task has no rows of the usual graphs.
  tasks = {
    archive_copy        = local.archive_copy_task
    mirror_check        = local.mirror_check_task
    partition_replicate = local.partition_replicate_task
    upload_validate     = local.upload_validate_task
  }
  enabled_tasks = [for task, entry in local.tasks : task if entry.enabled]

  longest_name_endings = merge(
    local.build_name_endings,
    [for entry in values(local.tasks) : entry.name_endings if entry.enabled]...
  )

  # The code of each task: the zip in the package bucket, named by its hash, or else the zip of `make dist`.
  packages = {
    for task in local.enabled_tasks : task => {
      file   = var.package_bucket == null ? "${var.package_dir}/${task}.zip" : null
      bucket = var.package_bucket
      key    = var.package_bucket == null ? null : "${var.package_prefix}${task}/${lookup(var.package_hashes, task, "")}.zip"
    }
  }

  # Settings that all functions share.
  function_defaults = {
    deployment         = var.name_prefix
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
