# upload_validate: a set of files uploaded to a bucket is checked, published or refused, and people are told once.
#
#   upload bucket --ObjectCreated:*--> queue --> function --> final bucket, quarantine bucket
#                                        |          |-------> GitHub issue, SES e-mail, webhook
#                                        |          |-------> table of what was done
#                                        +--> dead-letter queue

locals {
  upload_validate_upload_bucket     = coalesce(var.upload_validate_upload_bucket, "${local.bucket_prefix}-uploads")
  upload_validate_final_bucket      = coalesce(var.upload_validate_final_bucket, "${local.bucket_prefix}-published")
  upload_validate_quarantine_bucket = var.upload_validate_quarantine_enabled ? coalesce(var.upload_validate_quarantine_bucket, "${local.bucket_prefix}-quarantine") : null
  upload_validate_table             = "${var.name_prefix}-upload-validate-outcomes"

  upload_validate_written_buckets = compact([local.upload_validate_final_bucket, local.upload_validate_quarantine_bucket])

  upload_validate_upload_arn   = "arn:${local.partition}:s3:::${local.upload_validate_upload_bucket}"
  upload_validate_written_arns = [for bucket in local.upload_validate_written_buckets : "arn:${local.partition}:s3:::${bucket}"]
  upload_validate_table_arn    = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.upload_validate_table}"

  # The buckets that are made here: by what they are for, whether a bucket is given.
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

  # Where the keys are, never what they are. The webhook's address may be in an entry, too. Secrets Manager ends its ARNs with six characters of its own.
  upload_validate_key_names  = compact([for name, value in local.no_keys : value if endswith(name, "_name") || (endswith(name, "_webhook_url") && !startswith(value, "http"))])
  upload_validate_parameters = [for name in local.upload_validate_key_names : trimprefix(trimprefix(name, "ssm:"), "/") if !startswith(name, "secretsmanager:")]
  upload_validate_secrets    = [for name in local.upload_validate_key_names : split("#", trimprefix(name, "secretsmanager:"))[0] if startswith(name, "secretsmanager:")]

  # A sender is known to SES by its address or by its domain.
  upload_validate_sender         = try(coalesce(var.upload_validate_sender_email, var.upload_validate_error_report_email), "")
  upload_validate_identities     = var.upload_validate_error_report_email == null ? [] : [local.upload_validate_sender, element(split("@", local.upload_validate_sender), 1)]
  upload_validate_schema_buckets = [for address in regexall("^s3://([^/]+)/", var.upload_validate_table_schema) : address[0]]
  upload_validate_schema_arn     = [for address in regexall("^s3://(.+)$", var.upload_validate_table_schema) : "arn:${local.partition}:s3:::${address[0]}"]
}

# Where files are uploaded, published and put aside, unless such buckets are given.
module "upload_validate_bucket" {
  source   = "./modules/private_bucket"
  for_each = local.upload_validate_buckets

  name              = each.value
  partition         = local.partition
  kms_key_arn       = try(local.upload_validate_bucket_keys[each.key][0], var.kms_key_arn)
  disposable        = var.disposable_buckets
  expire_after_days = each.key == "uploads" && var.upload_validate_expire_uploads_after_days > 0 ? var.upload_validate_expire_uploads_after_days : null
}

# What was judged and told already, so that a second delivery tells nobody twice.
resource "aws_dynamodb_table" "upload_validate" {
  #checkov:skip=CKV_AWS_119:Under the deployment's key where one is given, else under DynamoDB's own
  count = var.upload_validate_enabled ? 1 : 0

  name         = local.upload_validate_table
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }

  # A year after it was told, nobody delivers it again.
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

# The address that e-mails come from; somebody has to follow the link that SES sends there.
resource "aws_ses_email_identity" "upload_validate" {
  count = var.upload_validate_enabled && var.upload_validate_ses_identity_enabled ? 1 : 0

  email = local.upload_validate_sender
}

# S3 forgets a notification that its target did not take; the queue keeps it until it is done, and lets a set settle.
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

# Every way in which an object comes to be: put, posted, copied, completed.
resource "aws_s3_bucket_notification" "upload_validate" {
  count = var.upload_validate_enabled && var.upload_validate_manage_notification ? 1 : 0

  bucket = var.upload_validate_upload_bucket == null ? module.upload_validate_bucket["uploads"].name : var.upload_validate_upload_bucket

  queue {
    id        = "${var.name_prefix}-upload-validate"
    queue_arn = module.upload_validate_queue[0].arn
    events    = ["s3:ObjectCreated:*"]
  }
}

# The function that checks, publishes and tells.
module "upload_validate" {
  source = "./modules/lambda_task"
  count  = var.upload_validate_enabled ? 1 : 0

  name                  = "${var.name_prefix}-upload-validate"
  description           = "Checks uploaded file sets, publishes those that are right, and tells people once."
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
    description = "Sets could not be judged, or somebody could not be told."
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
    WORK_QUEUE             = module.upload_validate_queue[0].url
    DEAD_LETTER_QUEUE      = module.upload_validate_queue[0].dead_letter_queue_url
    MAX_RECEIVES           = tostring(module.upload_validate_queue[0].max_receive_count)
    LOGGING_LEVEL          = var.logging_level
  }

  bucket_keys = {
    read  = var.upload_validate_upload_kms_key_arns
    write = concat(var.upload_validate_final_kms_key_arns, var.upload_validate_quarantine_kms_key_arns)
  }

  # ListBucket is how a set is found; it also makes S3 answer 404 for a key that is not there, and not 403.
  permissions = merge(
    {
      FindObjects = {
        actions   = ["s3:ListBucket"]
        resources = concat([local.upload_validate_upload_arn], local.upload_validate_written_arns)
        condition = local.owned.uploads_and_published
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
          "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
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
      # A message that has failed often is replaced by a copy of itself, so that it does not use its receives up.
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
