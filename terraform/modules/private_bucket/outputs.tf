output "kms_key_arn" {
  description = "KMS key that encrypts the objects; null for S3's own keys."
  value       = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id
}

output "name" {
  description = "Name of the bucket, known to others once it is there."
  value       = local.bucket
}
