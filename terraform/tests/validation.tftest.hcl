# Each variable refuses a wrong value before Terraform creates a resource.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

variables {
  package_dir = "./tests/packages"
  # A federated mirror needs a second partition, and the mocked providers have only one.
  partition_replicate_credentials = "access_key"
}

run "longest_names_that_fit_are_accepted" {
  command = plan

  variables {
    name_prefix           = "thirty-characters-long-is-this"
    archive_copy_archives = { a = { extensions = ["other"] } }
  }

  assert {
    condition     = length(output.archive_copy.archive_buckets["a"]) == 63
    error_message = "The bucket's name differs from the name whose length the validation checks."
  }
}

run "name_prefix_too_long_for_a_bucket_is_refused" {
  command = plan

  # AWS allows 63 characters for a bucket's name. This prefix, the account (12), the region (9), "source" and three hyphens
  # are 64.
  variables {
    name_prefix           = "thirty-four-characters-are-a-prefx"
    archive_copy_archives = { all = { extensions = ["other"], bucket = "mine" } }
  }

  expect_failures = [var.name_prefix]
}

run "name_prefix_may_be_as_long_as_the_longest_role_allows" {
  command = plan

  # AWS allows 64 characters for a role's name: this prefix, "-partition-replicate-enqueue-" (29) and the region (14).
  override_data {
    target = data.aws_region.current
    values = { id = "ap-southeast-1" }
  }

  variables {
    name_prefix                       = "twenty-one-chars-long"
    archive_copy_enabled              = false
    partition_replicate_enabled       = true
    partition_replicate_source_bucket = "my-data"
  }

  assert {
    condition     = length("${module.partition_replicate_enqueue[0].function_name}-${local.region}") == 64
    error_message = "The longest role name differs from the name whose length the validation checks."
  }
}

run "name_prefix_too_long_for_the_longest_role_is_refused" {
  command = plan

  override_data {
    target = data.aws_region.current
    values = { id = "ap-southeast-1" }
  }

  variables {
    name_prefix                       = "twenty-two-chars-longx"
    archive_copy_enabled              = false
    partition_replicate_enabled       = true
    partition_replicate_source_bucket = "my-data"
  }

  expect_failures = [var.name_prefix]
}

run "name_prefix_too_long_for_the_quarantine_is_refused_unless_a_bucket_exists" {
  command = plan

  variables {
    name_prefix                        = "thirty-characters-long-is-this"
    archive_copy_enabled               = false
    upload_validate_enabled            = true
    upload_validate_github_repo        = "octocat/imports"
    upload_validate_webhook_url        = "https://example.org/hook"
    upload_validate_quarantine_enabled = true
  }

  expect_failures = [var.name_prefix]
}

run "bucket_with_notifications_of_upload_validate_and_archive_copy_is_refused" {
  command = plan

  variables {
    archive_copy_source_bucket    = "my-data"
    upload_validate_enabled       = true
    upload_validate_upload_bucket = "my-data"
    upload_validate_github_repo   = "octocat/imports"
    upload_validate_webhook_url   = "https://example.org/hook"
  }

  expect_failures = [var.upload_validate_manage_notification]
}

run "bucket_with_notifications_of_upload_validate_and_the_mirror_is_refused" {
  command = plan

  variables {
    archive_copy_enabled              = false
    partition_replicate_enabled       = true
    partition_replicate_source_bucket = "bucket-brigade-123456789012-eu-west-1-uploads"
    upload_validate_enabled           = true
    upload_validate_github_repo       = "octocat/imports"
    upload_validate_webhook_url       = "https://example.org/hook"
  }

  expect_failures = [var.upload_validate_manage_notification]
}

run "bucket_with_a_notification_of_one_task_may_serve_two" {
  command = plan

  variables {
    archive_copy_source_bucket          = "my-data"
    upload_validate_enabled             = true
    upload_validate_upload_bucket       = "my-data"
    upload_validate_manage_notification = false
    upload_validate_github_repo         = "octocat/imports"
    upload_validate_webhook_url         = "https://example.org/hook"
  }
}

