# partition_replicate: repeats every change of an object in the source bucket on its mirror in another partition.
#
#   source bucket --EventBridge--> enqueue --> FIFO queue --> replicate --> destination bucket
#                        |            |             |             |  |
#                        +--> undelivered events    +-------------+  +-- table
#                                                   |
#                                                   +--> dead-letter queue
#
#   replicate --lost answer--> recheck queue --15 minutes later--> enqueue
#
# The function's identity at the destination is in partition_replicate_identity.tf.

# Partition and region of the mirror.
data "aws_partition" "destination" {
  provider = aws.destination
  count    = var.partition_replicate_enabled ? 1 : 0
}

data "aws_region" "destination" {
  provider = aws.destination
  count    = var.partition_replicate_enabled ? 1 : 0
}

locals {
  # The entry in local.tasks.
  partition_replicate_task = {
    enabled       = var.partition_replicate_enabled
    event_buckets = { partition_replicate_source_bucket = var.partition_replicate_source_bucket }

    name_endings = merge(
      {
        "-partition-replicate-enqueue-${local.region}" = 64 # role
        "-partition-replicate-recheck-dead-letters"    = 80 # queue
      },
      var.partition_replicate_destination_bucket != null ? {} : {
        "-${local.account_id}-${local.region}-mirror" = 63 # bucket
      },
    )

    dashboard = {
      function            = "partition-replicate"
      queue               = "partition-replicate.fifo"
      dead_letter_queues  = ["partition-replicate-dead-letters.fifo", "partition-replicate-recheck-dead-letters", "partition-replicate-undelivered"]
      delayed             = false
      other_functions     = ["partition-replicate-enqueue"]
      written             = ["Copied"]
      lag_seconds         = [var.partition_replicate_lag_alarm_seconds]
      timeout_seconds     = var.partition_replicate_timeout_seconds
      memory_mb           = var.partition_replicate_memory_mb
      maximum_concurrency = var.partition_replicate_maximum_concurrency
    }
  }

  partition_replicate_name = "${var.name_prefix}-partition-replicate"

  # A disabled task has no source and no known destination.
  partition_replicate_source_bucket  = var.partition_replicate_source_bucket == null ? "" : var.partition_replicate_source_bucket
  partition_replicate_dest_bucket    = coalesce(var.partition_replicate_destination_bucket, "${local.bucket_prefix}-mirror")
  partition_replicate_dest_partition = try(data.aws_partition.destination[0].partition, "")
  partition_replicate_dest_region    = try(data.aws_region.destination[0].id, "")

  partition_replicate_source_arn = "arn:${local.partition}:s3:::${local.partition_replicate_source_bucket}"
  partition_replicate_dest_arn   = "arn:${local.partition_replicate_dest_partition}:s3:::${local.partition_replicate_dest_bucket}"

  # If the variable is null, the task checks whether both buckets keep versions, so it may need the permissions of `all`.
  partition_replicate_all_versions = var.partition_replicate_versions != "current"

  # Permissions to mirror all versions of a key, beyond those for the current one. DeleteObjectVersion: the task removes a
  # delete marker that hides the current object by its version ID, and IAM does not distinguish markers from versions.
  partition_replicate_on_versions = {
    list   = local.partition_replicate_all_versions ? ["s3:GetBucketVersioning", "s3:ListBucketVersions"] : []
    source = local.partition_replicate_all_versions ? ["s3:GetObjectVersionTagging"] : []
    mirror = local.partition_replicate_all_versions ? ["s3:DeleteObjectVersion", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"] : []
    table  = local.partition_replicate_all_versions ? ["dynamodb:Query"] : []
  }

  # Permissions for annotations. A request that names a version needs separate actions.
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

  # Neither the on-failure destination of an asynchronous invocation nor a rule's dead-letter queue can be FIFO.
  partition_replicate_undelivered_name = "${local.partition_replicate_name}-undelivered"
  partition_replicate_undelivered_arn  = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.partition_replicate_undelivered_name}"
}

# The bucket of the mirror, unless an existing bucket is set.
module "partition_replicate_destination_bucket" {
  source = "./modules/private_bucket"
  count  = local.partition_replicate_on_aws && var.partition_replicate_destination_bucket == null ? 1 : 0

  providers = { aws = aws.destination }

  name        = local.partition_replicate_dest_bucket
  partition   = local.partition_replicate_dest_partition
  kms_key_arn = var.partition_replicate_destination_kms_key_arn
  disposable  = var.disposable_buckets
}

# S3 sends all events to EventBridge; the rule selects those that change an object. Terraform enables this last, when the
# rest of the path exists. It takes effect about five minutes later (S3 User Guide, "Enabling Amazon EventBridge").
resource "aws_s3_bucket_notification" "partition_replicate" {
  count = var.partition_replicate_enabled && var.partition_replicate_manage_notification ? 1 : 0

  bucket      = local.partition_replicate_source_bucket
  eventbridge = true

  depends_on = [
    aws_cloudwatch_event_target.partition_replicate,
    aws_lambda_permission.partition_replicate,
    aws_sqs_queue.partition_replicate_undelivered,
    module.partition_replicate,
  ]
}

# Selects changes of mirrored objects. Only AWS can send events with the source `aws.s3`.
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

