output "arn" {
  description = "ARN of the queue."
  value       = aws_sqs_queue.this.arn
}

output "url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.this.url
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "delay_seconds" {
  description = "Seconds before a new message is delivered for the first time."
  value       = aws_sqs_queue.this.delay_seconds
}

output "max_receive_count" {
  description = "Deliveries of a message before it becomes a dead letter."
  value       = var.max_receive_count
}
