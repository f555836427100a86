# The whole of partition_replicate: resources, names, settings and permissions. These tests need neither AWS nor the network.

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
}

run "both_functions_have_their_settings" {
  assert {
    condition = module.partition_replicate_enqueue[0].environment == tomap({
      SOURCE_BUCKET     = "my-data"
      OBJECTS_QUEUE     = "https://sqs.example/a-queue"
      RECHECK_QUEUE     = "https://sqs.example/a-queue"
      DEAD_LETTER_QUEUE = "https://sqs.example/a-queue"
      MAX_RECEIVES      = "10"
      LOGGING_LEVEL     = "INFO"
      DEPLOYMENT        = "bucket-brigade"
    })
    error_message = "The environment of enqueue differs from the names that its settings read."
  }

  assert {
    condition = module.partition_replicate[0].environment == tomap({
      SOURCE_BUCKET         = "my-data"
      DEST_BUCKET           = "bucket-brigade-123456789012-eu-west-1-mirror"
      BUCKET_OWNERS         = "{\"*\":\"123456789012\",\"bucket-brigade-123456789012-eu-west-1-mirror\":\"210987654321\"}"
      DEST_BUCKET_REGION    = "us-gov-west-1"
      DEST_ROLE_ARN         = "arn:aws:iam::123456789012:role/a-role"
      DEST_TOKEN_AUDIENCE   = "bucket-brigade"
      DEST_SECRET           = ""
      DEST_KMS_KEY          = ""
      DEST_ENDPOINT_URL     = ""
      OBJECTS_QUEUE         = "https://sqs.example/a-queue"
      RECHECK_QUEUE         = "https://sqs.example/a-queue"
      OBJECTS_TABLE         = "bucket-brigade-partition-replicate"
      VERSIONS              = ""
      DELETES               = "mirror"
      VERSION_DELETES       = "keep"
      ANNOTATIONS           = "carry"
      REPLICATE_CONCURRENCY = "10"
      DIRECT_REQUESTS       = "on"
      TRANSFER_MEMORY_MB    = "884"
      DEAD_LETTER_QUEUE     = "https://sqs.example/a-queue"
      MAX_RECEIVES          = "10"
      LOGGING_LEVEL         = "INFO"
      DEPLOYMENT            = "bucket-brigade"
    })
    error_message = "The environment of replicate differs from the names that its settings read."
  }
}

run "rule_selects_events_of_s3_that_change_an_object_of_the_bucket" {
  variables {
    partition_replicate_prefixes = ["a/", "b/"]
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.partition_replicate[0].event_pattern) == {
      source = ["aws.s3"]
      detail-type = [
        "Object Created", "Object Deleted", "Object Tags Added", "Object Tags Deleted",
        "Object Annotation Created", "Object Annotation Removed",
      ]
      detail = {
        bucket = { name = ["my-data"] }
        object = { key = [{ prefix = "a/" }, { prefix = "b/" }] }
      }
    }
    error_message = "The rule selects other events than those that the task mirrors."
  }

  assert {
    condition     = length(aws_cloudwatch_event_target.partition_replicate[0].dead_letter_config) == 1
    error_message = "An event that EventBridge cannot deliver would be lost."
  }

  assert {
    condition     = aws_s3_bucket_notification.partition_replicate[0].eventbridge
    error_message = "The bucket sends no events to EventBridge."
  }
}

run "only_the_rule_may_invoke_enqueue_by_its_arn" {
  assert {
    condition = (
      aws_lambda_permission.partition_replicate[0].principal == "events.amazonaws.com"
      && aws_lambda_permission.partition_replicate[0].source_arn == "arn:aws:events:eu-west-1:123456789012:rule/a-rule"
      && aws_lambda_permission.partition_replicate[0].source_account == null
    )
    error_message = "Another rule could invoke the function, or a source account may stop EventBridge from invoking it."
  }
}

run "undelivered_events_and_table_are_kept" {
  assert {
    condition     = aws_sqs_queue.partition_replicate_undelivered[0].message_retention_seconds == 1209600
    error_message = "Undelivered events are not kept for 14 days."
  }

  assert {
    condition = (
      aws_dynamodb_table.partition_replicate[0].point_in_time_recovery[0].enabled
      && aws_dynamodb_table.partition_replicate[0].server_side_encryption[0].enabled
      && aws_dynamodb_table.partition_replicate[0].ttl[0].attribute_name == "ExpiresAt"
    )
    error_message = "The table cannot be restored, is not encrypted, or grows without limit."
  }
}