# EventBridge retries for a day and then sends the event to the queue of undelivered events.
resource "aws_cloudwatch_event_target" "partition_replicate" {
  count = var.partition_replicate_enabled ? 1 : 0

  rule = aws_cloudwatch_event_rule.partition_replicate[0].name
  arn  = module.partition_replicate_enqueue[0].function_arn

  dead_letter_config {
    arn = aws_sqs_queue.partition_replicate_undelivered[0].arn
  }
}

# Only this rule may invoke the function. The rule's ARN contains the account. An additional source account may stop
# EventBridge from invoking the function (EventBridge User Guide, Troubleshooting, "Your rule ran but your Lambda function
# was not invoked").
resource "aws_lambda_permission" "partition_replicate" {
  count = var.partition_replicate_enabled ? 1 : 0

  statement_id  = "AllowRule"
  action        = "lambda:InvokeFunction"
  function_name = module.partition_replicate_enqueue[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.partition_replicate[0].arn
}

# Events that did not reach the FIFO queue: EventBridge could not invoke the function, or the function failed three times.
resource "aws_sqs_queue" "partition_replicate_undelivered" {
  count = var.partition_replicate_enabled ? 1 : 0

  name                      = local.partition_replicate_undelivered_name
  message_retention_seconds = 14 * 24 * 60 * 60 # the maximum of SQS
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

# Each key is a message group: the changes of one key stay in order, and different keys are processed in parallel.
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

# Keys to check again, because a server may still carry out a write whose answer was lost. The delay is the maximum of SQS.
# Convergence assumes that no server carries out a request later than that. This queue is not FIFO, because a FIFO queue
# cannot delay single messages (SQS Developer Guide, "Amazon SQS message timers").
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

# Records which source version each destination object came from. The mirror survives a loss of the table: the next event of
# each key then costs an additional comparison or copy.
resource "aws_dynamodb_table" "partition_replicate" {
  count = var.partition_replicate_enabled ? 1 : 0

  #checkov:skip=CKV_AWS_119:Encrypted with a key that AWS owns unless kms_key_arn is set
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

  # A record of a removal expires once no message about the key can exist any more.
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

# The function that moves events from EventBridge and from the recheck queue into the FIFO queue.
module "partition_replicate_enqueue" {
  source = "./modules/lambda_task"
  count  = var.partition_replicate_enabled ? 1 : 0

  name                  = "${local.partition_replicate_name}-enqueue"
  description           = "Puts changes of S3 objects into the FIFO queue, in the message group of their key."
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
    DEPLOYMENT        = var.name_prefix
  }

  queue = {
    arn                 = module.partition_replicate_recheck_queue[0].arn
    batch_size          = 10
    maximum_concurrency = 2 # the minimum of Lambda; each message of a batch is one request to SQS
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

  # Lambda checks at once that the on-failure destination exists.
  depends_on = [aws_sqs_queue.partition_replicate_undelivered]
}

# The function that repeats the changes in the FIFO queue at the destination.
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
  continues             = true # an object may take more than one invocation
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
    REPLICATE_CONCURRENCY = "10" # all groups of a batch in parallel
    DIRECT_REQUESTS       = var.partition_replicate_direct_requests ? "on" : "off"
    TRANSFER_MEMORY_MB    = tostring(floor(var.partition_replicate_memory_mb / 2))
    DEAD_LETTER_QUEUE     = module.partition_replicate_queue[0].dead_letter_queue_url
    MAX_RECEIVES          = tostring(module.partition_replicate_queue[0].max_receive_count)
    LOGGING_LEVEL         = var.logging_level
    DEPLOYMENT            = var.name_prefix
  }

  queue = {
    arn                 = module.partition_replicate_queue[0].arn
    batch_size          = 10 # the maximum of Lambda for a FIFO queue
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
    # A transaction needs the permissions of its parts: PutItem.
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

# The lag of the mirror: the age of the oldest event that waits in the queue or was processed, with or without success. The
# queue's metric alone leaves out a message that was received three times; the function's has no data while it does not run.
resource "aws_cloudwatch_metric_alarm" "partition_replicate_lag" {
  count = var.partition_replicate_enabled ? 1 : 0

  alarm_name          = "${local.partition_replicate_name}-lag"
  alarm_description   = "The mirror is too far behind the source: raise the concurrency, or find out why events are retried."
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
      dimensions  = { deployment = var.name_prefix, service = "partition_replicate", function_name = module.partition_replicate[0].function_name }
      stat        = "Maximum"
      period      = 300
    }
  }
}

# A FIFO queue searches its first 120,000 messages for a free group. The alarm starts at half of that.
resource "aws_cloudwatch_metric_alarm" "partition_replicate_depth" {
  count = var.partition_replicate_enabled ? 1 : 0

  alarm_name          = "${local.partition_replicate_name}-depth"
  alarm_description   = "So many messages wait that the FIFO queue may soon not find some groups: raise the concurrency."
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

# The change in an undelivered event is not mirrored unless a person acts.
resource "aws_cloudwatch_metric_alarm" "partition_replicate_undelivered" {
  count = var.partition_replicate_enabled ? 1 : 0

  alarm_name          = "${local.partition_replicate_undelivered_name}-present"
  alarm_description   = "Events did not reach the FIFO queue: fix the cause, then invoke the enqueue function with each event."
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
