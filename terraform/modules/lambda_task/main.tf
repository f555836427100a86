locals {
  kms_key_arn     = var.defaults.kms_key_arn
  alarm_topic_arn = var.defaults.alarm_topic_arn

  # What any function needs whatever its task; the rest comes from the caller.
  permissions = merge(
    var.permissions,
    {
      WriteLog = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
      }
      SendDeadLetters = {
        actions   = ["sqs:SendMessage"]
        resources = [var.dead_letter_queue_arn]
      }
    },
    { for queue in var.queue[*] : "TakeWork" => {
      actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      resources = [queue.arn]
    } },
    { for arn in local.kms_key_arn[*] : "UseKey" => {
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [arn]
    } },
    local.permissions_on_bucket_keys,
  )

  # What each use of a bucket takes of its key. A part of a multipart upload is written under the key of the first, which S3
  # decrypts for it.
  bucket_key_uses = {
    ReadUnderKeys  = { keys = distinct(var.bucket_keys.read), actions = ["kms:Decrypt"] }
    WriteUnderKeys = { keys = distinct(var.bucket_keys.write), actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
  }

  # S3 asks KMS in the function's name, and KMS calls it s3.REGION.DOMAIN, whose domain differs between partitions (KMS
  # Developer Guide, "kms:ViaService"). The encryption context is no condition: under a bucket key it is the bucket's ARN,
  # else the object's.
  permissions_on_bucket_keys = {
    for sid, use in local.bucket_key_uses : sid => {
      actions   = use.actions
      resources = use.keys
      condition = { StringLike = { "kms:ViaService" = distinct([for arn in use.keys : "s3.${split(":", arn)[3]}.*"]) } }
    } if length(use.keys) > 0
  }

  alarms_of_all = {
    errors = {
      metric      = "Errors"
      statistic   = "Sum"
      threshold   = 0
      description = "Invocations ended in an error, a time-out or a crash: see the function's log."
    }
    throttles = {
      metric      = "Throttles"
      statistic   = "Sum"
      threshold   = 0
      description = "Invocations were refused: the account's or the function's concurrency is used up."
    }
  }

  # A function that continues ends near its time-out by design, so its duration says nothing.
  alarm_on_duration = {
    duration = {
      metric      = "Duration"
      statistic   = "Maximum"
      threshold   = 0.9 * var.timeout_seconds * 1000 # CloudWatch counts milliseconds
      description = "An invocation took more than nine tenths of its time-out: smaller batches or a longer time-out are due."
    }
  }
  alarm_on_recursion = {
    recursion = {
      metric      = "RecursiveInvocationsDropped"
      statistic   = "Sum"
      threshold   = 0
      description = "Lambda took messages that were sent again for a loop and dropped them: is the function's recursive-loop detection set to Allow?"
    }
  }

  # A message that has failed often is sent again to the queue that it came from, for days if need be.
  sends_to_itself = var.continues || var.queue != null

  alarms = merge(
    local.alarms_of_all,
    local.sends_to_itself ? local.alarm_on_recursion : {},
    var.continues ? {} : local.alarm_on_duration,
  )
}

# The function's identity. IAM is global, so the region keeps the roles of two deployments apart.
resource "aws_iam_role" "this" {
  name = "${var.name}-${var.region}"

  # Lambda's service principal is the same in every partition. It assumes the role for functions of this account alone.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

# All that the function may do, on one page.
resource "aws_iam_role_policy" "this" {
  name = "task"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for sid, permission in local.permissions : merge(
      {
        Sid      = sid
        Effect   = "Allow"
        Action   = permission.actions
        Resource = permission.resources
      },
      { for condition in try(permission.condition[*], []) : "Condition" => condition },
    )]
  })
}

# Made here and not by Lambda at the first line, so that it has an end and a key.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.defaults.log_retention_days
  kms_key_id        = local.kms_key_arn
}

# The function.
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Log lines and metrics name request, bucket, key and version; a trace of one segment adds nothing
  #checkov:skip=CKV_AWS_116:Failed asynchronous invocations go to the on-failure destination below, which keeps the error too
  #checkov:skip=CKV_AWS_117:It speaks to AWS's public endpoints only and reaches nothing in a VPC
  #checkov:skip=CKV_AWS_272:The code is pinned by its hash
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  runtime                        = var.defaults.runtime
  architectures                  = [var.defaults.architecture]
  handler                        = var.handler
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = local.kms_key_arn

  # A key in the package bucket carries the hash, so new code is a new key. A file keeps its name, hence its hash.
  filename         = var.package.file
  source_code_hash = var.package.file == null ? null : filebase64sha256(var.package.file)
  s3_bucket        = var.package.bucket
  s3_key           = var.package.key

  environment {
    variables = var.environment
  }

  # Lambda takes a metric in EMF for a line of level INFO. So it must let INFO pass; the task's own logger does the rest.
  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.defaults.logging_level == "DEBUG" ? "DEBUG" : "INFO"
    system_log_level      = "INFO"
  }
}

# Lambda stops a function after about 16 turns of one chain of messages, and a large object, or an outage of a day, takes
# more (Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops").
resource "aws_lambda_function_recursion_config" "this" {
  count = local.sends_to_itself ? 1 : 0

  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

# Work from the queue. Messages that failed are named in the answer and come back alone. Without a maximum the queue could
# take every invocation that the account has.
resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue == null ? 0 : 1

  event_source_arn        = var.queue.arn
  function_name           = aws_lambda_function.this.arn
  batch_size              = var.queue.batch_size
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.queue.maximum_concurrency
  }

  # Lambda looks at once whether the role may read the queue.
  depends_on = [aws_iam_role_policy.this]
}

# An asynchronous invocation that failed for good goes to the dead letters, with its event and its error.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name

  destination_config {
    on_failure {
      destination = var.dead_letter_queue_arn
    }
  }

  # Lambda looks at once whether the role may send there.
  depends_on = [aws_iam_role_policy.this]
}

# What Lambda itself sees go wrong.
resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.alarm_topic_arn])
  ok_actions          = compact([local.alarm_topic_arn])
}

# Lambda's own error count does not see what failed in a batch whose others went well; the task's metric does.
resource "aws_cloudwatch_metric_alarm" "failed" {
  count = var.failures == null ? 0 : 1

  alarm_name          = "${var.name}-failed-${var.failures.of}"
  alarm_description   = "${var.failures.description} The log lines say which and why; what may still succeed is tried again."
  namespace           = "BucketBrigade"
  metric_name         = "Failed"
  dimensions          = { service = var.failures.service, function_name = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.alarm_topic_arn])
  ok_actions          = compact([local.alarm_topic_arn])
}
