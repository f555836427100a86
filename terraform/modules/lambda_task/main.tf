locals {
  kms_key_arn     = var.defaults.kms_key_arn
  alarm_topic_arn = var.defaults.alarm_topic_arn

  # Permissions that every function needs. The caller adds those of its task.
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

  # Permissions on the key of a bucket, by the use of the bucket. Writing needs Decrypt too: S3 writes each part of a
  # multipart upload under the key of the first part, and decrypts that key for it.
  bucket_key_uses = {
    ReadUnderKeys  = { keys = distinct(var.bucket_keys.read), actions = ["kms:Decrypt"] }
    WriteUnderKeys = { keys = distinct(var.bucket_keys.write), actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
  }

  # S3 calls KMS on behalf of the function. In kms:ViaService, S3 is s3.REGION.DOMAIN, and the domain depends on the partition
  # (KMS Developer Guide, "kms:ViaService"). There is no condition on the encryption context: it is the bucket's ARN with a
  # bucket key, and the object's ARN without one.
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
      description = "Invocations ended with an error, a time-out or a crash: see the function's log."
    }
    throttles = {
      metric      = "Throttles"
      statistic   = "Sum"
      threshold   = 0
      description = "Invocations were throttled: the concurrency of the account or of the function is used up."
    }
  }

  # A function that continues in further invocations ends near its time-out by design, so it has no alarm on its duration.
  alarm_on_duration = {
    duration = {
      metric      = "Duration"
      statistic   = "Maximum"
      threshold   = 0.9 * var.timeout_seconds * 1000 # in milliseconds, the unit of the metric
      description = "An invocation took more than 90 % of its time-out: use smaller batches or a longer time-out."
    }
  }
  alarm_on_recursion = {
    recursion = {
      metric      = "RecursiveInvocationsDropped"
      statistic   = "Sum"
      threshold   = 0
      description = "Lambda mistook messages that were sent again for a loop and dropped them: check that the function's recursive-loop detection is set to Allow."
    }
  }

  # The function sends a message that failed often back to its own queue, for days if necessary.
  sends_to_itself = var.continues || var.queue != null

  alarms = merge(
    local.alarms_of_all,
    local.sends_to_itself ? local.alarm_on_recursion : {},
    var.continues ? {} : local.alarm_on_duration,
  )
}

# The function's identity. IAM is global, so the name ends with the region: deployments in two regions need two roles.
resource "aws_iam_role" "this" {
  name = "${var.name}-${var.region}"

  # Lambda's service principal is the same in every partition. It may assume the role only for functions of this account.
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

# All permissions of the function.
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

# Created here, because a log group that Lambda creates has no retention period and no key.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.defaults.log_retention_days
  kms_key_id        = local.kms_key_arn
}

# The function of the task.
resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Log lines and metrics name request, bucket, key and version; a trace with one segment adds nothing
  #checkov:skip=CKV_AWS_116:Failed asynchronous invocations go to the on-failure destination below, with their error
  #checkov:skip=CKV_AWS_117:The function uses only public endpoints and needs nothing in a VPC
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

  # `brigade` finds a deployment by this tag. The provider's default tags cannot hold it: the length of name_prefix depends on
  # the region, which comes from the provider.
  tags = { "bucket-brigade:deployment" = var.defaults.deployment }

  # A key in the package bucket contains the hash, so new code has a new key. A local file keeps its name, so Terraform needs
  # its hash to notice new code.
  filename         = var.package.file
  source_code_hash = var.package.file == null ? null : filebase64sha256(var.package.file)
  s3_bucket        = var.package.bucket
  s3_key           = var.package.key

  environment {
    variables = var.environment
  }

  # To Lambda, a metric in EMF is a line of level INFO, so Lambda must not filter INFO. The task's own logger filters the rest.
  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = var.defaults.logging_level == "DEBUG" ? "DEBUG" : "INFO"
    system_log_level      = "INFO"
  }
}

# Lambda stops a chain of messages after about 16 invocations; a large object or a day's outage takes more (Lambda Developer
# Guide, "Use Lambda recursive loop detection to prevent infinite loops").
resource "aws_lambda_function_recursion_config" "this" {
  count = local.sends_to_itself ? 1 : 0

  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

# Invokes the function with batches from the queue. The function's response names the messages that failed, and only those
# come back. Without a maximum, the queue could use all concurrency of the account.
resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue == null ? 0 : 1

  event_source_arn        = var.queue.arn
  function_name           = aws_lambda_function.this.arn
  batch_size              = var.queue.batch_size
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.queue.maximum_concurrency
  }

  # Lambda checks at once that the role may read the queue.
  depends_on = [aws_iam_role_policy.this]
}

# After its last retry, a failed asynchronous invocation goes to the dead-letter queue, with its event and its error.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name

  destination_config {
    on_failure {
      destination = var.dead_letter_queue_arn
    }
  }

  # Lambda checks at once that the role may send to the destination.
  depends_on = [aws_iam_role_policy.this]
}

# Alarms on Lambda's own metrics.
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

# Alarm on the task's own metric. Lambda's error count does not include single failures in a batch.
resource "aws_cloudwatch_metric_alarm" "failed" {
  count = var.failures == null ? 0 : 1

  alarm_name          = "${var.name}-failed-${var.failures.of}"
  alarm_description   = "${var.failures.description} The log lines name each one and the reason; retries continue for those that can still succeed."
  namespace           = "BucketBrigade"
  metric_name         = "Failed"
  dimensions          = { deployment = var.defaults.deployment, service = var.failures.service, function_name = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.alarm_topic_arn])
  ok_actions          = compact([local.alarm_topic_arn])
}
