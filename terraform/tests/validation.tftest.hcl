# Each variable refuses what cannot work, before anything is made.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

variables {
  package_dir = "./tests/packages"
}

run "longest_names_that_fit_are_taken" {
  command = plan

  variables {
    name_prefix           = "twenty-eight-characters-long"
    archive_copy_archives = { abc = { extensions = ["other"] } }
  }

  assert {
    condition     = length(output.archive_copy.archive_buckets["abc"]) == 63
    error_message = "The name of the bucket is not put together as its length is reckoned."
  }
}

run "name_prefix_too_long_is_refused" {
  command = plan

  variables {
    name_prefix = "twenty-nine-characters-is-one"
  }

  expect_failures = [var.name_prefix]
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

run "retention_that_cloudwatch_does_not_know_is_refused" {
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

run "made_bucket_name_over_63_characters_is_refused" {
  command = plan

  variables {
    name_prefix           = "twenty-eight-characters-long"
    archive_copy_archives = { abcd = { extensions = ["other"] } }
  }

  expect_failures = [var.archive_copy_archives]
}

run "archive_that_is_the_source_is_refused" {
  command = plan

  variables {
    archive_copy_archives      = { all = { extensions = ["other"], bucket = "my-frozen-data" } }
    archive_copy_source_bucket = "my-frozen-data"
  }

  expect_failures = [var.archive_copy_archives]
}

run "no_try_at_all_is_refused" {
  command = plan

  variables {
    archive_copy_retries = 0
  }

  expect_failures = [var.archive_copy_retries]
}

run "half_a_try_is_refused" {
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

run "no_concurrency_is_refused" {
  command = plan

  variables {
    archive_copy_concurrency = 0
  }

  expect_failures = [var.archive_copy_concurrency]
}

run "memory_under_the_least_is_refused" {
  command = plan

  variables {
    archive_copy_memory_mb = 127
  }

  expect_failures = [var.archive_copy_memory_mb]
}

run "timeout_over_the_most_is_refused" {
  command = plan

  variables {
    archive_copy_timeout_seconds = 901
  }

  expect_failures = [var.archive_copy_timeout_seconds]
}

run "batch_over_the_most_is_refused" {
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

run "queues_start_a_finite_number_of_invocations" {
  command = plan

  assert {
    condition     = [var.archive_copy_maximum_concurrency, var.partition_replicate_maximum_concurrency, var.upload_validate_maximum_concurrency] == [20, 20, 5]
    error_message = "A queue could take every invocation of the account."
  }
}

run "maximum_concurrency_over_the_most_is_refused" {
  command = plan

  variables {
    archive_copy_maximum_concurrency        = 1001
    partition_replicate_maximum_concurrency = 1001
    upload_validate_maximum_concurrency     = 1001
  }

  expect_failures = [var.archive_copy_maximum_concurrency, var.partition_replicate_maximum_concurrency, var.upload_validate_maximum_concurrency]
}

run "unknown_choice_about_annotations_of_archive_copy_is_refused" {
  command = plan

  variables {
    archive_copy_annotations = "drop"
  }

  expect_failures = [var.archive_copy_annotations]
}

run "unknown_choice_about_annotations_of_partition_replicate_is_refused" {
  command = plan

  variables {
    partition_replicate_annotations = "drop"
  }

  expect_failures = [var.partition_replicate_annotations]
}
