# The whole of mirror_check: resources, names, settings and permissions. These tests need neither AWS nor the network.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

override_data {
  target = data.aws_partition.destination[0]
  values = { partition = "aws-us-gov" }
}

override_data {
  target = data.aws_region.destination[0]
  values = { id = "us-gov-west-1" }
}

override_data {
  target = data.aws_caller_identity.destination[0]
  values = { account_id = "210987654321" }
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable.
variables {
  disposable_buckets                = true
  package_dir                       = "./tests/packages"
  archive_copy_enabled              = false
  partition_replicate_enabled       = true
  partition_replicate_source_bucket = "my-data"
  partition_replicate_issuer_url    = "https://0123.tokens.sts.global.api.aws"
  mirror_check_enabled              = true
}

run "nothing_is_checked_by_default" {
  command = plan

  variables {
    mirror_check_enabled = false
  }

  assert {
    condition     = output.mirror_check == null && length(module.mirror_check) == 0 && length(aws_scheduler_schedule.mirror_check) == 0
    error_message = "The check must be off by default."
  }
}

run "check_needs_a_mirror" {
  command = plan

  variables {
    partition_replicate_enabled = false
  }

  expect_failures = [var.mirror_check_enabled]
}

run "function_has_the_settings_of_the_mirror" {
  variables {
    partition_replicate_prefixes = ["a/", "b/"]
    partition_replicate_deletes  = "keep"
  }

  assert {
    condition = module.mirror_check[0].environment == tomap({
      SOURCE_BUCKET              = "my-data"
      DEST_BUCKET                = "bucket-brigade-123456789012-eu-west-1-mirror"
      BUCKET_OWNERS              = "{\"*\":\"123456789012\",\"bucket-brigade-123456789012-eu-west-1-mirror\":\"210987654321\"}"
      DEST_BUCKET_REGION         = "us-gov-west-1"
      DEST_ROLE_ARN              = "arn:aws:iam::123456789012:role/a-role"
      DEST_TOKEN_AUDIENCE        = "bucket-brigade"
      DEST_SECRET                = ""
      DEST_ENDPOINT_URL          = ""
      OBJECTS_TABLE              = "bucket-brigade-partition-replicate"
      OBJECTS_QUEUE              = "https://sqs.example/a-queue"
      OBJECTS_DEAD_LETTER_QUEUES = "[\"https://sqs.example/a-queue\",\"https://sqs.example/a-queue\",\"https://sqs.example/a-queue\"]"
      PREFIXES                   = "[\"a/\",\"b/\"]"
      DELETES                    = "keep"
      LAG_SECONDS                = "900"
      REPAIR                     = "off"
      WORK_QUEUE                 = "https://sqs.example/a-queue"
      DEAD_LETTER_QUEUE          = "https://sqs.example/a-queue"
      MAX_RECEIVES               = "10"
      LOGGING_LEVEL              = "INFO"
      DEPLOYMENT                 = "bucket-brigade"
    })
    error_message = "The function's environment differs from the names that its settings read."
  }

  assert {
    condition = output.mirror_check == {
      function_name         = "bucket-brigade-mirror-check"
      schedule              = "bucket-brigade-mirror-check"
      schedule_group        = "bucket-brigade-mirror-check"
      destination_role_arn  = "arn:aws:iam::123456789012:role/a-role"
      queue_url             = "https://sqs.example/a-queue"
      dead_letter_queue_url = "https://sqs.example/a-queue"
      undelivered_queue_url = "https://sqs.example/a-queue"
    }
    error_message = "The default names and addresses differ from the documented ones."
  }
}

run "schedule_sends_the_time_of_the_run_to_the_queue" {
  variables {
    mirror_check_hours = 6
  }

  assert {
    condition = (
      aws_scheduler_schedule.mirror_check[0].schedule_expression == "rate(360 minutes)"
      && aws_scheduler_schedule.mirror_check[0].target[0].arn == module.mirror_check_queue[0].arn
      && aws_scheduler_schedule.mirror_check[0].target[0].input == "{\"run\": \"<aws.scheduler.scheduled-time>\"}"
      && aws_scheduler_schedule.mirror_check[0].target[0].sqs_parameters[0].message_group_id == "runs"
    )
    error_message = "The schedule sends another message, or sends it elsewhere."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.mirror_check_schedule[0].policy).Statement == [{
      Sid      = "StartRun"
      Effect   = "Allow"
      Action   = ["sqs:SendMessage"]
      Resource = [module.mirror_check_queue[0].arn]
    }]
    error_message = "The schedule may do more or less than send to the queue."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.mirror_check_different[0].period == 21600
      && aws_cloudwatch_metric_alarm.mirror_check_different[0].evaluation_periods == 2
      && aws_cloudwatch_metric_alarm.mirror_check_different[0].dimensions == tomap({ deployment = "bucket-brigade", service = "mirror_check", function_name = "bucket-brigade-mirror-check" })
    )
    error_message = "The alarm does not count two runs of this deployment."
  }
}

