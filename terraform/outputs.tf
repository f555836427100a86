output "archive_copy" {
  description = "Names and addresses of archive_copy; null when it is switched off."
  value = !var.archive_copy_enabled ? null : {
    function_name         = module.archive_copy[0].function_name
    function_arn          = module.archive_copy[0].function_arn
    source_bucket         = local.archive_copy_source_bucket
    archive_buckets       = local.archive_copy_buckets
    bucket_map            = local.archive_copy_bucket_map
    queue_url             = module.archive_copy_queue[0].url
    dead_letter_queue_url = module.archive_copy_queue[0].dead_letter_queue_url
  }
}
