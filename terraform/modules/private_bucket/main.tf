locals {
  bucket = var.disposable ? aws_s3_bucket.disposable[0].bucket : aws_s3_bucket.protected[0].bucket
}

# A bucket for data that is to stay. Deleting a bucket takes its versioning, policy and life cycle first, and only then does
# AWS refuse because it holds an object; so a plan that would delete it fails before anything is touched.
resource "aws_s3_bucket" "protected" {
  #checkov:skip=CKV_AWS_18:Who reads and writes is told by CloudTrail data events, an account's own decision
  #checkov:skip=CKV_AWS_144:A second copy in another region is the job of partition_replicate, not of each bucket
  #checkov:skip=CKV2_AWS_62:The task that reads a bucket sets its notification; an archive has no reader
  count = var.disposable ? 0 : 1

  bucket = var.name

  lifecycle {
    prevent_destroy = true
  }
}

# A bucket of a throw-away deployment: it can be destroyed, and what it holds is deleted with it. A resource of its own,
# because `lifecycle` takes no variable.
resource "aws_s3_bucket" "disposable" {
  #checkov:skip=CKV_AWS_18:Who read it no longer matters once it is thrown away
  #checkov:skip=CKV_AWS_144:What can be thrown away needs no second copy
  #checkov:skip=CKV2_AWS_62:The task that reads a bucket sets its notification; an archive has no reader
  #checkov:skip=CKV_AWS_21:The resource below does this for both kinds of bucket
  #checkov:skip=CKV_AWS_145:The resource below does this for both kinds of bucket
  #checkov:skip=CKV2_AWS_6:The resource below does this for both kinds of bucket
  #checkov:skip=CKV2_AWS_61:The resource below does this for both kinds of bucket
  count = var.disposable ? 1 : 0

  bucket        = var.name
  force_destroy = true
}

# Deployments from before there were two kinds keep their bucket.
moved {
  from = aws_s3_bucket.this
  to   = aws_s3_bucket.protected[0]
}

# An object overwritten or deleted by mistake can be had back.
resource "aws_s3_bucket_versioning" "this" {
  bucket = local.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

# Nothing in it can be made public, by whatever policy or ACL.
resource "aws_s3_bucket_public_access_block" "this" {
  bucket = local.bucket

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# At rest under the given key, else under S3's own. The bucket key spares a call to KMS for every object.
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

# Under way by TLS only.
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

# Parts of an upload that nobody completed are paid for but cannot be seen. A copy lasts minutes; a week is ample.
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

  # What was overwritten or deleted can be had back for so long.
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
