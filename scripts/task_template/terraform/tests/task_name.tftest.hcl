# The whole of task_name: resources, names, settings and permissions. These tests need neither AWS nor the network.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable.
variables {
  disposable_buckets   = true
  package_dir          = "./tests/packages"
  archive_copy_enabled = false

  task_name_enabled       = true
  task_name_source_bucket = "my-data"
}

run "enabled_task_has_its_names_settings_events_permissions_and_alarms" {
  assert {
    condition = output.task_name == {
      function_name         = "bucket-brigade-task-name"
      function_arn          = "arn:aws:lambda:eu-west-1:123456789012:function:a-function"
      source_bucket         = "my-data"
      queue_url             = "https://sqs.example/a-queue"
      dead_letter_queue_url = "https://sqs.example/a-queue"
    }
    error_message = "The default names and addresses differ from the documented ones."
  }

  assert {
    condition = module.task_name[0].environment == tomap({
      SOURCE_BUCKET     = "my-data"
      BUCKET_OWNERS     = "{\"*\":\"123456789012\"}"
      WORK_QUEUE        = "https://sqs.example/a-queue"
      DEAD_LETTER_QUEUE = "https://sqs.example/a-queue"
      MAX_RECEIVES      = "10"
      LOGGING_LEVEL     = "INFO"
      DEPLOYMENT        = "bucket-brigade"
    })
    error_message = "The function's environment differs from the names that its settings read."
  }

  assert {
    condition     = keys(data.aws_s3_bucket.given) == ["task_name_source_bucket"]
    error_message = "The existing bucket is not looked up."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.task_name[0].event_pattern) == {
      source      = ["aws.s3"]
      detail-type = ["Object Created"]
      detail      = { bucket = { name = ["my-data"] } }
    }
    error_message = "The rule selects other events than those of new objects in the source bucket."
  }

  assert {
    condition     = aws_cloudwatch_event_target.task_name[0].arn == module.task_name_queue[0].arn && one(aws_cloudwatch_event_target.task_name[0].dead_letter_config).arn == module.task_name_queue[0].dead_letter_queue_arn
    error_message = "An event that cannot be delivered would be lost."
  }

  assert {
    condition     = aws_s3_bucket_notification.task_name[0].bucket == "my-data" && aws_s3_bucket_notification.task_name[0].eventbridge
    error_message = "The bucket does not send its events to EventBridge."
  }

  assert {
    condition = { for statement in module.task_name[0].policy.Statement : statement.Sid => statement if !contains(["WriteLog", "TakeWork", "SendDeadLetters"], statement.Sid) } == {
      FindObjects = {
        Sid       = "FindObjects"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = ["arn:aws:s3:::my-data"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      }
      MeasureObjects = {
        Sid       = "MeasureObjects"
        Effect    = "Allow"
        Action    = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource  = ["arn:aws:s3:::my-data/*"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      }
      RenewWork = {
        Sid      = "RenewWork"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = ["arn:aws:sqs:eu-west-1:123456789012:a-queue"]
      }
    }
    error_message = "The function may do more or less than it needs."
  }

  assert {
    condition     = module.task_name[0].alarms["bucket-brigade-task-name-failed-objects"].dimensions == tomap({ deployment = "bucket-brigade", service = "task_name", function_name = "bucket-brigade-task-name" })
    error_message = "No alarm counts the failures of the task."
  }
}

run "disabled_task_has_no_resources" {
  variables {
    task_name_enabled = false
  }

  assert {
    condition     = output.task_name == null
    error_message = "The output of a disabled task must be null."
  }

  assert {
    condition     = length(flatten([module.task_name, module.task_name_queue, aws_cloudwatch_event_rule.task_name, aws_s3_bucket_notification.task_name])) == 0
    error_message = "Resources of the disabled task remain."
  }
}

run "missing_source_bucket_is_refused" {
  command = plan

  variables {
    task_name_source_bucket = null
  }

  expect_failures = [var.task_name_source_bucket]
}

run "bucket_with_a_notification_of_another_task_is_refused" {
  command = plan

  variables {
    archive_copy_enabled       = true
    archive_copy_source_bucket = "my-data"
  }

  expect_failures = [var.task_name_manage_notification]
}

run "numbers_outside_their_limits_are_refused" {
  command = plan

  variables {
    task_name_memory_mb           = 64
    task_name_timeout_seconds     = 901
    task_name_maximum_concurrency = 1
  }

  expect_failures = [var.task_name_memory_mb, var.task_name_timeout_seconds, var.task_name_maximum_concurrency]
}
