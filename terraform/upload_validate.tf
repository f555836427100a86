# upload_validate: checks each set of uploaded files, publishes or rejects it, and sends each report once.
#
#   upload bucket --ObjectCreated:*--> queue --> function --> final bucket, quarantine bucket
#                                        |          |-------> GitHub issue, SES e-mail, webhook
#                                        |          |-------> table of outcomes
#                                        +--> dead-letter queue

locals {
  # The entry in local.tasks.
  upload_validate_task = {
    enabled       = var.upload_validate_enabled
    event_buckets = { upload_validate_upload_bucket = var.upload_validate_upload_bucket }

    name_endings = merge(
      {
        "-upload-validate-${local.region}" = 64 # role
        "-upload-validate-dead-letters"    = 80 # queue
      },
      var.upload_validate_upload_bucket != null ? {} : {
        "-${local.account_id}-${local.region}-uploads" = 63 # bucket
      },
      var.upload_validate_final_bucket != null ? {} : {
        "-${local.account_id}-${local.region}-published" = 63 # bucket
      },
      !var.upload_validate_quarantine_enabled || var.upload_validate_quarantine_bucket != null ? {} : {
        "-${local.account_id}-${local.region}-quarantine" = 63 # bucket
      },
    )

    dashboard = {
      function            = "upload-validate"
      queue               = "upload-validate"
      dead_letter_queues  = ["upload-validate-dead-letters"]
      delayed             = var.upload_validate_settle_seconds > 0
      other_functions     = []
      written             = [] # a set has several files, and a message is about one
      lag_seconds         = []
      timeout_seconds     = var.upload_validate_timeout_seconds
      memory_mb           = var.upload_validate_memory_mb
      maximum_concurrency = coalesce(var.upload_validate_reserved_concurrency, var.upload_validate_maximum_concurrency)
    }
  }

  upload_validate_upload_bucket     = coalesce(var.upload_validate_upload_bucket, "${local.bucket_prefix}-uploads")
  upload_validate_final_bucket      = coalesce(var.upload_validate_final_bucket, "${local.bucket_prefix}-published")
  upload_validate_quarantine_bucket = var.upload_validate_quarantine_enabled ? coalesce(var.upload_validate_quarantine_bucket, "${local.bucket_prefix}-quarantine") : null
  upload_validate_table             = "${var.name_prefix}-upload-validate-outcomes"

  upload_validate_written_buckets = compact([local.upload_validate_final_bucket, local.upload_validate_quarantine_bucket])

  upload_validate_upload_arn   = "arn:${local.partition}:s3:::${local.upload_validate_upload_bucket}"
  upload_validate_written_arns = [for bucket in local.upload_validate_written_buckets : "arn:${local.partition}:s3:::${bucket}"]
  upload_validate_table_arn    = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.upload_validate_table}"

  # The buckets that Terraform creates, by their use: those for which no existing bucket is set.
  upload_validate_buckets = !var.upload_validate_enabled ? {} : {
    for use, bucket in {
      uploads    = { given = var.upload_validate_upload_bucket, name = local.upload_validate_upload_bucket, wanted = true }
      published  = { given = var.upload_validate_final_bucket, name = local.upload_validate_final_bucket, wanted = true }
      quarantine = { given = var.upload_validate_quarantine_bucket, name = local.upload_validate_quarantine_bucket, wanted = var.upload_validate_quarantine_enabled }
    } : use => bucket.name if bucket.wanted && bucket.given == null
  }

  # The KMS keys of each bucket.
  upload_validate_bucket_keys = {
    uploads    = var.upload_validate_upload_kms_key_arns
    published  = var.upload_validate_final_kms_key_arns
    quarantine = var.upload_validate_quarantine_kms_key_arns
  }

  # The names of the entries that hold keys, never the keys. An entry may also hold the URL of the webhook. An ARN of Secrets
  # Manager ends with six characters that AWS adds.
  upload_validate_key_names  = compact([for name, value in local.no_keys : value if endswith(name, "_name") || (endswith(name, "_webhook_url") && !startswith(value, "http"))])
  upload_validate_parameters = [for name in local.upload_validate_key_names : trimprefix(trimprefix(name, "ssm:"), "/") if !startswith(name, "secretsmanager:")]
  upload_validate_secrets    = [for name in local.upload_validate_key_names : split("#", trimprefix(name, "secretsmanager:"))[0] if startswith(name, "secretsmanager:")]

  # SES can have verified the sender's address or its domain.
  upload_validate_sender         = try(coalesce(var.upload_validate_sender_email, var.upload_validate_error_report_email), "")
  upload_validate_identities     = var.upload_validate_error_report_email == null ? [] : [local.upload_validate_sender, element(split("@", local.upload_validate_sender), 1)]
  upload_validate_schema_buckets = [for address in regexall("^s3://([^/]+)/", var.upload_validate_table_schema) : address[0]]
  upload_validate_schema_arn     = [for address in regexall("^s3://(.+)$", var.upload_validate_table_schema) : "arn:${local.partition}:s3:::${address[0]}"]
}

