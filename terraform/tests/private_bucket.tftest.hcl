# The module private_bucket.

mock_provider "aws" {
  source = "./tests/mocks"
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable.
variables {
  name       = "inbox"
  partition  = "aws-cn"
  disposable = true
}

run "bucket_is_private_versioned_encrypted_and_aborts_stale_uploads" {
  module {
    source = "./modules/private_bucket"
  }

  assert {
    condition     = aws_s3_bucket.disposable[0].force_destroy && length(aws_s3_bucket.protected) == 0
    error_message = "Terraform could not destroy a disposable bucket that contains objects."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "An overwritten object could not be restored."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The bucket could be made public."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Objects are not encrypted."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws-cn:s3:::inbox", "arn:aws-cn:s3:::inbox/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The policy must deny requests without TLS, and do nothing else."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 7 && length(aws_s3_bucket_lifecycle_configuration.this.rule[0].expiration) == 0
    error_message = "Stale uploads must be aborted after a week, and objects must not expire."
  }
}

run "bucket_is_protected_unless_it_is_disposable" {
  command = plan

  module {
    source = "./modules/private_bucket"
  }

  variables {
    disposable = false
  }

  # A separate state from that of the disposable bucket.
  state_key = "protected"

  assert {
    condition     = aws_s3_bucket.protected[0].bucket == "inbox" && length(aws_s3_bucket.disposable) == 0 && output.name == "inbox"
    error_message = "The bucket could be destroyed by mistake."
  }
}

run "given_key_encrypts_objects" {
  module {
    source = "./modules/private_bucket"
  }

  variables {
    kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/1234"
  }

  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
      && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws-cn:kms:cn-north-1:123456789012:key/1234"
      && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    )
    error_message = "Objects are not encrypted with the given key."
  }
}

run "too_long_name_is_refused" {
  command = plan

  module {
    source = "./modules/private_bucket"
  }

  variables {
    name = "a-name-of-sixty-four-characters-which-is-one-more-than-s3-allows"
  }

  expect_failures = [var.name]
}

run "noncurrent_versions_expire_and_objects_do_not" {
  module {
    source = "./modules/private_bucket"
  }

  variables {
    noncurrent_versions_expire_after_days = 30
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[1].noncurrent_version_expiration[0].noncurrent_days == 30 && length(aws_s3_bucket_lifecycle_configuration.this.rule[1].expiration) == 0
    error_message = "Only noncurrent versions must expire, after the given number of days."
  }
}

run "objects_expire_and_so_do_their_versions" {
  module {
    source = "./modules/private_bucket"
  }

  variables {
    expire_after_days = 90
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[1].expiration[0].days == 90 && aws_s3_bucket_lifecycle_configuration.this.rule[1].noncurrent_version_expiration[0].noncurrent_days == 7
    error_message = "Objects must expire after the given number of days, and their noncurrent versions a week later."
  }
}
