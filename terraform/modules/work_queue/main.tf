locals {
  # SQS requires this ending for the name of a FIFO queue.
  suffix           = var.fifo ? ".fifo" : ""
  name             = "${var.name}${local.suffix}"
  dead_letter_name = "${var.name}-dead-letters${local.suffix}"

  # Built here, not read from the queues, so that Terraform creates each queue and its policy in one step: the AWS provider
  # waits half a minute for a policy in a separate resource.
  arn             = "arn:${var.partition}:sqs:${var.region}:${var.account_id}:${local.name}"
  dead_letter_arn = "arn:${var.partition}:sqs:${var.region}:${var.account_id}:${local.dead_letter_name}"

  # AWS recommends six times the time-out. So a message does not become visible again while a throttled invocation is retried.
  visibility_timeout_seconds = 6 * var.function_timeout_seconds

  # The ARN of a bucket has no account, so another account's bucket may have the same ARN. The ARN of a rule has one, and a
  # condition on the source account may stop EventBridge (EventBridge User Guide, "Troubleshooting").
  sender_account = try(split(":", var.sender.source_arn)[4], "") != "" ? {} : { StringEquals = { "aws:SourceAccount" = var.account_id } }

  # The maximum of SQS. A message survives a long weekend and the repair after it.
  retention_seconds = 14 * 24 * 60 * 60
}

# The queue of work. This policy allows only the sender to send messages; other senders need permissions of their own.
resource "aws_sqs_queue" "this" {
  name                       = local.name
  visibility_timeout_seconds = local.visibility_timeout_seconds
  message_retention_seconds  = local.retention_seconds
  delay_seconds              = var.delay_seconds
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  # Deduplication and throughput limits apply to each message group, not to the whole queue.
  fifo_queue                  = var.fifo
  content_based_deduplication = var.content_deduplication ? true : null
  deduplication_scope         = var.fifo ? "messageGroup" : null
  fifo_throughput_limit       = var.fifo ? "perMessageGroupId" : null

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for sender in var.sender[*] : {
        Sid       = "AllowSender"
        Effect    = "Allow"
        Principal = { Service = sender.service }
        Action    = "sqs:SendMessage"
        Resource  = local.arn
        Condition = merge({ ArnEquals = { "aws:SourceArn" = sender.source_arn } }, local.sender_account)
      }]
    )
  })
}

# A separate resource, so that Terraform creates the two queues at the same time: SQS accepts the policy only when the
# dead-letter queue exists, and the AWS provider waits half a minute for each queue.
resource "aws_sqs_queue_redrive_policy" "this" {
  queue_url = aws_sqs_queue.this.url

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

# Messages that failed permanently, with the reason, until a person handles them.
resource "aws_sqs_queue" "dead_letters" {
  name                      = local.dead_letter_name
  fifo_queue                = var.fifo
  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.arn]
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.dead_letter_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for sender in var.sender[*] : {
        Sid       = "AllowUndelivered"
        Effect    = "Allow"
        Principal = { Service = sender.service }
        Action    = "sqs:SendMessage"
        Resource  = local.dead_letter_arn
        Condition = merge({ ArnEquals = { "aws:SourceArn" = sender.source_arn } }, local.sender_account)
      } if sender.undelivered]
    )
  })
}

# Messages wait for too long. A message whose invocation was killed is hidden for one visibility time-out, and a message that
# failed is hidden for at most 15 minutes. A higher age has another cause. The age counts from the time of sending.
resource "aws_cloudwatch_metric_alarm" "age" {
  alarm_name          = "${local.name}-age"
  alarm_description   = "The oldest message has waited for more than the queue's delay, a visibility time-out and 15 minutes: check whether the function is throttled, disabled or too slow."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.this.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.delay_seconds + local.visibility_timeout_seconds + 15 * 60
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}

# The work of a dead letter is not done unless a person acts.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${local.dead_letter_name}-present"
  alarm_description   = "Messages are in the dead-letter queue, and their attributes give the reason: fix the cause, then redrive them."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}