# The buckets for uploads, published files and quarantine, unless existing buckets are set.
module "upload_validate_bucket" {
  source   = "./modules/private_bucket"
  for_each = local.upload_validate_buckets

  name              = each.value
  partition         = local.partition
  kms_key_arn       = try(local.upload_validate_bucket_keys[each.key][0], var.kms_key_arn)
  disposable        = var.disposable_buckets
  expire_after_days = each.key == "uploads" && var.upload_validate_expire_uploads_after_days > 0 ? var.upload_validate_expire_uploads_after_days : null
}

# Records the checks and reports that are done, so that a repeated delivery does not send a report twice.
resource "aws_dynamodb_table" "upload_validate" {
  #checkov:skip=CKV_AWS_119:Encrypted with kms_key_arn if it is set, else with a key that AWS owns
  count = var.upload_validate_enabled ? 1 : 0

  name         = local.upload_validate_table
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }

  # No event is delivered again a year after its report.
  ttl {
    attribute_name = "expiration"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }
}

# The sender of the e-mails. A person must follow the link that SES sends to this address.
resource "aws_ses_email_identity" "upload_validate" {
  count = var.upload_validate_enabled && var.upload_validate_ses_identity_enabled ? 1 : 0

  email = local.upload_validate_sender
}

# S3 does not repeat a notification that its target refused. The queue keeps each one until its work is done, and delays it
# so that a set can settle.
module "upload_validate_queue" {
  source = "./modules/work_queue"
  count  = var.upload_validate_enabled ? 1 : 0

  name                     = "${var.name_prefix}-upload-validate"
  partition                = local.partition
  region                   = local.region
  account_id               = local.account_id
  function_timeout_seconds = var.upload_validate_timeout_seconds
  delay_seconds            = var.upload_validate_settle_seconds
  sender                   = { service = "s3.amazonaws.com", source_arn = local.upload_validate_upload_arn }
  kms_key_arn              = var.kms_key_arn
  alarm_topic_arn          = var.alarm_topic_arn
}

# Every way to create an object: put, post, copy, completed multipart upload.
resource "aws_s3_bucket_notification" "upload_validate" {
  count = var.upload_validate_enabled && var.upload_validate_manage_notification ? 1 : 0

  bucket = var.upload_validate_upload_bucket == null ? module.upload_validate_bucket["uploads"].name : var.upload_validate_upload_bucket

  queue {
    id        = "${var.name_prefix}-upload-validate"
    queue_arn = module.upload_validate_queue[0].arn
    events    = ["s3:ObjectCreated:*"]
  }
}

# The function that checks, publishes and reports.
module "upload_validate" {
  source = "./modules/lambda_task"
  count  = var.upload_validate_enabled ? 1 : 0

  name                  = "${var.name_prefix}-upload-validate"
  description           = "Checks uploaded file sets, publishes valid ones, and sends each report once."
  handler               = "tasks.upload_validate.handler.handler"
  package               = local.packages["upload_validate"]
  defaults              = local.function_defaults
  region                = local.region
  account_id            = local.account_id
  memory_mb             = var.upload_validate_memory_mb
  timeout_seconds       = var.upload_validate_timeout_seconds
  reserved_concurrency  = var.upload_validate_reserved_concurrency
  dead_letter_queue_arn = module.upload_validate_queue[0].dead_letter_queue_arn

  queue = {
    arn                 = module.upload_validate_queue[0].arn
    batch_size          = var.upload_validate_batch_size
    maximum_concurrency = var.upload_validate_maximum_concurrency
  }

  failures = {
    service     = "upload_validate"
    of          = "sets"
    description = "Sets could not be checked, or reports could not be sent."
  }

