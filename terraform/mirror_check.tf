# mirror_check: compares both sides of the mirror on a schedule, and repairs what differs if it may.
#
#   EventBridge Scheduler --a run--> FIFO queue --> mirror_check --> both buckets and the table, read only
#                                     |      ^          |
#                                     |      +----------+ the rest of the run
#                                     +--> dead-letter queue     mirror_check --keys that differ--> the mirror's FIFO queue
#
# The mirror itself is in partition_replicate.tf.

locals {
  # The entry in local.tasks.
  mirror_check_task = {
    enabled       = var.mirror_check_enabled
    event_buckets = {}
    name_endings  = { "-mirror-check-schedule-${local.region}" = 64 } # role

    # Its graph is a row of its own.
    dashboard = null
  }

  mirror_check_name = "${var.name_prefix}-mirror-check"

  # SQS takes the same message once within five minutes. A part of a run takes less, so two copies of a run become one again.
  mirror_check_timeout_seconds = 300

  mirror_check_federated = var.mirror_check_enabled && local.partition_replicate_federated

  # Permissions at the destination. With ListBucket, S3 answers 404 for a missing key, not 403.
  mirror_check_dest_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "FindObjects"
          Effect    = "Allow"
          Action    = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
          Resource  = [local.partition_replicate_dest_arn]
          Condition = local.owned.mirror
        },
        {
          Sid       = "CompareObjects"
          Effect    = "Allow"
          Action    = ["s3:GetObject"]
          Resource  = ["${local.partition_replicate_dest_arn}/*"]
          Condition = local.owned.mirror
        },
      ],
      [for arn in var.partition_replicate_destination_kms_key_arn[*] : {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [arn]
      }],
    )
  })
}

# The runs. All messages are in one group, so no two parts of a run are checked at the same time. The message of the schedule
# has no deduplication ID (EventBridge Scheduler API Reference, SqsParameters).
module "mirror_check_queue" {
  source = "./modules/work_queue"
  count  = var.mirror_check_enabled ? 1 : 0

  name                     = local.mirror_check_name
  partition                = local.partition
  region                   = local.region
  account_id               = local.account_id
  function_timeout_seconds = local.mirror_check_timeout_seconds
  fifo                     = true
  content_deduplication    = true
  kms_key_arn              = var.kms_key_arn
  alarm_topic_arn          = var.alarm_topic_arn
}

# The function that checks a part of a run.
module "mirror_check" {
  source = "./modules/lambda_task"
  count  = var.mirror_check_enabled ? 1 : 0

  name            = local.mirror_check_name
  description     = "Compares both sides of a mirror."
  handler         = "tasks.mirror_check.handler.check"
  package         = local.packages["mirror_check"]
  defaults        = local.function_defaults
  region          = local.region
  account_id      = local.account_id
  memory_mb       = var.mirror_check_memory_mb
  timeout_seconds = local.mirror_check_timeout_seconds
  continues       = true # a bucket may take more than one invocation
  bucket_keys     = { read = var.partition_replicate_source_kms_key_arns }

  # Only a person invokes the function asynchronously. The on-failure destination cannot be a FIFO queue.
  dead_letter_queue_arn = local.partition_replicate_undelivered_arn

  failures = {
    service     = "mirror_check"
    of          = "runs"
    description = "A part of a run failed."
  }

  environment = {
    SOURCE_BUCKET              = local.partition_replicate_source_bucket
    DEST_BUCKET                = local.partition_replicate_dest_bucket
    BUCKET_OWNERS              = local.partition_replicate_owners_json
    DEST_BUCKET_REGION         = local.partition_replicate_dest_region
    DEST_ROLE_ARN              = try(aws_iam_role.mirror_check_destination[0].arn, "")
    DEST_TOKEN_AUDIENCE        = local.mirror_check_federated ? var.partition_replicate_token_audience : ""
    DEST_SECRET                = try(aws_secretsmanager_secret.partition_replicate[0].arn, "")
    DEST_ENDPOINT_URL          = local.no_keys.partition_replicate_destination_endpoint_url
    OBJECTS_TABLE              = aws_dynamodb_table.partition_replicate[0].name
    OBJECTS_QUEUE              = module.partition_replicate_queue[0].url
    OBJECTS_DEAD_LETTER_QUEUES = jsonencode([module.partition_replicate_queue[0].dead_letter_queue_url, module.partition_replicate_recheck_queue[0].dead_letter_queue_url, aws_sqs_queue.partition_replicate_undelivered[0].url])
    PREFIXES                   = jsonencode(var.partition_replicate_prefixes)
    DELETES                    = var.partition_replicate_deletes
    LAG_SECONDS                = tostring(var.mirror_check_lag_seconds)
    REPAIR                     = var.mirror_check_repair ? "on" : "off"
    WORK_QUEUE                 = module.mirror_check_queue[0].url
    DEAD_LETTER_QUEUE          = module.mirror_check_queue[0].dead_letter_queue_url
    MAX_RECEIVES               = tostring(module.mirror_check_queue[0].max_receive_count)
    LOGGING_LEVEL              = var.logging_level
    DEPLOYMENT                 = var.name_prefix
  }

  queue = {
    arn                 = module.mirror_check_queue[0].arn
    batch_size          = 1 # a message takes a whole invocation
    maximum_concurrency = 2 # the minimum of Lambda; one group keeps it at one
  }

