# partition_replicate: whatever happens to an object of the source bucket happens to its mirror in another partition.
#
#   source bucket --EventBridge--> enqueue --> FIFO queue --> replicate --> destination bucket
#                        |            |             |             |  |
#                        +--> undelivered events    +-------------+  +-- table
#                                                   |
#                                                   +--> dead-letter queue
#
#   replicate --an answer was lost--> recheck queue --15 minutes later--> enqueue
#
# Who the function is at the destination is in partition_replicate_identity.tf.

# Where the mirror lives.
data "aws_partition" "destination" {
  provider = aws.destination
  count    = var.partition_replicate_enabled ? 1 : 0
}

data "aws_region" "destination" {
  provider = aws.destination
  count    = var.partition_replicate_enabled ? 1 : 0
}

locals {
  partition_replicate_name = "${var.name_prefix}-partition-replicate"

  # A task that is off has no source, and nothing is known of its destination.
  partition_replicate_source_bucket  = var.partition_replicate_source_bucket == null ? "" : var.partition_replicate_source_bucket
  partition_replicate_dest_bucket    = coalesce(var.partition_replicate_destination_bucket, "${local.bucket_prefix}-mirror")
  partition_replicate_dest_partition = try(data.aws_partition.destination[0].partition, "")
  partition_replicate_dest_region    = try(data.aws_region.destination[0].id, "")

  partition_replicate_source_arn = "arn:${local.partition}:s3:::${local.partition_replicate_source_bucket}"
  partition_replicate_dest_arn   = "arn:${local.partition_replicate_dest_partition}:s3:::${local.partition_replicate_dest_bucket}"

  # Unset, the task looks for itself whether both buckets keep versions, and so it may need what `all` needs.
  partition_replicate_all_versions = var.partition_replicate_versions != "current"

  # What every version of a key takes beyond what its newest state does. DeleteObjectVersion: a delete marker that hides
  # what should be seen is removed by its version id, and IAM knows no difference between markers and versions.
  partition_replicate_on_versions = {
    list   = local.partition_replicate_all_versions ? ["s3:GetBucketVersioning", "s3:ListBucketVersions"] : []
    source = local.partition_replicate_all_versions ? ["s3:GetObjectVersionTagging"] : []
    mirror = local.partition_replicate_all_versions ? ["s3:DeleteObjectVersion", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"] : []
    table  = local.partition_replicate_all_versions ? ["dynamodb:Query"] : []
  }

  # What annotations take: a request that names a version has actions of its own.
  partition_replicate_annotations = var.partition_replicate_annotations == "carry"
  partition_replicate_on_annotations = {
    source = local.partition_replicate_annotations ? [
      "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
    ] : []
    mirror = local.partition_replicate_annotations ? [
      "s3:DeleteObjectAnnotation", "s3:DeleteObjectVersionAnnotation", "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation",
      "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations", "s3:PutObjectAnnotation", "s3:PutObjectVersionAnnotation",
    ] : []
    events = local.partition_replicate_annotations ? ["Object Annotation Created", "Object Annotation Removed"] : []
  }

  partition_replicate_enqueue_timeout_seconds = 30

  # The on-failure destination of an asynchronous invocation, and a rule's dead letters, cannot be FIFO.
  partition_replicate_undelivered_name = "${local.partition_replicate_name}-undelivered"
  partition_replicate_undelivered_arn  = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.partition_replicate_undelivered_name}"
}

# Where the mirror lies, unless a bucket is given.
module "partition_replicate_destination_bucket" {
  source = "./modules/private_bucket"
  count  = local.partition_replicate_on_aws && var.partition_replicate_destination_bucket == null ? 1 : 0

  providers = { aws = aws.destination }

  name        = local.partition_replicate_dest_bucket
  partition   = local.partition_replicate_dest_partition
  kms_key_arn = var.partition_replicate_destination_kms_key_arn
  disposable  = var.disposable_buckets
}

# S3 tells EventBridge of everything; the rule takes what changes an object. It is switched on last, when there is a way
# for events to go; even then it takes effect about five minutes later (S3 User Guide, "Enabling Amazon EventBridge").
resource "aws_s3_bucket_notification" "partition_replicate" {
  count = var.partition_replicate_enabled && var.partition_replicate_manage_notification ? 1 : 0

  bucket      = local.partition_replicate_source_bucket
  eventbridge = true

  depends_on = [
    aws_cloudwatch_event_target.partition_replicate,
    aws_lambda_permission.partition_replicate,
    aws_sqs_queue.partition_replicate_undelivered,
    module.partition_replicate_queue,
  ]
}

