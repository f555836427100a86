# The module lambda_task.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                  = "work"
  description           = "Works."
  handler               = "tasks.work.handler.handler"
  package               = { bucket = "my-packages", key = "work/0123.zip" }
  region                = "eu-west-1"
  account_id            = "123456789012"
  memory_mb             = 256
  timeout_seconds       = 100
  environment           = { LOGGING_LEVEL = "ERROR" }
  dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:work-dead-letters"

  defaults = {
    deployment         = "bucket-brigade"
    runtime            = "python3.13"
    architecture       = "arm64"
    logging_level      = "ERROR"
    log_retention_days = 30
  }

  permissions = {
    ReadTable = { actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:eu-west-1:123456789012:table/inbox"] }
  }
}

run "function_without_queue_may_only_do_its_task_log_and_send_dead_letters" {
  module {
    source = "./modules/lambda_task"
  }

  assert {
    condition = { for statement in output.policy.Statement : statement.Sid => [statement.Effect, statement.Action, statement.Resource] } == {
      ReadTable       = ["Allow", ["dynamodb:GetItem"], ["arn:aws:dynamodb:eu-west-1:123456789012:table/inbox"]]
      SendDeadLetters = ["Allow", ["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:work-dead-letters"]]
      WriteLog        = ["Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-west-1:123456789012:log-group:a-group:*"]]
    }
    error_message = "The function has more or fewer permissions than it needs."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.queue) == 0
    error_message = "The function has an event source although it has no queue."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == "arn:aws:sqs:eu-west-1:123456789012:work-dead-letters"
    error_message = "A failed asynchronous invocation would be lost."
  }

  assert {
    condition     = aws_lambda_function.this.s3_bucket == "my-packages" && aws_lambda_function.this.s3_key == "work/0123.zip" && aws_lambda_function.this.filename == null
    error_message = "The code does not come from the package bucket."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.logging_config[0].application_log_level == "INFO"
    error_message = "Log lines must be JSON, and Lambda must not filter level INFO, because metrics have that level."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/work" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log's retention period is wrong."
  }

  assert {
    condition     = aws_iam_role.this.name == "work-eu-west-1"
    error_message = "Deployments in two regions of one account would have the same role name."
  }

  assert {
    condition     = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.threshold } == { errors = 0, throttles = 0, duration = 90000 }
    error_message = "The alarms must start at the first error, at the first throttle and at 90 % of the time-out."
  }

  assert {
    condition     = length(aws_lambda_function_recursion_config.this) == 0
    error_message = "Lambda would not stop a loop."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.failed) == 0
    error_message = "An alarm watches a metric that the task does not have."
  }
}

run "function_that_continues_may_call_itself_and_run_long" {
  module {
    source = "./modules/lambda_task"
  }

  variables {
    continues = true
  }

  assert {
    condition     = aws_lambda_function_recursion_config.this[0].recursive_loop == "Allow" && aws_lambda_function_recursion_config.this[0].function_name == "work"
    error_message = "Lambda would stop the function after about 16 continuations."
  }

  assert {
    condition     = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.threshold } == { errors = 0, throttles = 0, recursion = 0 }
    error_message = "A dropped continuation must start an alarm, and an invocation that ends near its time-out must not."
  }

  assert {
    condition = (
      output.alarms["work-recursion"].metric == "RecursiveInvocationsDropped"
      && output.alarms["work-recursion"].dimensions == tomap({ FunctionName = "work" })
    )
    error_message = "The alarm does not watch the messages of this function that Lambda drops."
  }
}

run "permission_keeps_its_condition" {
  module {
    source = "./modules/lambda_task"
  }

  variables {
    permissions = {
      AskForToken = {
        actions   = ["sts:GetWebIdentityToken"]
        resources = ["*"]
        condition = { StringEquals = { "sts:SigningAlgorithm" = ["ES384"] } }
      }
    }
  }

  assert {
    condition = [for statement in output.policy.Statement : try(statement.Condition, null) if statement.Sid == "AskForToken"] == [
      { StringEquals = { "sts:SigningAlgorithm" = ["ES384"] } }
    ]
    error_message = "The permission has lost its condition."
  }

  assert {
    condition     = [for statement in output.policy.Statement : statement.Sid if can(statement.Condition)] == ["AskForToken"]
    error_message = "A permission without a condition has got one."
  }
}

run "one_failure_in_the_task_metric_starts_an_alarm" {
  module {
    source = "./modules/lambda_task"
  }

  variables {
    failures = { service = "work", of = "objects", description = "Objects could not be worked on." }
  }

  assert {
    condition     = output.alarms["work-failed-objects"].dimensions == tomap({ deployment = "bucket-brigade", service = "work", function_name = "work" }) && output.alarms["work-failed-objects"].metric == "Failed"
    error_message = "The alarm does not watch the task's metric."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.failed[0].threshold == 0 && aws_cloudwatch_metric_alarm.failed[0].namespace == "BucketBrigade"
    error_message = "A single failure would start no alarm."
  }
}

