locals {
  bucket = var.disposable ? aws_s3_bucket.disposable[0].bucket : aws_s3_bucket.protected[0].bucket
}

# A bucket for permanent data. Without prevent_destroy, Terraform would remove versioning, policy and life cycle before AWS
# refuses to delete a bucket with objects. With it, such a plan fails before any change.
resource "aws_s3_bucket" "protected" {
  #checkov:skip=CKV_AWS_18:CloudTrail data events log the access, and each account decides on those
  #checkov:skip=CKV_AWS_144:A copy in another region is the job of partition_replicate, not of each bucket
  #checkov:skip=CKV2_AWS_62:The task that reads a bucket sets its notification; an archive has no reader
  #checkov:skip=CKV_AWS_21:The resource below does this for both kinds of bucket
  #checkov:skip=CKV_AWS_145:The resource below does this for both kinds of bucket
  #checkov:skip=CKV2_AWS_6:The resource below does this for both kinds of bucket
  #checkov:skip=CKV2_AWS_61:The resource below does this for both kinds of bucket
  count = var.disposable ? 0 : 1

  bucket = var.name

  lifecycle {
    prevent_destroy = true
  }
}

# A bucket of a temporary deployment: Terraform can destroy it with all its objects. This is a separate resource, because
# `lifecycle` accepts no variable.
resource "aws_s3_bucket" "disposable" {
  #checkov:skip=CKV_AWS_18:An access log has no use after the bucket is deleted
  #checkov:skip=CKV_AWS_144:Temporary data needs no second copy
  #checkov:skip=CKV2_AWS_62:The task that reads a bucket sets its notification; an archive has no reader
  #checkov:skip=CKV_AWS_21:The resource below does this for both kinds of bucket
  #checkov:skip=CKV_AWS_145:The resource below does this for both kinds of bucket
  #checkov:skip=CKV2_AWS_6:The resource below does this for both kinds of bucket
  #checkov:skip=CKV2_AWS_61:The resource below does this for both kinds of bucket
  count = var.disposable ? 1 : 0

  bucket        = var.name
  force_destroy = true
}

# Older deployments had only one kind of bucket; they keep theirs.
moved {
  from = aws_s3_bucket.this
  to   = aws_s3_bucket.protected[0]
}

# Versioning makes it possible to restore an object that was overwritten or deleted by mistake.
resource "aws_s3_bucket_versioning" "this" {
  bucket = local.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

# No policy and no ACL can make an object public.
resource "aws_s3_bucket_public_access_block" "this" {
  bucket = local.bucket

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Encrypts objects with the given key, or else with keys that S3 manages. A bucket key saves a KMS request for every object.
resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = local.bucket

  rule {
    bucket_key_enabled = var.kms_key_arn == null ? null : true

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

# Denies requests without TLS.
resource "aws_s3_bucket_policy" "this" {
  bucket = local.bucket

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

# The parts of an incomplete upload cost storage and are not listed as objects. A copy takes minutes, so a week is enough.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = local.bucket

  rule {
    id     = "abort-stale-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Overwritten and deleted objects can be restored for this many days.
  dynamic "rule" {
    for_each = var.noncurrent_versions_expire_after_days[*]

    content {
      id     = "expire-noncurrent-versions"
      status = "Enabled"

      filter {}

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
    }
  }

  # Deletes objects that are needed only for some time, and their noncurrent versions a week later.
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
