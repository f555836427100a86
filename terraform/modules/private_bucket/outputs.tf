output "kms_key_arn" {
  description = "KMS key that encrypts the objects; null if S3 manages the keys."
  value       = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id
}

output "name" {
  description = "Name of the bucket. A resource that uses this output waits until the bucket exists."
  value       = local.bucket
}
