output "name" {
  description = "Name of the bucket, known to others once it is there."
  value       = aws_s3_bucket.this.bucket
}