run "unknown_storage_class_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { all = { extensions = ["other"], storage_class = "ICE" } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "life_cycle_of_an_existing_bucket_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { all = { extensions = ["other"], bucket = "mine", noncurrent_versions_expire_after_days = 30 } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "half_a_day_before_expiry_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { all = { extensions = ["other"], noncurrent_versions_expire_after_days = 0.5 } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "alias_instead_of_a_bucket_key_is_refused" {
  command = plan

  variables {
    archive_copy_archives                   = { all = { extensions = ["other"], kms_key_arns = ["alias/mine"] } }
    archive_copy_source_kms_key_arns        = ["alias/mine"]
    partition_replicate_source_kms_key_arns = ["alias/mine"]
    upload_validate_upload_kms_key_arns     = ["alias/mine"]
    upload_validate_final_kms_key_arns      = ["alias/mine"]
    upload_validate_quarantine_kms_key_arns = ["alias/mine"]
  }

  expect_failures = [
    var.archive_copy_archives, var.archive_copy_source_kms_key_arns, var.partition_replicate_source_kms_key_arns,
    var.upload_validate_upload_kms_key_arns, var.upload_validate_final_kms_key_arns, var.upload_validate_quarantine_kms_key_arns,
  ]
}

run "name_prefix_with_capital_is_refused" {
  command = plan

  variables {
    name_prefix = "Brigade"
  }

  expect_failures = [var.name_prefix]
}

run "tag_of_aws_is_refused" {
  command = plan

  variables {
    tags = { "aws:owner" = "me" }
  }

  expect_failures = [var.tags]
}

run "alarm_topic_without_arn_is_refused" {
  command = plan

  variables {
    alarm_topic_arn = "alarms"
  }

  expect_failures = [var.alarm_topic_arn]
}

run "kms_alias_is_refused" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "retention_that_cloudwatch_does_not_support_is_refused" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "unknown_logging_level_is_refused" {
  command = plan

  variables {
    logging_level = "LOUD"
  }

  expect_failures = [var.logging_level]
}

run "package_dir_without_zips_is_refused" {
  command = plan

  variables {
    package_dir = "./no-such-folder"
  }

  expect_failures = [var.package_dir]
}

run "package_bucket_that_is_a_url_is_refused" {
  command = plan

  variables {
    package_bucket = "s3://packages"
    package_hashes = { archive_copy = "0123abcd" }
  }

  expect_failures = [var.package_bucket]
}

run "package_prefix_without_slash_is_refused" {
  command = plan

  variables {
    package_prefix = "packages"
  }

  expect_failures = [var.package_prefix]
}

run "package_prefix_that_begins_with_slash_is_refused" {
  command = plan

  variables {
    package_prefix = "/packages/"
  }

  expect_failures = [var.package_prefix]
}

run "package_bucket_without_hash_is_refused" {
  command = plan

  variables {
    package_hashes = {}
    package_bucket = "my-packages"
  }

  expect_failures = [var.package_hashes]
}

run "hash_that_is_a_file_name_is_refused" {
  command = plan

  variables {
    package_hashes = { archive_copy = "0123abcd.zip" }
  }

  expect_failures = [var.package_hashes]
}

run "runtime_of_another_language_is_refused" {
  command = plan

  variables {
    runtime = "nodejs22.x"
  }

  expect_failures = [var.runtime]
}

run "unknown_architecture_is_refused" {
  command = plan

  variables {
    architecture = "riscv"
  }

  expect_failures = [var.architecture]
}

run "source_bucket_that_is_an_arn_is_refused" {
  command = plan

  variables {
    archive_copy_source_bucket = "arn:aws:s3:::mine"
  }

  expect_failures = [var.archive_copy_source_bucket]
}

run "no_archive_is_refused" {
  command = plan

  variables {
    archive_copy_archives = {}
  }

  expect_failures = [var.archive_copy_archives]
}