run "functions_have_only_the_permissions_that_they_need" {
  assert {
    condition = { for statement in module.partition_replicate[0].policy.Statement : statement.Sid => statement.Action if !contains(["WriteLog", "TakeWork", "SendDeadLetters"], statement.Sid) } == {
      FindObjects = ["s3:ListBucket", "s3:GetBucketVersioning", "s3:ListBucketVersions"]
      ReadSource = [
        "s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging",
        "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
      ]
      Remember        = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
      AskForToken     = ["sts:GetWebIdentityToken"]
      CarryOnOrGiveUp = ["sqs:SendMessage"]
      LookAgainLater  = ["sqs:SendMessage"]
    }
    error_message = "replicate has more or fewer permissions than it needs."
  }

  assert {
    condition = { for statement in module.partition_replicate_enqueue[0].policy.Statement : statement.Sid => statement.Action if !contains(["WriteLog", "SendDeadLetters"], statement.Sid) } == {
      TakeWork      = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      SendWork      = ["sqs:SendMessage"]
      RenewOrGiveUp = ["sqs:SendMessage"]
    }
    error_message = "enqueue must be allowed to send messages and to process the recheck queue, and nothing else."
  }
}

run "destination_is_created_in_its_own_partition_with_its_own_role" {
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy).Statement : statement.Sid => statement.Resource } == {
      FindObjects     = ["arn:aws-us-gov:s3:::bucket-brigade-123456789012-eu-west-1-mirror"]
      CompareAndWrite = ["arn:aws-us-gov:s3:::bucket-brigade-123456789012-eu-west-1-mirror/*"]
    }
    error_message = "The role has permissions outside the mirror."
  }

  assert {
    condition     = length(module.partition_replicate_destination_bucket) == 1
    error_message = "Terraform creates no bucket although none exists."
  }
}

run "role_of_the_mirror_has_only_the_permissions_that_the_task_needs" {
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy).Statement : statement.Sid => statement.Action } == {
      FindObjects = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketVersioning", "s3:ListBucketVersions"]
      CompareAndWrite = [
        "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:GetObjectTagging", "s3:ListMultipartUploadParts",
        "s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
        "s3:DeleteObjectVersion", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersion", "s3:GetObjectVersionTagging",
        "s3:DeleteObjectAnnotation", "s3:DeleteObjectVersionAnnotation",
        "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
        "s3:PutObjectAnnotation", "s3:PutObjectVersionAnnotation",
      ]
    }
    error_message = "The role has more or fewer permissions than the task needs."
  }
}

run "settings_for_versions_reach_the_function" {
  variables {
    partition_replicate_versions        = "all"
    partition_replicate_version_deletes = "mirror"
  }

  assert {
    condition = (
      module.partition_replicate[0].environment["VERSIONS"] == "all"
      && module.partition_replicate[0].environment["VERSION_DELETES"] == "mirror"
    )
    error_message = "The function does not get the settings for versions."
  }
}

run "mirror_of_current_versions_may_only_read_and_tag_versions" {
  variables {
    partition_replicate_versions = "current"
  }

  assert {
    condition = toset(flatten([
      for statement in concat(jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy).Statement, module.partition_replicate[0].policy.Statement) :
      [for action in statement.Action : action if(strcontains(action, "Version") && !endswith(action, "Annotation") && !endswith(action, "Annotations")) || action == "dynamodb:Query"]
    ])) == toset(["s3:GetObjectVersion", "s3:PutObjectVersionTagging"])
    error_message = "There are more permissions on versions than mirroring the current version needs."
  }
}

run "store_outside_aws_gets_no_resources" {
  variables {
    partition_replicate_destination_bucket       = "my-mirror"
    partition_replicate_destination_endpoint_url = "https://s3.example.org"
  }

  assert {
    condition = length(flatten([
      module.partition_replicate_destination_bucket, aws_iam_user.partition_replicate, aws_iam_role.partition_replicate_destination,
      aws_iam_openid_connect_provider.partition_replicate,
    ])) == 0
    error_message = "Terraform creates resources in AWS for a destination outside AWS."
  }

  assert {
    condition = (
      module.partition_replicate[0].environment["DEST_ENDPOINT_URL"] == "https://s3.example.org"
      && module.partition_replicate[0].environment["DEST_SECRET"] == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-secret"
      && module.partition_replicate[0].environment["DEST_ROLE_ARN"] == ""
    )
    error_message = "The function does not get the URL of the store, or the secret with its key."
  }
}