# `aws.s3` is a source that nobody but AWS can send from.
resource "aws_cloudwatch_event_rule" "partition_replicate" {
  count = var.partition_replicate_enabled ? 1 : 0

  name        = local.partition_replicate_name
  description = "Changes of objects that are mirrored to another partition."

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = concat(["Object Created", "Object Deleted", "Object Tags Added", "Object Tags Deleted"], local.partition_replicate_on_annotations.events)
    detail = merge(
      { bucket = { name = [local.partition_replicate_source_bucket] } },
      length(var.partition_replicate_prefixes) == 0 ? {} : {
        object = { key = [for prefix in var.partition_replicate_prefixes : { prefix = prefix }] }
      },
    )
  })
}

# EventBridge tries for a day, and then keeps the event where it can be seen.
resource "aws_cloudwatch_event_target" "partition_replicate" {
  count = var.partition_replicate_enabled ? 1 : 0

  rule = aws_cloudwatch_event_rule.partition_replicate[0].name
  arn  = module.partition_replicate_enqueue[0].function_arn

  dead_letter_config {
    arn = aws_sqs_queue.partition_replicate_undelivered[0].arn
  }
}

# Only this rule may set the function off. Its ARN names the account too; with a source account beside it EventBridge may be
# unable to invoke (EventBridge User Guide, Troubleshooting, "Your rule ran but your Lambda function was not invoked").
resource "aws_lambda_permission" "partition_replicate" {
  count = var.partition_replicate_enabled ? 1 : 0

  statement_id  = "AllowRule"
  action        = "lambda:InvokeFunction"
  function_name = module.partition_replicate_enqueue[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.partition_replicate[0].arn
}

# Events that did not get into the FIFO queue: EventBridge could not invoke, or the function failed three times.
resource "aws_sqs_queue" "partition_replicate_undelivered" {
  count = var.partition_replicate_enabled ? 1 : 0

  name                      = local.partition_replicate_undelivered_name
  message_retention_seconds = 14 * 24 * 60 * 60 # the most that SQS keeps
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.partition_replicate_undelivered_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AllowRule"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.partition_replicate_undelivered_arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.partition_replicate[0].arn } }
      },
    ]
  })
}

# One group a key: order within it, as many side by side as there are keys.
module "partition_replicate_queue" {
  source = "./modules/work_queue"
  count  = var.partition_replicate_enabled ? 1 : 0

  name                     = local.partition_replicate_name
  partition                = local.partition
  region                   = local.region
  account_id               = local.account_id
  function_timeout_seconds = var.partition_replicate_timeout_seconds
  fifo                     = true
  kms_key_arn              = var.kms_key_arn
  alarm_topic_arn          = var.alarm_topic_arn
}

# Keys that are looked at again, because a server may still hold a write whose answer was lost. The delay is the longest
# that SQS has, and the bound on which convergence rests: no server carries out a request later than that. A FIFO queue
# cannot delay a single message (SQS Developer Guide, "Amazon SQS message timers").
module "partition_replicate_recheck_queue" {
  source = "./modules/work_queue"
  count  = var.partition_replicate_enabled ? 1 : 0

  name                     = "${local.partition_replicate_name}-recheck"
  partition                = local.partition
  region                   = local.region
  account_id               = local.account_id
  function_timeout_seconds = local.partition_replicate_enqueue_timeout_seconds
  delay_seconds            = 900
  kms_key_arn              = var.kms_key_arn
  alarm_topic_arn          = var.alarm_topic_arn
}