run "archive_without_extension_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { all = { extensions = [] } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "archive_name_with_capital_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { All = { extensions = ["other"] } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "extension_without_dot_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { all = { extensions = ["txt"] } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "extension_in_two_archives_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { one = { extensions = [".txt"] }, two = { extensions = [".TXT"] } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "archive_bucket_that_is_a_path_is_refused" {
  command = plan

  variables {
    archive_copy_archives = { all = { extensions = ["other"], bucket = "mine/folder" } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "created_bucket_name_over_63_characters_is_refused" {
  command = plan

  variables {
    name_prefix           = "twenty-eight-characters-long"
    archive_copy_archives = { abcd = { extensions = ["other"] } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "source_as_an_archive_is_refused" {
  command = plan

  variables {
    archive_copy_archives      = { all = { extensions = ["other"], bucket = "my-frozen-data" } }
    archive_copy_source_bucket = "my-frozen-data"
  }

  expect_failures = [var.archive_copy_archives]
}

run "zero_attempts_are_refused" {
  command = plan

  variables {
    archive_copy_retries = 0
  }

  expect_failures = [var.archive_copy_retries]
}

run "half_an_attempt_is_refused" {
  command = plan

  variables {
    archive_copy_retries = 2.5
  }

  expect_failures = [var.archive_copy_retries]
}

run "negative_sleep_is_refused" {
  command = plan

  variables {
    archive_copy_retry_sleep_seconds = -1
  }

  expect_failures = [var.archive_copy_retry_sleep_seconds]
}

run "zero_concurrency_is_refused" {
  command = plan

  variables {
    archive_copy_concurrency = 0
  }

  expect_failures = [var.archive_copy_concurrency]
}

run "memory_under_the_minimum_is_refused" {
  command = plan

  variables {
    archive_copy_memory_mb = 127
  }

  expect_failures = [var.archive_copy_memory_mb]
}

run "timeout_over_the_maximum_is_refused" {
  command = plan

  variables {
    archive_copy_timeout_seconds = 901
  }

  expect_failures = [var.archive_copy_timeout_seconds]
}

run "batch_over_the_maximum_is_refused" {
  command = plan

  variables {
    archive_copy_batch_size = 11
  }

  expect_failures = [var.archive_copy_batch_size]
}

run "reserved_concurrency_of_zero_is_refused" {
  command = plan

  variables {
    archive_copy_reserved_concurrency = 0
  }

  expect_failures = [var.archive_copy_reserved_concurrency]
}

run "maximum_concurrency_of_one_is_refused" {
  command = plan

  variables {
    archive_copy_maximum_concurrency = 1
  }

  expect_failures = [var.archive_copy_maximum_concurrency]
}

run "queues_limit_their_invocations" {
  command = plan

  assert {
    condition     = [var.archive_copy_maximum_concurrency, var.partition_replicate_maximum_concurrency, var.upload_validate_maximum_concurrency] == [20, 20, 5]
    error_message = "A queue could use all concurrency of the account."
  }
}

run "maximum_concurrency_over_the_limit_is_refused" {
  command = plan

  variables {
    archive_copy_maximum_concurrency        = 1001
    partition_replicate_maximum_concurrency = 1001
    upload_validate_maximum_concurrency     = 1001
  }

  expect_failures = [var.archive_copy_maximum_concurrency, var.partition_replicate_maximum_concurrency, var.upload_validate_maximum_concurrency]
}

run "unknown_annotations_setting_of_archive_copy_is_refused" {
  command = plan

  variables {
    archive_copy_annotations = "drop"
  }

  expect_failures = [var.archive_copy_annotations]
}

run "unknown_annotations_setting_of_partition_replicate_is_refused" {
  command = plan

  variables {
    partition_replicate_annotations = "drop"
  }

  expect_failures = [var.partition_replicate_annotations]
}

run "unknown_older_versions_setting_is_refused" {
  command = plan

  variables {
    archive_copy_older_versions = "overwrite"
  }

  expect_failures = [var.archive_copy_older_versions]
}
