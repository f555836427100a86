# task_name: logs the size of each object that is created in a bucket.
#
#   source bucket --Object Created--> EventBridge --> queue --> function
#                                          |            |          |
#                                          +------------+----------+--> dead-letter queue

locals {
  # The entry in local.tasks.
  task_name_task = {
    enabled       = var.task_name_enabled
    event_buckets = { task_name_source_bucket = var.task_name_source_bucket }

    name_endings = {
      "-task-name-${local.region}" = 64 # role
      "-task-name-dead-letters"    = 80 # queue
    }

    dashboard = {
      function            = "task-name"
      queue               = "task-name"
      dead_letter_queues  = ["task-name-dead-letters"]
      delayed             = false
      other_functions     = []
      written             = ["Objects"]
      lag_seconds         = []
      timeout_seconds     = var.task_name_timeout_seconds
      memory_mb           = var.task_name_memory_mb
      maximum_concurrency = var.task_name_maximum_concurrency
    }
  }

  task_name_name = "${var.name_prefix}-task-name"

  # A disabled task has no source.
  task_name_source_bucket = var.task_name_source_bucket == null ? "" : var.task_name_source_bucket
  task_name_source_arn    = "arn:${local.partition}:s3:::${local.task_name_source_bucket}"
}

# S3 sends all events to EventBridge; the rule selects those of new objects. Terraform enables this last, when the rest of the
# path exists. It takes effect about five minutes later (S3 User Guide, "Enabling Amazon EventBridge").
resource "aws_s3_bucket_notification" "task_name" {
  count = var.task_name_enabled && var.task_name_manage_notification ? 1 : 0

  bucket      = local.task_name_source_bucket
  eventbridge = true

  depends_on = [aws_cloudwatch_event_target.task_name]
}

# Selects new objects. Only AWS can send events with the source `aws.s3`.
resource "aws_cloudwatch_event_rule" "task_name" {
  count = var.task_name_enabled ? 1 : 0

  name        = local.task_name_name
  description = "New objects whose size is logged."

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail      = { bucket = { name = [local.task_name_source_bucket] } }
  })
}

# EventBridge retries for a day and then sends the event to the dead-letter queue.
resource "aws_cloudwatch_event_target" "task_name" {
  count = var.task_name_enabled ? 1 : 0

  rule = aws_cloudwatch_event_rule.task_name[0].name
  arn  = module.task_name_queue[0].arn

  dead_letter_config {
    arn = module.task_name_queue[0].dead_letter_queue_arn
  }
}

# The queue keeps each event until its work is done.
module "task_name_queue" {
  source = "./modules/work_queue"
  count  = var.task_name_enabled ? 1 : 0

  name                     = local.task_name_name
  partition                = local.partition
  region                   = local.region
  account_id               = local.account_id
  function_timeout_seconds = var.task_name_timeout_seconds
  kms_key_arn              = var.kms_key_arn
  alarm_topic_arn          = var.alarm_topic_arn

  sender = {
    service     = "events.amazonaws.com"
    source_arn  = aws_cloudwatch_event_rule.task_name[0].arn
    undelivered = true
  }
}

# The function that logs the sizes.
module "task_name" {
  source = "./modules/lambda_task"
  count  = var.task_name_enabled ? 1 : 0

  name                  = local.task_name_name
  description           = "Logs the size of each object that is created in a bucket."
  handler               = "tasks.task_name.handler.handler"
  package               = local.packages["task_name"]
  defaults              = local.function_defaults
  region                = local.region
  account_id            = local.account_id
  memory_mb             = var.task_name_memory_mb
  timeout_seconds       = var.task_name_timeout_seconds
  dead_letter_queue_arn = module.task_name_queue[0].dead_letter_queue_arn

  queue = {
    arn                 = module.task_name_queue[0].arn
    batch_size          = 10
    maximum_concurrency = var.task_name_maximum_concurrency
  }

  failures = {
    service     = "task_name"
    of          = "objects"
    description = "Objects could not be measured."
  }

  environment = {
    SOURCE_BUCKET     = local.task_name_source_bucket
    BUCKET_OWNERS     = jsonencode({ "*" = local.account_id })
    WORK_QUEUE        = module.task_name_queue[0].url
    DEAD_LETTER_QUEUE = module.task_name_queue[0].dead_letter_queue_url
    MAX_RECEIVES      = tostring(module.task_name_queue[0].max_receive_count)
    LOGGING_LEVEL     = var.logging_level
    DEPLOYMENT        = var.name_prefix
  }

  permissions = {
    # With ListBucket, S3 answers 404 for a missing key. Without it, the answer is 403, as for a missing permission.
    FindObjects = {
      actions   = ["s3:ListBucket"]
      resources = [local.task_name_source_arn]
      condition = local.owned.sources
    }
    # HeadObject needs the permissions of GetObject (S3 API Reference, HeadObject).
    MeasureObjects = {
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = ["${local.task_name_source_arn}/*"]
      condition = local.owned.sources
    }
    # The function replaces a message that failed often by a copy, so that the message does not reach its maximum receives.
    RenewWork = {
      actions   = ["sqs:SendMessage"]
      resources = [module.task_name_queue[0].arn]
    }
  }
}
