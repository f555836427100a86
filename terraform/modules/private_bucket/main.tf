# The bucket. It is never emptied by Terraform: destroying it while it holds an object fails.
resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Who reads and writes is told by CloudTrail data events, an account's own decision
  #checkov:skip=CKV_AWS_144:A second copy in another region is the job of partition_replicate, not of each bucket
  #checkov:skip=CKV2_AWS_62:The task that reads a bucket sets its notification; an archive has no reader
  bucket = var.name
}

# An object overwritten or deleted by mistake can be had back.
resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Nothing in it can be made public, by whatever policy or ACL.
resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# At rest under the given key, else under S3's own. The bucket key spares a call to KMS for every object.
resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn == null ? null : true

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

# Under way by TLS only.
resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:${var.partition}:s3:::${var.name}", "arn:${var.partition}:s3:::${var.name}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# Parts of an upload that nobody completed are paid for but cannot be seen. A copy lasts minutes; a week is ample.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "abort-stale-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # What is of use for some time only. The versions that it leaves behind go a week later.
  dynamic "rule" {
    for_each = var.expire_after_days[*]

    content {
      id     = "expire"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = 7
      }
    }
  }
}