# What the destination was made from. It can be lost: the next event of a key then costs a look, or a copy, more.
resource "aws_dynamodb_table" "partition_replicate" {
  count = var.partition_replicate_enabled ? 1 : 0

  #checkov:skip=CKV_AWS_119:Encrypted by AWS's own key unless one is given
  name         = local.partition_replicate_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "Key"
  range_key    = "VersionId"

  attribute {
    name = "Key"
    type = "S"
  }

  attribute {
    name = "VersionId"
    type = "S"
  }

  # Removals need not be remembered for longer than a message about the key can exist.
  ttl {
    attribute_name = "ExpiresAt"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

# From EventBridge into the queue, and from the recheck queue.
module "partition_replicate_enqueue" {
  source = "./modules/lambda_task"
  count  = var.partition_replicate_enabled ? 1 : 0

  name                  = "${local.partition_replicate_name}-enqueue"
  description           = "Puts changes of S3 objects into the FIFO queue, in the group of their key."
  handler               = "tasks.partition_replicate.handler.enqueue"
  package               = local.packages["partition_replicate"]
  defaults              = local.function_defaults
  region                = local.region
  account_id            = local.account_id
  memory_mb             = 256
  timeout_seconds       = local.partition_replicate_enqueue_timeout_seconds
  dead_letter_queue_arn = local.partition_replicate_undelivered_arn

  environment = {
    SOURCE_BUCKET     = local.partition_replicate_source_bucket
    OBJECTS_QUEUE     = module.partition_replicate_queue[0].url
    RECHECK_QUEUE     = module.partition_replicate_recheck_queue[0].url
    DEAD_LETTER_QUEUE = module.partition_replicate_recheck_queue[0].dead_letter_queue_url
    MAX_RECEIVES      = tostring(module.partition_replicate_recheck_queue[0].max_receive_count)
    LOGGING_LEVEL     = var.logging_level
  }

  queue = {
    arn                 = module.partition_replicate_recheck_queue[0].arn
    batch_size          = 10
    maximum_concurrency = 2 # the least that Lambda takes; each batch is one request to SQS for each message
  }

  permissions = {
    SendWork = {
      actions   = ["sqs:SendMessage"]
      resources = [module.partition_replicate_queue[0].arn]
    }
    RenewOrGiveUp = {
      actions   = ["sqs:SendMessage"]
      resources = [module.partition_replicate_recheck_queue[0].arn, module.partition_replicate_recheck_queue[0].dead_letter_queue_arn]
    }
  }

  # Lambda looks at once whether the on-failure destination is there.
  depends_on = [aws_sqs_queue.partition_replicate_undelivered]
}

# From the queue to the destination.
module "partition_replicate" {
  source = "./modules/lambda_task"
  count  = var.partition_replicate_enabled ? 1 : 0

  name                  = local.partition_replicate_name
  description           = "Mirrors S3 objects to a bucket in another partition."
  handler               = "tasks.partition_replicate.handler.replicate"
  package               = local.packages["partition_replicate"]
  defaults              = local.function_defaults
  region                = local.region
  account_id            = local.account_id
  memory_mb             = var.partition_replicate_memory_mb
  timeout_seconds       = var.partition_replicate_timeout_seconds
  continues             = true # an object that does not fit into one invocation
  bucket_keys           = { read = var.partition_replicate_source_kms_key_arns }
  dead_letter_queue_arn = local.partition_replicate_undelivered_arn

  failures = {
    service     = "partition_replicate"
    of          = "objects"
    description = "Objects could not be mirrored."
  }

  environment = {
    SOURCE_BUCKET         = local.partition_replicate_source_bucket
    DEST_BUCKET           = local.partition_replicate_dest_bucket
    BUCKET_OWNERS         = local.partition_replicate_owners_json
    DEST_BUCKET_REGION    = local.partition_replicate_dest_region
    DEST_ROLE_ARN         = try(aws_iam_role.partition_replicate_destination[0].arn, "")
    DEST_TOKEN_AUDIENCE   = local.partition_replicate_federated ? var.partition_replicate_token_audience : ""
    DEST_SECRET           = try(aws_secretsmanager_secret.partition_replicate[0].arn, "")
    DEST_KMS_KEY          = var.partition_replicate_destination_kms_key_arn == null ? "" : var.partition_replicate_destination_kms_key_arn
    DEST_ENDPOINT_URL     = local.no_keys.partition_replicate_destination_endpoint_url
    OBJECTS_QUEUE         = module.partition_replicate_queue[0].url
    RECHECK_QUEUE         = module.partition_replicate_recheck_queue[0].url
    OBJECTS_TABLE         = aws_dynamodb_table.partition_replicate[0].name
    VERSIONS              = var.partition_replicate_versions == null ? "" : var.partition_replicate_versions
    DELETES               = var.partition_replicate_deletes
    VERSION_DELETES       = var.partition_replicate_version_deletes
    ANNOTATIONS           = var.partition_replicate_annotations
    REPLICATE_CONCURRENCY = "10" # every group of a batch at once
    TRANSFER_MEMORY_MB    = tostring(floor(var.partition_replicate_memory_mb / 2))
    DEAD_LETTER_QUEUE     = module.partition_replicate_queue[0].dead_letter_queue_url
    MAX_RECEIVES          = tostring(module.partition_replicate_queue[0].max_receive_count)
    LOGGING_LEVEL         = var.logging_level
  }

  queue = {
    arn                 = module.partition_replicate_queue[0].arn
    batch_size          = 10 # the most that Lambda takes from a FIFO queue
    maximum_concurrency = var.partition_replicate_maximum_concurrency
  }

  permissions = merge({
    FindObjects = {
      actions   = concat(["s3:ListBucket"], local.partition_replicate_on_versions.list)
      resources = [local.partition_replicate_source_arn]
      condition = local.owned.sources
    }
    ReadSource = {
      actions   = concat(["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"], local.partition_replicate_on_versions.source, local.partition_replicate_on_annotations.source)
      resources = ["${local.partition_replicate_source_arn}/*"]
      condition = local.owned.sources
    }
    # A transaction needs what its parts need, which is PutItem.
    Remember = {
      actions   = concat(["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"], local.partition_replicate_on_versions.table)
      resources = [aws_dynamodb_table.partition_replicate[0].arn]
    }
    CarryOnOrGiveUp = {
      actions   = ["sqs:SendMessage"]
      resources = [module.partition_replicate_queue[0].arn, module.partition_replicate_queue[0].dead_letter_queue_arn]
    }
    LookAgainLater = {
      actions   = ["sqs:SendMessage"]
      resources = [module.partition_replicate_recheck_queue[0].arn]
    }
    },
    { for role in aws_iam_role.partition_replicate_destination : "AskForToken" => local.partition_replicate_token_permission },
    { for secret in aws_secretsmanager_secret.partition_replicate : "ReadSecret" => {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [secret.arn]
    } },
  )

  depends_on = [aws_sqs_queue.partition_replicate_undelivered]
}

# How far the mirror lags behind: the age of the oldest event that waits in the queue or was worked on, done or not.
# The queue's age alone forgets a message that was received thrice; the function's tells nothing while it does not run.
resource "aws_cloudwatch_metric_alarm" "partition_replicate_lag" {
  count = var.partition_replicate_enabled ? 1 : 0

  alarm_name          = "${local.partition_replicate_name}-lag"
  alarm_description   = "The mirror lags behind the source by more than is allowed: raise the concurrency, or see why events are tried again."
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.partition_replicate_lag_alarm_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])

  metric_query {
    id          = "lag"
    label       = "Age of the oldest event that is not replicated, in seconds"
    expression  = "MAX([FILL(waiting, 0), FILL(worked_on, 0)])"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = "${local.partition_replicate_name}.fifo" }
      stat        = "Maximum"
      period      = 300
    }
  }

  metric_query {
    id = "worked_on"

    metric {
      namespace   = "BucketBrigade"
      metric_name = "EventAge"
      dimensions  = { service = "partition_replicate", function_name = module.partition_replicate[0].function_name }
      stat        = "Maximum"
      period      = 300
    }
  }
}

# More waits than half of what a FIFO queue looks through for a group that is free (120,000 messages).
resource "aws_cloudwatch_metric_alarm" "partition_replicate_depth" {
  count = var.partition_replicate_enabled ? 1 : 0

  alarm_name          = "${local.partition_replicate_name}-depth"
  alarm_description   = "So many messages wait that some groups may soon be overlooked: raise the concurrency."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = "${local.partition_replicate_name}.fifo" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 60000
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}

# An event that never got into the queue is a change that is not mirrored unless a person acts.
resource "aws_cloudwatch_metric_alarm" "partition_replicate_undelivered" {
  count = var.partition_replicate_enabled ? 1 : 0

  alarm_name          = "${local.partition_replicate_undelivered_name}-present"
  alarm_description   = "Events did not get into the FIFO queue: invoke the enqueue function with each once the cause is mended."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.partition_replicate_undelivered[0].name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}