run "partial_failure_lag_depth_and_undelivered_events_start_alarms" {
  variables {
    alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms"
  }

  assert {
    condition = alltrue([
      for alarm in [
        aws_cloudwatch_metric_alarm.partition_replicate_lag[0], aws_cloudwatch_metric_alarm.partition_replicate_depth[0],
        aws_cloudwatch_metric_alarm.partition_replicate_undelivered[0],
      ] : alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:alarms"])
    ])
    error_message = "An alarm sends no message."
  }

  assert {
    condition = module.partition_replicate[0].alarms["bucket-brigade-partition-replicate-failed-objects"] == {
      metric     = "Failed"
      dimensions = tomap({ deployment = "bucket-brigade", service = "partition_replicate", function_name = "bucket-brigade-partition-replicate" })
      actions    = toset(["arn:aws:sns:eu-west-1:123456789012:alarms"])
    }
    error_message = "One failed object in an otherwise successful batch would start no alarm."
  }

  assert {
    condition = toset(flatten([
      for query in aws_cloudwatch_metric_alarm.partition_replicate_lag[0].metric_query : [for metric in query.metric : metric.metric_name]
    ])) == toset(["ApproximateAgeOfOldestMessage", "EventAge"])
    error_message = "The lag must cover both waiting and processed events."
  }
}

run "continuations_and_rechecks_are_not_loops_and_start_no_alarm" {
  assert {
    condition = (
      contains(keys(module.partition_replicate[0].alarms), "bucket-brigade-partition-replicate-recursion")
      && contains(keys(module.partition_replicate_enqueue[0].alarms), "bucket-brigade-partition-replicate-enqueue-recursion")
      && !contains(keys(module.partition_replicate[0].alarms), "bucket-brigade-partition-replicate-duration")
    )
    error_message = "Lambda would stop large objects after about 16 continuations, and rechecks in a long outage too."
  }
}

run "keys_are_checked_again_after_fifteen_minutes" {
  override_module {
    target = module.partition_replicate_queue[0]
    outputs = {
      arn                   = "arn:aws:sqs:eu-west-1:123456789012:work.fifo"
      url                   = "https://sqs.example/work.fifo"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:dead.fifo"
      dead_letter_queue_url = "https://sqs.example/dead.fifo"
      max_receive_count     = 10
      delay_seconds         = 0
    }
  }

  assert {
    condition     = module.partition_replicate_recheck_queue[0].delay_seconds == 900
    error_message = "A server may still carry out a request after the recheck of its key."
  }

  assert {
    condition = {
      for statement in module.partition_replicate_enqueue[0].policy.Statement : statement.Sid => join(" ", distinct(statement.Resource))
      if contains(["SendWork", "RenewOrGiveUp", "TakeWork"], statement.Sid)
      } == {
      SendWork      = "arn:aws:sqs:eu-west-1:123456789012:work.fifo"
      RenewOrGiveUp = "arn:aws:sqs:eu-west-1:123456789012:a-queue"
      TakeWork      = "arn:aws:sqs:eu-west-1:123456789012:a-queue"
    }
    error_message = "enqueue may send to, or receive from, a wrong queue."
  }

  assert {
    condition = {
      for statement in module.partition_replicate[0].policy.Statement : statement.Sid => join(" ", distinct(statement.Resource))
      if contains(["CarryOnOrGiveUp", "LookAgainLater", "TakeWork"], statement.Sid)
      } == {
      CarryOnOrGiveUp = "arn:aws:sqs:eu-west-1:123456789012:work.fifo arn:aws:sqs:eu-west-1:123456789012:dead.fifo"
      LookAgainLater  = "arn:aws:sqs:eu-west-1:123456789012:a-queue"
      TakeWork        = "arn:aws:sqs:eu-west-1:123456789012:work.fifo"
    }
    error_message = "replicate may send to, or receive from, a wrong queue."
  }
}

run "output_says_that_the_first_minutes_may_be_missed" {
  assert {
    condition     = strcontains(output.partition_replicate.next_steps, "ten minutes after the first apply")
    error_message = "The output does not warn that the mirror may miss changes in the first minutes."
  }
}

run "mirror_may_be_in_the_sovereign_cloud" {
  override_data {
    target = data.aws_partition.destination[0]
    values = { partition = "aws-eusc" }
  }

  override_data {
    target = data.aws_region.destination[0]
    values = { id = "eusc-de-east-1" }
  }

  variables {
    partition_replicate_destination_region      = "eusc-de-east-1"
    partition_replicate_destination_kms_key_arn = "arn:aws-eusc:kms:eusc-de-east-1:123456789012:key/1234"
  }

  assert {
    condition = (
      module.partition_replicate[0].environment["DEST_BUCKET_REGION"] == "eusc-de-east-1"
      && local.partition_replicate_dest_arn == "arn:aws-eusc:s3:::bucket-brigade-123456789012-eu-west-1-mirror"
    )
    error_message = "The mirror's region or ARN is not in the European Sovereign Cloud."
  }
}

run "lag_counts_only_this_deployment" {
  assert {
    condition = [
      for query in aws_cloudwatch_metric_alarm.partition_replicate_lag[0].metric_query : one(query.metric).dimensions if query.id == "worked_on"
    ] == [tomap({ deployment = "bucket-brigade", service = "partition_replicate", function_name = "bucket-brigade-partition-replicate" })]
    error_message = "The lag of another deployment would start the alarm."
  }
}

