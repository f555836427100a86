output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "ARN of the function's role, its identity towards other services."
  value       = aws_iam_role.this.arn
}

output "environment" {
  description = "Environment variables of the function. The tests compare them with the task's settings."
  value       = aws_lambda_function.this.environment[0].variables
}

output "policy" {
  description = "All permissions of the function: the decoded policy of its role."
  value       = jsondecode(aws_iam_role_policy.this.policy)
}

output "alarms" {
  description = "The alarms by name, each with its metric, dimensions and actions. The tests check them."
  value = { for alarm in concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_metric_alarm.failed) : alarm.alarm_name => {
    metric     = alarm.metric_name
    dimensions = alarm.dimensions
    actions    = alarm.alarm_actions
  } }
}
