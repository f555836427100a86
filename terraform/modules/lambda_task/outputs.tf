output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "ARN of the function's role, which is who the function is to others."
  value       = aws_iam_role.this.arn
}

output "environment" {
  description = "Environment variables of the function, as the tests compare them with the task's settings."
  value       = aws_lambda_function.this.environment[0].variables
}

output "policy" {
  description = "All that the function may do: the policy of its role, decoded."
  value       = jsondecode(aws_iam_role_policy.this.policy)
}

output "alarms" {
  description = "The alarms by name, each with the metric and the dimensions that it watches, as the tests look at them."
  value = { for alarm in concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_metric_alarm.failed) : alarm.alarm_name => {
    metric     = alarm.metric_name
    dimensions = alarm.dimensions
    actions    = alarm.alarm_actions
  } }
}