run "function_reads_both_sides_and_writes_neither" {
  assert {
    condition = { for statement in module.mirror_check[0].policy.Statement : statement.Sid => statement.Action if !contains(["WriteLog", "TakeWork", "SendDeadLetters"], statement.Sid) } == {
      FindObjects      = ["s3:ListBucket"]
      CompareObjects   = ["s3:GetObject"]
      ReadRecords      = ["dynamodb:BatchGetItem"]
      CountMessages    = ["sqs:GetQueueAttributes"]
      ContinueOrGiveUp = ["sqs:SendMessage"]
      AskForToken      = ["sts:GetWebIdentityToken"]
    }
    error_message = "The function has more or fewer permissions than it needs."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.mirror_check_destination[0].policy).Statement : statement.Sid => statement.Action } == {
      FindObjects    = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
      CompareObjects = ["s3:GetObject"]
    }
    error_message = "The role at the destination may do more than read."
  }

  assert {
    condition     = jsondecode(aws_iam_role.mirror_check_destination[0].assume_role_policy).Statement[0].Condition.StringEquals["0123.tokens.sts.global.api.aws:aud"] == "bucket-brigade"
    error_message = "Another token than the function's could assume the role."
  }
}

run "repair_is_one_more_permission" {
  variables {
    mirror_check_repair = true
  }

  assert {
    condition = (
      module.mirror_check[0].environment["REPAIR"] == "on"
      && [for statement in module.mirror_check[0].policy.Statement : statement.Action if statement.Sid == "Repair"] == [["sqs:SendMessage"]]
    )
    error_message = "The function cannot send keys to the mirror's queue."
  }
}

run "access_key_is_that_of_the_mirror" {
  variables {
    partition_replicate_credentials = "access_key"
    partition_replicate_issuer_url  = null
  }

  assert {
    condition = (
      length(aws_iam_role.mirror_check_destination) == 0
      && module.mirror_check[0].environment["DEST_SECRET"] == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-secret"
      && module.mirror_check[0].environment["DEST_TOKEN_AUDIENCE"] == ""
    )
    error_message = "With an access key the function needs the secret and no role."
  }
}

run "keys_are_for_reading" {
  variables {
    kms_key_arn                                 = "arn:aws:kms:eu-west-1:123456789012:key/1"
    partition_replicate_source_kms_key_arns     = ["arn:aws:kms:eu-west-1:123456789012:key/2"]
    partition_replicate_destination_kms_key_arn = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/3"
  }

  assert {
    condition = (
      [for statement in jsondecode(aws_iam_role_policy.mirror_check_destination[0].policy).Statement : statement.Action if statement.Sid == "UseKey"] == [["kms:Decrypt"]]
      && [for statement in module.mirror_check[0].policy.Statement : statement.Action if statement.Sid == "ReadUnderKeys"] == [["kms:Decrypt"]]
      && [for statement in jsondecode(aws_iam_role_policy.mirror_check_schedule[0].policy).Statement : statement.Resource if statement.Sid == "UseKey"] == [["arn:aws:kms:eu-west-1:123456789012:key/1"]]
    )
    error_message = "The function could encrypt, or the schedule could not send to an encrypted queue."
  }
}

run "hours_beyond_the_period_of_an_alarm_are_refused" {
  command = plan

  variables {
    mirror_check_hours = 25
  }

  expect_failures = [var.mirror_check_hours]
}