run "keys_of_the_source_may_decrypt_and_not_encrypt" {
  variables {
    partition_replicate_source_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/source"]
  }

  assert {
    condition = { for statement in module.partition_replicate[0].policy.Statement : statement.Sid => statement.Action if strcontains(join("", statement.Action), "kms:") } == {
      ReadUnderKeys = ["kms:Decrypt"]
    }
    error_message = "replicate must be allowed to decrypt with the key of the source, and not to encrypt."
  }
}

run "disabled_task_has_no_resources" {
  variables {
    partition_replicate_enabled = false
  }

  assert {
    condition     = output.partition_replicate == null
    error_message = "The output of a disabled task must be null."
  }

  assert {
    condition = length(flatten([
      module.partition_replicate, module.partition_replicate_enqueue, module.partition_replicate_queue,
      module.partition_replicate_recheck_queue,
      aws_sqs_queue.partition_replicate_undelivered, aws_dynamodb_table.partition_replicate, aws_iam_user.partition_replicate,
      aws_secretsmanager_secret.partition_replicate, aws_cloudwatch_event_rule.partition_replicate,
      aws_iam_role.partition_replicate_destination, aws_iam_openid_connect_provider.partition_replicate,
    ])) == 0
    error_message = "Resources of the disabled task remain."
  }
}

run "missing_source_bucket_is_refused" {
  command = plan

  variables {
    partition_replicate_source_bucket = null
  }

  expect_failures = [var.partition_replicate_source_bucket]
}

run "source_with_a_notification_of_archive_copy_is_refused" {
  command = plan

  variables {
    archive_copy_enabled       = true
    archive_copy_source_bucket = "my-data"
  }

  expect_failures = [var.partition_replicate_manage_notification]
}

run "store_without_a_bucket_is_refused" {
  command = plan

  variables {
    partition_replicate_destination_endpoint_url = "https://s3.example.org"
  }

  expect_failures = [var.partition_replicate_destination_bucket]
}

run "plain_http_is_refused" {
  command = plan

  variables {
    partition_replicate_destination_bucket       = "my-mirror"
    partition_replicate_destination_endpoint_url = "http://s3.example.org"
  }

  expect_failures = [output.partition_replicate]
}

run "unknown_deletes_setting_is_refused" {
  command = plan

  variables {
    partition_replicate_deletes         = "sometimes"
    partition_replicate_version_deletes = "sometimes"
  }

  expect_failures = [var.partition_replicate_deletes, var.partition_replicate_version_deletes]
}

run "unknown_versions_setting_is_refused" {
  command = plan

  variables {
    partition_replicate_versions = "some"
  }

  expect_failures = [var.partition_replicate_versions]
}

run "mirrored_version_deletes_without_all_versions_are_refused" {
  command = plan

  variables {
    partition_replicate_versions        = "current"
    partition_replicate_version_deletes = "mirror"
  }

  expect_failures = [var.partition_replicate_version_deletes]
}

run "numbers_out_of_range_are_refused" {
  command = plan

  variables {
    partition_replicate_memory_mb           = 128
    partition_replicate_timeout_seconds     = 901
    partition_replicate_maximum_concurrency = 1
    partition_replicate_lag_alarm_seconds   = 1
  }

  expect_failures = [
    var.partition_replicate_memory_mb, var.partition_replicate_timeout_seconds,
    var.partition_replicate_maximum_concurrency, var.partition_replicate_lag_alarm_seconds,
  ]
}

run "names_that_aws_would_refuse_are_refused" {
  command = plan

  variables {
    partition_replicate_destination_region      = "Virginia"
    partition_replicate_destination_profile     = ""
    partition_replicate_destination_kms_key_arn = "alias/mine"
    partition_replicate_prefixes                = [""]
  }

  expect_failures = [
    var.partition_replicate_destination_region, var.partition_replicate_destination_profile,
    var.partition_replicate_destination_kms_key_arn, var.partition_replicate_prefixes,
  ]
}

run "mirror_without_annotations_has_no_permissions_on_them_and_no_events" {
  variables {
    partition_replicate_annotations = "ignore"
  }

  assert {
    condition     = module.partition_replicate[0].environment["ANNOTATIONS"] == "ignore"
    error_message = "The function does not get the setting for annotations."
  }

  assert {
    condition = !strcontains(
      join("", [jsonencode(module.partition_replicate[0].policy), local.partition_replicate_dest_policy, aws_cloudwatch_event_rule.partition_replicate[0].event_pattern]),
      "Annotation",
    )
    error_message = "A permission or the rule includes annotations although they are ignored."
  }
}