run "queue_is_read_in_batches_with_partial_responses" {
  module {
    source = "./modules/lambda_task"
  }

  variables {
    queue = { arn = "arn:aws:sqs:eu-west-1:123456789012:work", batch_size = 7, maximum_concurrency = 5 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "One failed message would return the whole batch to the queue."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].batch_size == 7 && aws_lambda_event_source_mapping.queue[0].scaling_config[0].maximum_concurrency == 5
    error_message = "The event source mapping does not use the queue's settings."
  }

  assert {
    condition     = length(aws_lambda_function_recursion_config.this) == 1 && keys(aws_cloudwatch_metric_alarm.this) == ["duration", "errors", "recursion", "throttles"]
    error_message = "Lambda would drop a message that is sent again for a day as a loop, or the drop would start no alarm."
  }

  assert {
    condition = [for statement in output.policy.Statement : [statement.Action, statement.Resource] if statement.Sid == "TakeWork"] == [
      [["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], ["arn:aws:sqs:eu-west-1:123456789012:work"]]
    ]
    error_message = "The function must be allowed to receive and delete messages and to change their visibility, and nothing else."
  }
}

run "given_key_encrypts_and_may_be_used" {
  module {
    source = "./modules/lambda_task"
  }

  variables {
    defaults = {
      deployment         = "bucket-brigade"
      runtime            = "python3.13"
      architecture       = "arm64"
      logging_level      = "DEBUG"
      log_retention_days = 30
      kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/1234"
      alarm_topic_arn    = "arn:aws:sns:eu-west-1:123456789012:alarms"
    }
    failures = { service = "work", of = "objects", description = "Objects could not be worked on." }
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/1234" && aws_cloudwatch_log_group.this.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1234"
    error_message = "The environment or the log is not encrypted with the given key."
  }

  assert {
    condition = [for statement in output.policy.Statement : [statement.Action, statement.Resource] if statement.Sid == "UseKey"] == [
      [["kms:Decrypt", "kms:GenerateDataKey"], ["arn:aws:kms:eu-west-1:123456789012:key/1234"]]
    ]
    error_message = "The function must be allowed to use the key, and no other."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].application_log_level == "DEBUG"
    error_message = "Lambda would drop the lines that DEBUG asks for."
  }

  assert {
    condition     = length(output.alarms) == 4 && alltrue([for alarm in output.alarms : alarm.actions == toset(["arn:aws:sns:eu-west-1:123456789012:alarms"])])
    error_message = "An alarm sends no message."
  }
}

run "bucket_keys_are_used_only_through_s3_and_encrypt_only_where_the_function_writes" {
  module {
    source = "./modules/lambda_task"
  }

  variables {
    bucket_keys = {
      read  = ["arn:aws:kms:eu-west-1:123456789012:key/source"]
      write = ["arn:aws:kms:eu-west-1:123456789012:key/archive", "arn:aws:kms:eu-west-2:123456789012:key/other"]
    }
  }

  assert {
    condition = { for statement in output.policy.Statement : statement.Sid => [statement.Action, statement.Resource, statement.Condition] if endswith(statement.Sid, "UnderKeys") } == {
      ReadUnderKeys = [
        ["kms:Decrypt"],
        ["arn:aws:kms:eu-west-1:123456789012:key/source"],
        { StringLike = { "kms:ViaService" = ["s3.eu-west-1.*"] } },
      ]
      WriteUnderKeys = [
        ["kms:Decrypt", "kms:GenerateDataKey"],
        ["arn:aws:kms:eu-west-1:123456789012:key/archive", "arn:aws:kms:eu-west-2:123456789012:key/other"],
        { StringLike = { "kms:ViaService" = ["s3.eu-west-1.*", "s3.eu-west-2.*"] } },
      ]
    }
    error_message = "The function has more or fewer permissions on the keys of its buckets than S3 needs on its behalf."
  }
}

run "role_is_assumed_only_for_functions_of_its_own_account" {
  module {
    source = "./modules/lambda_task"
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    }]
    error_message = "Lambda would assume the role for a function of another account."
  }
}

run "permission_on_s3_without_the_bucket_owner_is_refused" {
  command = plan

  module {
    source = "./modules/lambda_task"
  }

  variables {
    permissions = { Read = {
      actions   = ["sqs:SendMessage", "s3:GetObject"]
      resources = ["arn:aws:s3:::inbox/*"]
      condition = { StringEquals = { "s3:ExistingObjectTag/a" = ["b"] } }
    } }
  }

  expect_failures = [var.permissions]
}

run "role_name_over_64_characters_is_refused" {
  command = plan

  module {
    source = "./modules/lambda_task"
  }

  variables {
    name = "a-function-whose-role-has-sixty-five-characters-with-it"
  }

  expect_failures = [var.name]
}

run "permission_for_everything_is_refused" {
  command = plan

  module {
    source = "./modules/lambda_task"
  }

  variables {
    permissions = { All = { actions = ["*"], resources = ["arn:aws:sqs:eu-west-1:123456789012:inbox"] } }
  }

  expect_failures = [var.permissions]
}
