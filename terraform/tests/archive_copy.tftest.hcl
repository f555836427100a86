# The whole of archive_copy: resources, names, settings and permissions. These tests need neither AWS nor the network.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable.
variables {
  disposable_buckets = true
  package_dir        = "./tests/packages"
}

run "defaults_create_source_and_one_archive" {
  assert {
    condition = output.archive_copy == {
      function_name         = "bucket-brigade-archive-copy"
      function_arn          = "arn:aws:lambda:eu-west-1:123456789012:function:a-function"
      source_bucket         = "bucket-brigade-123456789012-eu-west-1-source"
      archive_buckets       = { all = "bucket-brigade-123456789012-eu-west-1-archive-all" }
      bucket_map            = { other = "bucket-brigade-123456789012-eu-west-1-archive-all" }
      queue_url             = "https://sqs.example/a-queue"
      dead_letter_queue_url = "https://sqs.example/a-queue"
      batch_role_arn        = "arn:aws:iam::123456789012:role/a-role"
      report_bucket         = "bucket-brigade-123456789012-eu-west-1-batch"
    }
    error_message = "The default names and addresses differ from the documented ones."
  }

  assert {
    condition = module.archive_copy[0].environment == tomap({
      SOURCE_BUCKET         = "bucket-brigade-123456789012-eu-west-1-source"
      bucket_map            = "{\"other\":\"bucket-brigade-123456789012-eu-west-1-archive-all\"}"
      copy_retries          = "3"
      copy_retry_sleep_secs = "1"
      BUCKET_OWNERS         = "{\"*\":\"123456789012\"}"
      COPY_CONCURRENCY      = "8"
      ANNOTATIONS           = "carry"
      OLDER_VERSIONS        = "refuse"
      DIRECT_REQUESTS       = "off"
      WORK_QUEUE            = "https://sqs.example/a-queue"
      DEAD_LETTER_QUEUE     = "https://sqs.example/a-queue"
      MAX_RECEIVES          = "10"
      LOGGING_LEVEL         = "INFO"
      DEPLOYMENT            = "bucket-brigade"
    })
    error_message = "The function's environment differs from the names that its settings read."
  }

  assert {
    condition     = aws_s3_bucket_notification.archive_copy[0].bucket == "bucket-brigade-123456789012-eu-west-1-source"
    error_message = "The notification is not on the source bucket."
  }

  assert {
    condition     = aws_s3_bucket_notification.archive_copy[0].queue[*].events == tolist([toset(["s3:ObjectRestore:Completed"])])
    error_message = "Only a completed restore must start a copy."
  }
}

