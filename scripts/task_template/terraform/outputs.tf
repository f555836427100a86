
output "task_name" {
  description = "Names and addresses of task_name; null if the task is disabled."
  value = !var.task_name_enabled ? null : {
    function_name         = module.task_name[0].function_name
    function_arn          = module.task_name[0].function_arn
    source_bucket         = local.task_name_source_bucket
    queue_url             = module.task_name_queue[0].url
    dead_letter_queue_url = module.task_name_queue[0].dead_letter_queue_url
  }
}
