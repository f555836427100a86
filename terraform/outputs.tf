output "archive_copy" {
  description = "Names and addresses of archive_copy; null if the task is disabled."
  value = !var.archive_copy_enabled ? null : {
    function_name         = module.archive_copy[0].function_name
    function_arn          = module.archive_copy[0].function_arn
    source_bucket         = local.archive_copy_source_bucket
    archive_buckets       = local.archive_copy_buckets
    bucket_map            = local.archive_copy_bucket_map
    queue_url             = module.archive_copy_queue[0].url
    dead_letter_queue_url = module.archive_copy_queue[0].dead_letter_queue_url
    batch_role_arn        = aws_iam_role.batch["archive_copy"].arn
    report_bucket         = module.batch_reports[0].name
  }
}

output "partition_replicate" {
  description = "Names and addresses of partition_replicate; null if the task is disabled."
  value = !var.partition_replicate_enabled ? null : {
    enqueue_function_name         = module.partition_replicate_enqueue[0].function_name
    replicate_function_name       = module.partition_replicate[0].function_name
    replicate_function_arn        = module.partition_replicate[0].function_arn
    source_bucket                 = local.partition_replicate_source_bucket
    destination_bucket            = local.partition_replicate_dest_bucket
    destination_role_arn          = one(aws_iam_role.partition_replicate_destination[*].arn)
    destination_user              = one(aws_iam_user.partition_replicate[*].name)
    secret                        = one(aws_secretsmanager_secret.partition_replicate[*].arn)
    table                         = aws_dynamodb_table.partition_replicate[0].name
    queue_url                     = module.partition_replicate_queue[0].url
    dead_letter_queue_url         = module.partition_replicate_queue[0].dead_letter_queue_url
    recheck_queue_url             = module.partition_replicate_recheck_queue[0].url
    recheck_dead_letter_queue_url = module.partition_replicate_recheck_queue[0].dead_letter_queue_url
    undelivered_queue_url         = aws_sqs_queue.partition_replicate_undelivered[0].url
    batch_role_arn                = aws_iam_role.batch["partition_replicate"].arn
    checksum_role_arn             = aws_iam_role.batch["partition_replicate_checksums"].arn
    report_bucket                 = module.batch_reports[0].name
    next_steps                    = "The mirror may miss changes in the first minutes after EventBridge is enabled. So run `brigade backfill start` ten minutes after the first apply: see \"Objects that were there before the mirror\" in docs/operations.md."
  }

  precondition {
    condition     = local.refused_keys.partition_replicate == ""
    error_message = "${local.refused_keys.partition_replicate} must be an https URL without a user, for example \"https://s3.example.org\", or be empty."
  }
}

output "mirror_check" {
  description = "Names and addresses of mirror_check; null if the task is disabled."
  value = !var.mirror_check_enabled ? null : {
    function_name         = module.mirror_check[0].function_name
    schedule              = aws_scheduler_schedule.mirror_check[0].name
    schedule_group        = aws_scheduler_schedule_group.mirror_check[0].name
    destination_role_arn  = one(aws_iam_role.mirror_check_destination[*].arn)
    queue_url             = module.mirror_check_queue[0].url
    dead_letter_queue_url = module.mirror_check_queue[0].dead_letter_queue_url
    undelivered_queue_url = aws_sqs_queue.partition_replicate_undelivered[0].url
  }
}

output "upload_validate" {
  description = "Names and addresses of upload_validate; null if the task is disabled."
  value = !var.upload_validate_enabled ? null : {
    function_name         = module.upload_validate[0].function_name
    function_arn          = module.upload_validate[0].function_arn
    upload_bucket         = local.upload_validate_upload_bucket
    final_bucket          = local.upload_validate_final_bucket
    quarantine_bucket     = local.upload_validate_quarantine_bucket
    outcomes_table        = local.upload_validate_table
    queue_url             = module.upload_validate_queue[0].url
    dead_letter_queue_url = module.upload_validate_queue[0].dead_letter_queue_url
  }

  precondition {
    condition     = local.refused_keys.upload_validate == ""
    error_message = "${local.refused_keys.upload_validate} has a wrong form. The name of a key is \"/path\", \"ssm:name\", \"secretsmanager:name\" or \"secretsmanager:name#field\", and never the key itself. A URL is an https URL without a user, for example \"https://example.org/hook\"."
  }
}

output "build" {
  description = "Names and addresses of the build; null if it is disabled."
  value = !var.build_enabled ? null : {
    project        = aws_codebuild_project.build[0].name
    package_bucket = module.build_bucket[0].name
    package_prefix = var.package_prefix
    source         = var.build_git == null ? "s3://${module.build_bucket[0].name}/${local.build_source_key}" : null
    log_group      = aws_cloudwatch_log_group.build[0].name
  }
}
