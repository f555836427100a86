# archive_copy: copies each object restored in the source bucket to the archive for its extension.
#
#   source bucket --ObjectRestore:Completed--> queue --> function --> archive buckets
#                                                |           |
#                                                +---> dead-letter queue

locals {
  # The entry in local.tasks.
  archive_copy_task = {
    enabled       = var.archive_copy_enabled
    event_buckets = { archive_copy_source_bucket = var.archive_copy_source_bucket }

    name_endings = merge(
      {
        "-archive-copy-batch-${local.region}"        = 64 # role
        "-archive-copy-dead-letters"                 = 80 # queue
        "-${local.account_id}-${local.region}-batch" = 63 # bucket
      },
      var.archive_copy_source_bucket != null ? {} : {
        "-${local.account_id}-${local.region}-source" = 63 # bucket
      },
    )

    dashboard = {
      function            = "archive-copy"
      queue               = "archive-copy"
      dead_letter_queues  = ["archive-copy-dead-letters"]
      delayed             = false
      other_functions     = []
      written             = ["Copied"]
      lag_seconds         = []
      timeout_seconds     = var.archive_copy_timeout_seconds
      memory_mb           = var.archive_copy_memory_mb
      maximum_concurrency = coalesce(var.archive_copy_reserved_concurrency, var.archive_copy_maximum_concurrency)
    }
  }

  archive_copy_source_bucket = coalesce(var.archive_copy_source_bucket, "${local.bucket_prefix}-source")

  # Archive name -> bucket, and extension -> bucket. The second is the task's bucket_map.
  archive_copy_buckets = {
    for name, archive in var.archive_copy_archives : name => coalesce(archive.bucket, "${local.bucket_prefix}-archive-${name}")
  }
  archive_copy_bucket_map = merge([
    for name, archive in var.archive_copy_archives : { for extension in archive.extensions : extension => local.archive_copy_buckets[name] }
  ]...)

  # The function's setting bucket_map: extension -> bucket, or bucket and storage class. Each value is JSON text, because all
  # values of a map have the same type.
  archive_copy_entries = merge([
    for name, archive in var.archive_copy_archives : {
      for extension in archive.extensions : extension => (
        archive.storage_class == null
        ? jsonencode(local.archive_copy_buckets[name])
        : jsonencode({ bucket = local.archive_copy_buckets[name], storage_class = archive.storage_class })
      )
    }
  ]...)
  archive_copy_bucket_map_json  = "{${join(",", [for extension, entry in local.archive_copy_entries : "${jsonencode(extension)}:${entry}"])}}"
  archive_copy_bucket_map_bytes = floor(length(base64encode(local.archive_copy_bucket_map_json)) * 3 / 4)

  # Lambda limits the whole environment to 4 KB. The other settings take less than a quarter of it.
  archive_copy_map_in_parameter = var.archive_copy_enabled && local.archive_copy_bucket_map_bytes + length(local.archive_copy_owners_json) > 3072

  archive_copy_source_arn = "arn:${local.partition}:s3:::${local.archive_copy_source_bucket}"
  # Permissions for annotations. A request that names a version needs separate actions. Annotations that only the archive has
  # stay there, so the function may not delete any.
  archive_copy_annotations = var.archive_copy_annotations == "carry"
  archive_copy_on_annotations = {
    source = local.archive_copy_annotations ? [
      "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
    ] : []
    archives = local.archive_copy_annotations ? [
      "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
      "s3:PutObjectAnnotation", "s3:PutObjectVersionAnnotation",
    ] : []
  }

  archive_copy_archive_arns = [for bucket in distinct(values(local.archive_copy_buckets)) : "arn:${local.partition}:s3:::${bucket}"]
}

# The bucket of the frozen objects, unless an existing bucket is set.
module "archive_copy_source_bucket" {
  source = "./modules/private_bucket"
  count  = var.archive_copy_enabled && var.archive_copy_source_bucket == null ? 1 : 0

  name        = local.archive_copy_source_bucket
  partition   = local.partition
  kms_key_arn = try(var.archive_copy_source_kms_key_arns[0], var.kms_key_arn)
  disposable  = var.disposable_buckets
}

# One bucket for each archive that does not name an existing bucket.
module "archive_copy_archive_bucket" {
  source   = "./modules/private_bucket"
  for_each = { for name, archive in var.archive_copy_archives : name => archive if var.archive_copy_enabled && archive.bucket == null }

  name        = local.archive_copy_buckets[each.key]
  partition   = local.partition
  kms_key_arn = try(each.value.kms_key_arns[0], var.kms_key_arn)
  disposable  = var.disposable_buckets

  noncurrent_versions_expire_after_days = each.value.noncurrent_versions_expire_after_days
}

# A bucket_map that is too long for the function's environment. The parameter's name changes with its content, so that
# running functions read it again.
resource "aws_ssm_parameter" "archive_copy_bucket_map" {
  #checkov:skip=CKV2_AWS_34:Bucket names are not secret; a shorter map is in the environment
  #checkov:skip=CKV_AWS_337:Bucket names are not secret; a shorter map is in the environment
  count = local.archive_copy_map_in_parameter ? 1 : 0

  name        = "/bucket-brigade/${var.name_prefix}/bucket_map-${substr(sha256(local.archive_copy_bucket_map_json), 0, 8)}"
  description = "Archive bucket of each key extension."
  type        = "String"
  tier        = local.archive_copy_bucket_map_bytes > 4096 ? "Advanced" : "Standard"
  value       = local.archive_copy_bucket_map_json

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = local.archive_copy_bucket_map_bytes <= 8192 # the limit of an Advanced parameter
      error_message = "archive_copy_archives is too long: the function's bucket_map has ${local.archive_copy_bucket_map_bytes} bytes, and at most 8192 are allowed. Use fewer extensions or shorter names."
    }
  }
}

