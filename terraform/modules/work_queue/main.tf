locals {
  # SQS demands that the name of a FIFO queue end so.
  suffix           = var.fifo ? ".fifo" : ""
  name             = "${var.name}${local.suffix}"
  dead_letter_name = "${var.name}-dead-letters${local.suffix}"

  # Put together instead of read from the queues, so that each queue is made with its policy in one step: the AWS
  # provider waits half a minute for every policy that is a resource of its own.
  arn             = "arn:${var.partition}:sqs:${var.region}:${var.account_id}:${local.name}"
  dead_letter_arn = "arn:${var.partition}:sqs:${var.region}:${var.account_id}:${local.dead_letter_name}"

  # What AWS advises, so that a message is not handed out again while an invocation, throttled and retried, has it.
  visibility_timeout_seconds = 6 * var.function_timeout_seconds

  # The most that SQS keeps: a message outlives a long weekend and the repair after it.
  retention_seconds = 14 * 24 * 60 * 60
}

# The work to be done. Only the sender may put something in on the strength of this policy; others need one of their own.
resource "aws_sqs_queue" "this" {
  name                       = local.name
  visibility_timeout_seconds = local.visibility_timeout_seconds
  message_retention_seconds  = local.retention_seconds
  delay_seconds              = var.delay_seconds
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  # Order and throughput go by message group, not by queue.
  fifo_queue            = var.fifo
  deduplication_scope   = var.fifo ? "messageGroup" : null
  fifo_throughput_limit = var.fifo ? "perMessageGroupId" : null

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })

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
        Condition = {
          ArnEquals    = { "aws:SourceArn" = sender.source_arn }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      }]
    )
  })
}

# What could not be done, with its reason, until somebody looks.
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
    Statement = [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = local.dead_letter_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# Work piles up, or nothing takes it. A message whose invocation was killed is hidden for a visibility time-out, and one
# that failed is hidden for 15 minutes at most: an older one waits for other reasons. The age counts from when it was sent.
resource "aws_cloudwatch_metric_alarm" "age" {
  alarm_name          = "${local.name}-age"
  alarm_description   = "The oldest message has waited for more than the queue's delay, a visibility time-out and 15 minutes: is the function throttled, switched off or too slow?"
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

# A dead letter is work that stays undone unless a person acts.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${local.dead_letter_name}-present"
  alarm_description   = "Messages wait in the dead-letter queue: their attributes say why; redrive them once the cause is mended."
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
