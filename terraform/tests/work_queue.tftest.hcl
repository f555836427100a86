# The module work_queue.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                     = "work"
  partition                = "aws-cn"
  region                   = "cn-north-1"
  account_id               = "123456789012"
  function_timeout_seconds = 120
}

run "standard_queue_hides_and_keeps_messages_long_enough" {
  module {
    source = "./modules/work_queue"
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 720
    error_message = "The visibility time-out must be six times the function's time-out."
  }

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 1209600 && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "Both queues must keep messages for 14 days."
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.sqs_managed_sse_enabled
    error_message = "Both queues must be encrypted."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.this.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 10 }
    error_message = "A message must become a dead letter after ten deliveries."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws-cn:sqs:cn-north-1:123456789012:work"] }
    error_message = "Only the queue itself may redrive messages to its dead-letter queue."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.age.threshold == 1620 && aws_cloudwatch_metric_alarm.dead_letters.threshold == 0
    error_message = "The alarms must start after a visibility time-out and 15 minutes, and at the first dead letter."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.policy).Statement[*].Effect == ["Deny"]
    error_message = "Without a sender, the queue's policy must allow no one to send."
  }
}

run "sender_may_send_only_for_its_resource_in_this_account" {
  module {
    source = "./modules/work_queue"
  }

  variables {
    sender = { service = "s3.amazonaws.com", source_arn = "arn:aws-cn:s3:::inbox" }
  }

  assert {
    condition = jsondecode(aws_sqs_queue.this.policy).Statement[1] == {
      Sid       = "AllowSender"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws-cn:sqs:cn-north-1:123456789012:work"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:aws-cn:s3:::inbox" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }
    error_message = "Another bucket or account could send."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letters.policy).Statement[*].Effect == ["Deny"]
    error_message = "A sender that delivers each event itself could send dead letters."
  }

  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.this, aws_sqs_queue.dead_letters] :
      jsondecode(queue.policy).Statement[0].Effect == "Deny" && jsondecode(queue.policy).Statement[0].Condition == { Bool = { "aws:SecureTransport" = "false" } }
    ])
    error_message = "A queue accepts requests without TLS."
  }
}

run "rule_may_send_its_events_and_those_that_it_could_not_deliver" {
  module {
    source = "./modules/work_queue"
  }

  variables {
    sender = { service = "events.amazonaws.com", source_arn = "arn:aws-cn:events:cn-north-1:123456789012:rule/new-objects", undelivered = true }
  }

  # A condition on the source account could refuse every event.
  assert {
    condition = { for queue in [aws_sqs_queue.this, aws_sqs_queue.dead_letters] : queue.name => jsondecode(queue.policy).Statement[1] } == {
      work = {
        Sid       = "AllowSender"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws-cn:sqs:cn-north-1:123456789012:work"
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws-cn:events:cn-north-1:123456789012:rule/new-objects" } }
      }
      work-dead-letters = {
        Sid       = "AllowUndelivered"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws-cn:sqs:cn-north-1:123456789012:work-dead-letters"
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws-cn:events:cn-north-1:123456789012:rule/new-objects" } }
      }
    }
    error_message = "The rule cannot send to both queues, or another rule can."
  }
}

run "fifo_queue_has_fifo_dead_letters_and_high_throughput" {
  module {
    source = "./modules/work_queue"
  }

  variables {
    fifo = true
  }

  assert {
    condition     = aws_sqs_queue.this.name == "work.fifo" && aws_sqs_queue.dead_letters.name == "work-dead-letters.fifo" && aws_sqs_queue.dead_letters.fifo_queue
    error_message = "The dead-letter queue of a FIFO queue must be FIFO, and both names must end with .fifo."
  }

  assert {
    condition     = aws_sqs_queue.this.deduplication_scope == "messageGroup" && aws_sqs_queue.this.fifo_throughput_limit == "perMessageGroupId"
    error_message = "The throughput limit would apply to the whole queue."
  }
}

run "new_messages_can_be_delayed" {
  module {
    source = "./modules/work_queue"
  }

  variables {
    delay_seconds = 30
  }

  assert {
    condition     = aws_sqs_queue.this.delay_seconds == 30 && aws_sqs_queue.dead_letters.delay_seconds != 30
    error_message = "Only the queue must delay messages, and not its dead-letter queue."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.age.threshold == 1650
    error_message = "The alarm would count a message's delay as waiting time."
  }
}

run "given_key_encrypts_both_queues" {
  module {
    source = "./modules/work_queue"
  }

  variables {
    kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/1234"
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dead_letters] : queue.kms_master_key_id == "arn:aws-cn:kms:cn-north-1:123456789012:key/1234"])
    error_message = "A queue is not encrypted with the given key."
  }
}

run "impossible_timeout_is_refused" {
  command = plan

  module {
    source = "./modules/work_queue"
  }

  variables {
    function_timeout_seconds = 901
  }

  expect_failures = [var.function_timeout_seconds]
}