run "extensions_map_to_the_buckets_of_their_archives" {
  variables {
    name_prefix = "b2"
    archive_copy_archives = {
      public    = { extensions = [".txt", ".tar.gz"] }
      protected = { extensions = [".hdf", "other"], bucket = "existing-one" }
    }
  }

  assert {
    condition = output.archive_copy.bucket_map == {
      ".txt"    = "b2-123456789012-eu-west-1-archive-public"
      ".tar.gz" = "b2-123456789012-eu-west-1-archive-public"
      ".hdf"    = "existing-one"
      other     = "existing-one"
    }
    error_message = "bucket_map does not match the archives."
  }

  assert {
    condition     = keys(module.archive_copy_archive_bucket) == ["public"]
    error_message = "Terraform must create a bucket only for the archive without an existing one."
  }

  assert {
    condition = { for statement in module.archive_copy[0].policy.Statement : statement.Sid => statement if !contains(["WriteLog", "TakeWork", "SendDeadLetters"], statement.Sid) } == {
      FindObjects = {
        Sid    = "FindObjects"
        Effect = "Allow"
        Action = ["s3:ListBucket"]
        Resource = [
          "arn:aws:s3:::b2-123456789012-eu-west-1-source",
          "arn:aws:s3:::existing-one",
          "arn:aws:s3:::b2-123456789012-eu-west-1-archive-public",
        ]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      }
      FindOpenUploads = {
        Sid       = "FindOpenUploads"
        Effect    = "Allow"
        Action    = ["s3:ListBucketMultipartUploads"]
        Resource  = ["arn:aws:s3:::existing-one", "arn:aws:s3:::b2-123456789012-eu-west-1-archive-public"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      }
      FindVersions = {
        Sid       = "FindVersions"
        Effect    = "Allow"
        Action    = ["s3:ListBucketVersions"]
        Resource  = ["arn:aws:s3:::b2-123456789012-eu-west-1-source"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      }
      ReadSource = {
        Sid    = "ReadSource"
        Effect = "Allow"
        Action = [
          "s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging",
          "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
        ]
        Resource  = ["arn:aws:s3:::b2-123456789012-eu-west-1-source/*"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      }
      CompareAndWriteArchives = {
        Sid    = "CompareAndWriteArchives"
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectTagging", "s3:ListMultipartUploadParts", "s3:PutObject",
          "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
          "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
          "s3:PutObjectAnnotation", "s3:PutObjectVersionAnnotation",
        ]
        Resource = [
          "arn:aws:s3:::existing-one/*",
          "arn:aws:s3:::b2-123456789012-eu-west-1-archive-public/*",
        ]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      }
      RenewWork = {
        Sid      = "RenewWork"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = ["arn:aws:sqs:eu-west-1:123456789012:a-queue"]
      }
    }
    error_message = "The function must be allowed to read the source and to compare and write its archives, and nothing else."
  }
}

run "existing_buckets_are_used_and_not_created" {
  variables {
    archive_copy_source_bucket = "my-frozen-data"
    archive_copy_archives      = { all = { extensions = ["other"], bucket = "my-archive" } }
  }

  assert {
    condition     = length(module.archive_copy_source_bucket) == 0 && length(module.archive_copy_archive_bucket) == 0
    error_message = "Terraform creates a bucket although all buckets exist."
  }

  assert {
    condition     = output.archive_copy.source_bucket == "my-frozen-data" && output.archive_copy.archive_buckets == { all = "my-archive" }
    error_message = "The function does not use the existing buckets."
  }

  assert {
    condition     = aws_s3_bucket_notification.archive_copy[0].bucket == "my-frozen-data"
    error_message = "The existing source bucket does not notify the queue."
  }
}

run "notification_is_not_managed_if_disabled" {
  variables {
    archive_copy_source_bucket       = "my-frozen-data"
    archive_copy_manage_notification = false
  }

  assert {
    condition     = length(aws_s3_bucket_notification.archive_copy) == 0
    error_message = "Terraform would replace the notification of the existing bucket."
  }
}

run "disabled_task_has_no_resources" {
  variables {
    archive_copy_enabled = false
    package_dir          = "./no-such-folder"
  }

  assert {
    condition     = output.archive_copy == null
    error_message = "The output of a disabled task must be null."
  }

  assert {
    condition = length(flatten([
      keys(module.archive_copy_archive_bucket), module.archive_copy_source_bucket, module.archive_copy_queue, module.archive_copy,
      aws_s3_bucket_notification.archive_copy,
    ])) == 0
    error_message = "Resources of the disabled task remain."
  }
}

run "code_comes_from_the_package_bucket_by_hash" {
  variables {
    package_dir    = "./no-such-folder"
    package_bucket = "my-packages"
    package_prefix = "bucket-brigade/"
    package_hashes = { archive_copy = "0123abcd" }
  }

  assert {
    condition     = jsonencode(local.packages) == jsonencode({ archive_copy = { file = null, bucket = "my-packages", key = "bucket-brigade/archive_copy/0123abcd.zip" } })
    error_message = "The key of the zip differs from the key that the build uploads."
  }
}

run "one_failed_object_starts_an_alarm" {
  variables {
    alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms"
  }

  assert {
    condition = module.archive_copy[0].alarms["bucket-brigade-archive-copy-failed-objects"] == {
      metric     = "Failed"
      dimensions = tomap({ deployment = "bucket-brigade", service = "archive_copy", function_name = "bucket-brigade-archive-copy" })
      actions    = toset(["arn:aws:sns:eu-west-1:123456789012:alarms"])
    }
    error_message = "One failed object in an otherwise successful batch would start no alarm."
  }
}

run "each_archive_has_its_own_storage_class_and_keys" {
  variables {
    archive_copy_source_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/source"]
    archive_copy_archives = {
      cold = { extensions = [".hdf"], storage_class = "DEEP_ARCHIVE", kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/cold"] }
      warm = { extensions = ["other"], bucket = "my-archive" }
    }
  }

  assert {
    condition     = module.archive_copy[0].environment["bucket_map"] == "{\".hdf\":{\"bucket\":\"bucket-brigade-123456789012-eu-west-1-archive-cold\",\"storage_class\":\"DEEP_ARCHIVE\"},\"other\":\"my-archive\"}"
    error_message = "The function does not get the storage class, or an entry without one is no longer a plain bucket name."
  }

  assert {
    condition     = module.archive_copy_source_bucket[0].kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/source" && module.archive_copy_archive_bucket["cold"].kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/cold"
    error_message = "A bucket is not encrypted with its own key."
  }

  assert {
    condition = { for statement in module.archive_copy[0].policy.Statement : statement.Sid => [statement.Action, statement.Resource] if endswith(statement.Sid, "UnderKeys") } == {
      ReadUnderKeys  = [["kms:Decrypt"], ["arn:aws:kms:eu-west-1:123456789012:key/source"]]
      WriteUnderKeys = [["kms:Decrypt", "kms:GenerateDataKey"], ["arn:aws:kms:eu-west-1:123456789012:key/cold"]]
    }
    error_message = "The function has more or fewer permissions on the keys of its buckets than it needs."
  }
}

run "map_that_fits_is_in_the_environment" {
  variables {
    archive_copy_archives = { all = { extensions = [for number in range(200) : ".e${number}"], bucket = "b23" } }
  }

  assert {
    condition     = startswith(module.archive_copy[0].environment["bucket_map"], "{") && length(aws_ssm_parameter.archive_copy_bucket_map) == 0
    error_message = "Terraform creates a parameter for a map that fits into the environment."
  }
}

run "map_that_is_too_long_for_the_environment_is_in_a_parameter" {
  variables {
    archive_copy_archives = { all = { extensions = [for number in range(280) : ".e${number}"], bucket = "b23" } }
  }

  assert {
    condition     = module.archive_copy[0].environment["bucket_map"] == "ssm:${aws_ssm_parameter.archive_copy_bucket_map[0].name}" && aws_ssm_parameter.archive_copy_bucket_map[0].tier == "Standard"
    error_message = "The function does not read the map from the parameter, or the parameter is of the more expensive tier."
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.archive_copy_bucket_map[0].value) == output.archive_copy.bucket_map
    error_message = "The parameter does not contain the map."
  }

  assert {
    condition = [for statement in module.archive_copy[0].policy.Statement : [statement.Action, statement.Resource] if statement.Sid == "ReadBucketMap"] == [
      [["ssm:GetParameter"], ["arn:aws:ssm:eu-west-1:123456789012:parameter${aws_ssm_parameter.archive_copy_bucket_map[0].name}"]]
    ]
    error_message = "The function must be allowed to read that parameter, and no other."
  }
}

run "map_over_4_kb_is_in_an_advanced_parameter" {
  variables {
    archive_copy_archives = { all = { extensions = [for number in range(500) : ".e${number}"], bucket = "b23" } }
  }

  assert {
    condition     = aws_ssm_parameter.archive_copy_bucket_map[0].tier == "Advanced"
    error_message = "The map does not fit into a standard parameter."
  }
}

run "map_over_8_kb_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { all = { extensions = [for number in range(800) : ".e${number}"], bucket = "b23" } }
  }

  expect_failures = [aws_ssm_parameter.archive_copy_bucket_map]
}