# S3 does not repeat a notification that its target refused. The queue keeps each one until its work is done.
module "archive_copy_queue" {
  source = "./modules/work_queue"
  count  = var.archive_copy_enabled ? 1 : 0

  name                     = "${var.name_prefix}-archive-copy"
  partition                = local.partition
  region                   = local.region
  account_id               = local.account_id
  function_timeout_seconds = var.archive_copy_timeout_seconds
  sender                   = { service = "s3.amazonaws.com", source_arn = local.archive_copy_source_arn }
  kms_key_arn              = var.kms_key_arn
  alarm_topic_arn          = var.alarm_topic_arn
}

# Only `Completed`: `Post` means that a restore has started.
resource "aws_s3_bucket_notification" "archive_copy" {
  count = var.archive_copy_enabled && var.archive_copy_manage_notification ? 1 : 0

  bucket = var.archive_copy_source_bucket == null ? module.archive_copy_source_bucket[0].name : var.archive_copy_source_bucket

  queue {
    id        = "${var.name_prefix}-archive-copy"
    queue_arn = module.archive_copy_queue[0].arn
    events    = ["s3:ObjectRestore:Completed"]
  }
}

# The function that copies the objects.
module "archive_copy" {
  source = "./modules/lambda_task"
  count  = var.archive_copy_enabled ? 1 : 0

  name                  = "${var.name_prefix}-archive-copy"
  description           = "Copies restored S3 objects to the archive bucket for their extension."
  handler               = "tasks.archive_copy.handler.handler"
  package               = local.packages["archive_copy"]
  defaults              = local.function_defaults
  region                = local.region
  account_id            = local.account_id
  memory_mb             = var.archive_copy_memory_mb
  timeout_seconds       = var.archive_copy_timeout_seconds
  reserved_concurrency  = var.archive_copy_reserved_concurrency
  dead_letter_queue_arn = module.archive_copy_queue[0].dead_letter_queue_arn

  queue = {
    arn                 = module.archive_copy_queue[0].arn
    batch_size          = var.archive_copy_batch_size
    maximum_concurrency = var.archive_copy_maximum_concurrency
  }

  failures = {
    service     = "archive_copy"
    of          = "objects"
    description = "Objects could not be copied."
  }

  environment = {
    SOURCE_BUCKET         = local.archive_copy_source_bucket
    bucket_map            = local.archive_copy_map_in_parameter ? "ssm:${aws_ssm_parameter.archive_copy_bucket_map[0].name}" : local.archive_copy_bucket_map_json
    copy_retries          = tostring(var.archive_copy_retries)
    copy_retry_sleep_secs = tostring(var.archive_copy_retry_sleep_seconds)
    BUCKET_OWNERS         = local.archive_copy_owners_json
    COPY_CONCURRENCY      = tostring(var.archive_copy_concurrency)
    ANNOTATIONS           = var.archive_copy_annotations
    OLDER_VERSIONS        = var.archive_copy_older_versions
    DIRECT_REQUESTS       = var.archive_copy_direct_requests ? "on" : "off"
    WORK_QUEUE            = module.archive_copy_queue[0].url
    DEAD_LETTER_QUEUE     = module.archive_copy_queue[0].dead_letter_queue_url
    MAX_RECEIVES          = tostring(module.archive_copy_queue[0].max_receive_count)
    LOGGING_LEVEL         = var.logging_level
    DEPLOYMENT            = var.name_prefix
  }

  bucket_keys = {
    read  = var.archive_copy_source_kms_key_arns
    write = flatten(values(var.archive_copy_archives)[*].kms_key_arns)
  }

  # With ListBucket, S3 answers 404 for a missing key. Without it, the answer is 403, as for a missing permission.
  permissions = merge(
    {
      FindObjects = {
        actions   = ["s3:ListBucket"]
        resources = concat([local.archive_copy_source_arn], local.archive_copy_archive_arns)
        condition = local.owned.source_and_archives
      }
      # A multipart copy first aborts the uploads that a killed invocation left open.
      FindOpenUploads = {
        actions   = ["s3:ListBucketMultipartUploads"]
        resources = local.archive_copy_archive_arns
        condition = local.owned.archives
      }
      ReadSource = {
        actions   = concat(["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"], local.archive_copy_on_annotations.source)
        resources = ["${local.archive_copy_source_arn}/*"]
        condition = local.owned.sources
      }
      CompareAndWriteArchives = {
        actions = concat(
          [
            "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectTagging", "s3:ListMultipartUploadParts", "s3:PutObject",
            "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
          ],
          local.archive_copy_on_annotations.archives,
        )
        resources = [for arn in local.archive_copy_archive_arns : "${arn}/*"]
        condition = local.owned.archives
      }
      # The function replaces a message that failed often by a copy, so that the message does not reach its maximum receives.
      RenewWork = {
        actions   = ["sqs:SendMessage"]
        resources = [module.archive_copy_queue[0].arn]
      }
    },
    # The function looks for the version that the archive holds among the versions of the source.
    var.archive_copy_older_versions == "allow" ? {} : { FindVersions = {
      actions   = ["s3:ListBucketVersions"]
      resources = [local.archive_copy_source_arn]
      condition = local.owned.sources
    } },
    !local.archive_copy_map_in_parameter ? {} : { ReadBucketMap = {
      actions   = ["ssm:GetParameter"]
      resources = ["arn:${local.partition}:ssm:${local.region}:${local.account_id}:parameter${aws_ssm_parameter.archive_copy_bucket_map[0].name}"]
    } },
  )
}