  permissions = merge({
    FindObjects = {
      actions   = ["s3:ListBucket"]
      resources = [local.partition_replicate_source_arn]
      condition = local.owned.sources
    }
    CompareObjects = {
      actions   = ["s3:GetObject"]
      resources = ["${local.partition_replicate_source_arn}/*"]
      condition = local.owned.sources
    }
    ReadRecords = {
      actions   = ["dynamodb:BatchGetItem"]
      resources = [aws_dynamodb_table.partition_replicate[0].arn]
    }
    CountMessages = {
      actions = ["sqs:GetQueueAttributes"]
      resources = concat(
        [module.partition_replicate_queue[0].arn],
        # Dead letters stop repairs.
        var.mirror_check_repair ? [module.partition_replicate_queue[0].dead_letter_queue_arn, module.partition_replicate_recheck_queue[0].dead_letter_queue_arn, local.partition_replicate_undelivered_arn] : [],
      )
    }
    ContinueOrGiveUp = {
      actions   = ["sqs:SendMessage"]
      resources = [module.mirror_check_queue[0].arn, module.mirror_check_queue[0].dead_letter_queue_arn]
    }
    },
    var.mirror_check_repair ? { Repair = {
      actions   = ["sqs:SendMessage"]
      resources = [module.partition_replicate_queue[0].arn]
    } } : {},
    { for role in aws_iam_role.mirror_check_destination : "AskForToken" => local.partition_replicate_token_permission },
    { for secret in aws_secretsmanager_secret.partition_replicate : "ReadSecret" => {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [secret.arn]
    } },
  )

  depends_on = [aws_sqs_queue.partition_replicate_undelivered]
}

# The role that reads the mirror, for an hour at a time. Only this function's role, the subject of the token, may assume it.
# With an access key, the function uses the mirror's user, so that there is one key to rotate.
resource "aws_iam_role" "mirror_check_destination" {
  provider = aws.destination
  count    = local.mirror_check_federated ? 1 : 0

  name        = "${local.mirror_check_name}-${local.region}"
  description = "Reads the mirror of ${local.partition_replicate_source_bucket}; assumed by the function in partition ${local.partition}."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.partition_replicate_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = { StringEquals = {
        "${local.partition_replicate_issuer}:aud" = var.partition_replicate_token_audience
        "${local.partition_replicate_issuer}:sub" = module.mirror_check[0].role_arn
      } }
    }]
  })
}

# All permissions of the role.
resource "aws_iam_role_policy" "mirror_check_destination" {
  provider = aws.destination
  count    = local.mirror_check_federated ? 1 : 0

  name   = "task"
  role   = aws_iam_role.mirror_check_destination[0].id
  policy = local.mirror_check_dest_policy
}

# A group of its own, because the metrics of EventBridge Scheduler have the group as their only dimension.
resource "aws_scheduler_schedule_group" "mirror_check" {
  count = var.mirror_check_enabled ? 1 : 0

  name = local.mirror_check_name
}

# Starts the runs. EventBridge Scheduler may send a message twice, or again after a failure, but always with the time of the
# run, which names the run.
resource "aws_scheduler_schedule" "mirror_check" {
  count = var.mirror_check_enabled ? 1 : 0

  #checkov:skip=CKV_AWS_297:The schedule holds no data; kms_key_arn encrypts its messages in the queue
  name                = local.mirror_check_name
  description         = "Starts a check of both sides of the mirror."
  group_name          = aws_scheduler_schedule_group.mirror_check[0].name
  schedule_expression = "rate(${60 * var.mirror_check_hours} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.mirror_check_queue[0].arn
    role_arn = aws_iam_role.mirror_check_schedule[0].arn

    # jsonencode would escape the angle brackets, and EventBridge Scheduler replaces only the bare keyword.
    input = "{\"run\": \"<aws.scheduler.scheduled-time>\"}"

    sqs_parameters {
      message_group_id = "runs"
    }
  }

  depends_on = [aws_iam_role_policy.mirror_check_schedule]
}

# The identity of the schedule, which EventBridge Scheduler may assume only for this account.
resource "aws_iam_role" "mirror_check_schedule" {
  count = var.mirror_check_enabled ? 1 : 0

  name = "${local.mirror_check_name}-schedule-${local.region}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

# All permissions of the schedule.
resource "aws_iam_role_policy" "mirror_check_schedule" {
  count = var.mirror_check_enabled ? 1 : 0

  name = "schedule"
  role = aws_iam_role.mirror_check_schedule[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "StartRun"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [module.mirror_check_queue[0].arn]
      }],
      [for arn in var.kms_key_arn[*] : {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [arn]
      }],
    )
  })
}

# Differences in two runs in a row: the first run repairs them if it may, and one run may meet a change on its way. Each run
# writes one value, also 0. CloudWatch evaluates the latest values that it finds, so a run that ends in the next period does
# no harm (CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data").
resource "aws_cloudwatch_metric_alarm" "mirror_check_different" {
  count = var.mirror_check_enabled ? 1 : 0

  alarm_name          = "${local.mirror_check_name}-different"
  alarm_description   = "Both sides of the mirror differed in two checks in a row: the log lines name keys and causes."
  namespace           = "BucketBrigade"
  metric_name         = "Different"
  dimensions          = { deployment = var.name_prefix, service = "mirror_check", function_name = module.mirror_check[0].function_name }
  statistic           = "Maximum"
  period              = 3600 * var.mirror_check_hours
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "ignore"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}

# A run did not start for a day of retries. A FIFO queue cannot be the dead-letter queue of a schedule.
resource "aws_cloudwatch_metric_alarm" "mirror_check_dropped" {
  count = var.mirror_check_enabled ? 1 : 0

  alarm_name          = "${local.mirror_check_name}-dropped"
  alarm_description   = "EventBridge Scheduler could not send the message of a run: check its role and the queue."
  namespace           = "AWS/Scheduler"
  metric_name         = "InvocationDroppedCount"
  dimensions          = { ScheduleGroup = aws_scheduler_schedule_group.mirror_check[0].name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}