# Version 5.100 of the provider itself refuses some ARNs of that region, such as the ARN of an alarm topic.
run "sovereign_cloud_has_its_own_arns" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-eusc" }
  }

  override_data {
    target = data.aws_region.current
    values = { id = "eusc-de-east-1" }
  }

  variables {
    archive_copy_source_kms_key_arns = ["arn:aws-eusc:kms:eusc-de-east-1:123456789012:key/source"]
  }

  assert {
    condition = alltrue([
      for statement in module.archive_copy[0].policy.Statement : alltrue([for resource in statement.Resource : startswith(resource, "arn:aws-eusc:")])
      if contains(["FindObjects", "ReadSource", "CompareAndWriteArchives", "ReadUnderKeys"], statement.Sid)
    ])
    error_message = "An ARN is wrong in the European Sovereign Cloud."
  }

  assert {
    condition     = one([for statement in module.archive_copy[0].policy.Statement : statement.Condition.StringLike["kms:ViaService"] if statement.Sid == "ReadUnderKeys"]) == ["s3.eusc-de-east-1.*"]
    error_message = "The function could not use the key through S3, whose domain there is amazonaws.eu."
  }
}

run "another_partition_has_its_own_arns" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov" }
  }

  override_data {
    target = data.aws_region.current
    values = { id = "us-gov-west-1" }
  }

  assert {
    condition = alltrue([
      for resource in flatten([for statement in module.archive_copy[0].policy.Statement : statement.Resource if !contains(["WriteLog", "TakeWork", "RenewWork", "SendDeadLetters"], statement.Sid)]) :
      startswith(resource, "arn:aws-us-gov:s3:::bucket-brigade-123456789012-us-gov-west-1-")
    ])
    error_message = "An ARN works in one partition only."
  }
}

run "allowed_older_versions_need_no_list_of_versions" {
  variables {
    archive_copy_older_versions = "allow"
  }

  assert {
    condition     = module.archive_copy[0].environment["OLDER_VERSIONS"] == "allow"
    error_message = "The function does not get the setting that an older version may replace a newer one."
  }

  assert {
    condition     = !strcontains(jsonencode(module.archive_copy[0].policy), "s3:ListBucketVersions")
    error_message = "The function may list versions although it does not need to."
  }
}

run "copies_without_annotations_have_no_permissions_on_them" {
  variables {
    archive_copy_annotations = "ignore"
  }

  assert {
    condition     = module.archive_copy[0].environment["ANNOTATIONS"] == "ignore"
    error_message = "The function does not get the setting for annotations."
  }

  assert {
    condition     = !strcontains(jsonencode(module.archive_copy[0].policy), "Annotation")
    error_message = "The function has a permission on annotations."
  }
}