  environment = {
    TEMP_BUCKET_NAME       = local.upload_validate_upload_bucket
    FINAL_BUCKET_NAME      = local.upload_validate_final_bucket
    BUCKET_OWNERS          = local.upload_validate_owners_json
    QUARANTINE_BUCKET_NAME = local.upload_validate_quarantine_bucket == null ? "" : local.upload_validate_quarantine_bucket
    SUPERSEDED_FILES       = var.upload_validate_superseded_files
    OUTCOMES_TABLE         = aws_dynamodb_table.upload_validate[0].name
    PROFILE                = var.upload_validate_profile
    TABLE_SCHEMA           = var.upload_validate_table_schema
    ERROR_LIMIT            = tostring(var.upload_validate_error_limit)
    FILE_LIMIT             = tostring(var.upload_validate_file_limit)
    GITHUB_REPO            = var.upload_validate_github_repo
    GITHUB_API_URL         = local.no_keys.upload_validate_github_api_url
    GITHUB_API_KEY         = local.no_keys.upload_validate_github_key_name
    COUNCIL_API_URL        = local.no_keys.upload_validate_council_api_url
    WDIV_WEBHOOK_URL       = local.no_keys.upload_validate_webhook_url
    WDIV_API_KEY           = local.no_keys.upload_validate_webhook_key_name
    ERROR_REPORT_EMAIL     = var.upload_validate_error_report_email == null ? "" : var.upload_validate_error_report_email
    SENDER_EMAIL           = local.upload_validate_sender
    SENTRY_DSN             = local.no_keys.upload_validate_sentry_dsn_name
    DIRECT_REQUESTS        = var.upload_validate_direct_requests ? "on" : "off"
    WORK_QUEUE             = module.upload_validate_queue[0].url
    DEAD_LETTER_QUEUE      = module.upload_validate_queue[0].dead_letter_queue_url
    MAX_RECEIVES           = tostring(module.upload_validate_queue[0].max_receive_count)
    LOGGING_LEVEL          = var.logging_level
    DEPLOYMENT             = var.name_prefix
  }

  bucket_keys = {
    read  = var.upload_validate_upload_kms_key_arns
    write = concat(var.upload_validate_final_kms_key_arns, var.upload_validate_quarantine_kms_key_arns)
  }

  # ListBucket lists the files of a set. With it, S3 also answers 404 for a missing key, and not 403.
  permissions = merge(
    {
      FindObjects = {
        actions   = ["s3:ListBucket"]
        resources = concat([local.upload_validate_upload_arn], local.upload_validate_written_arns)
        condition = local.owned.uploads_and_published
      }
      # A multipart copy first aborts the uploads that a killed invocation left open.
      FindOpenUploads = {
        actions   = ["s3:ListBucketMultipartUploads"]
        resources = local.upload_validate_written_arns
        condition = local.owned.published
      }
      ReadUploads = {
        actions = [
          "s3:GetObject", "s3:GetObjectTagging",
          "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
        ]
        resources = ["${local.upload_validate_upload_arn}/*"]
        condition = local.owned.sources
      }
      CompareAndPublish = {
        actions = [
          "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectTagging", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging",
          "s3:PutObjectVersionTagging",
          "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
          "s3:PutObjectAnnotation", "s3:PutObjectVersionAnnotation",
        ]
        resources = [for arn in local.upload_validate_written_arns : "${arn}/*"]
        condition = local.owned.published
      }
      RememberOutcomes = {
        actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        resources = [local.upload_validate_table_arn]
      }
      # The function replaces a message that failed often by a copy, so that the message does not reach its maximum receives.
      RenewWork = {
        actions   = ["sqs:SendMessage"]
        resources = [module.upload_validate_queue[0].arn]
      }
    },
    var.upload_validate_superseded_files == "keep" ? {} : { RemoveSuperseded = {
      actions   = ["s3:DeleteObject"]
      resources = [for arn in local.upload_validate_written_arns : "${arn}/*"]
      condition = local.owned.published
    } },
    length(local.upload_validate_identities) == 0 ? {} : { SendMail = {
      actions   = ["ses:SendRawEmail"]
      resources = [for identity in local.upload_validate_identities : "arn:${local.partition}:ses:${local.region}:${local.account_id}:identity/${identity}"]
    } },
    length(local.upload_validate_parameters) == 0 ? {} : { ReadParameters = {
      actions   = ["ssm:GetParameter"]
      resources = [for name in local.upload_validate_parameters : "arn:${local.partition}:ssm:${local.region}:${local.account_id}:parameter/${name}"]
    } },
    length(local.upload_validate_secrets) == 0 ? {} : { ReadSecrets = {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [for name in local.upload_validate_secrets : "arn:${local.partition}:secretsmanager:${local.region}:${local.account_id}:secret:${name}-??????"]
    } },
    length(local.upload_validate_schema_arn) == 0 ? {} : { ReadTableSchema = {
      actions   = ["s3:GetObject"]
      resources = local.upload_validate_schema_arn
      condition = local.owned.table_schema
    } },
  )
}
