# The roles and the report bucket of jobs of S3 Batch Operations.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

override_data {
  target = data.aws_partition.destination[0]
  values = { partition = "aws-us-gov" }
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable.
variables {
  disposable_buckets = true
  package_dir        = "./tests/packages"
}

run "job_may_invoke_the_task_generate_its_manifest_and_write_its_report" {
  variables {
    archive_copy_source_bucket = "frozen"
  }

  assert {
    condition = jsondecode(aws_iam_role.batch["archive_copy"].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "batchoperations.s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEqualsIfExists = { "aws:SourceAccount" = "123456789012" } }
    }]
    error_message = "Only S3 Batch Operations of this account may assume the role."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.batch["archive_copy"].policy).Statement == [
      {
        Sid      = "InvokeTask"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = ["arn:aws:lambda:eu-west-1:123456789012:function:a-function"]
      },
      {
        Sid       = "GenerateManifest"
        Effect    = "Allow"
        Action    = ["s3:PutInventoryConfiguration"]
        Resource  = ["arn:aws:s3:::frozen"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
      {
        Sid       = "WriteReport"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-batch/*"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
    ]
    error_message = "A job must have these permissions and no others."
  }

  assert {
    condition     = aws_iam_role.batch["archive_copy"].name == "bucket-brigade-archive-copy-batch-eu-west-1"
    error_message = "The role's name must begin with name_prefix and end with the region."
  }

  assert {
    condition     = keys(aws_iam_role.batch) == ["archive_copy"]
    error_message = "A disabled task, and one that takes no jobs, must have no role."
  }
}

run "each_enabled_task_has_a_role_and_all_share_the_report_bucket" {
  variables {
    partition_replicate_enabled       = true
    partition_replicate_source_bucket = "origin"
    partition_replicate_issuer_url    = "https://0123.tokens.sts.global.api.aws"
  }

  assert {
    condition     = keys(aws_iam_role.batch) == ["archive_copy", "partition_replicate", "partition_replicate_checksums"]
    error_message = "Each task that takes jobs must have a role, and the jobs that compute checksums."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.batch["partition_replicate"].policy).Statement[1].Resource == ["arn:aws:s3:::origin"]
    error_message = "A job may generate a manifest of its task's source only."
  }

  assert {
    condition     = output.partition_replicate.batch_role_arn == aws_iam_role.batch["partition_replicate"].arn && output.partition_replicate.report_bucket == output.archive_copy.report_bucket
    error_message = "`brigade backfill` finds role and bucket in the outputs."
  }
}

run "job_may_read_the_source_of_the_mirror_for_its_checksums" {
  variables {
    partition_replicate_enabled             = true
    partition_replicate_source_bucket       = "origin"
    partition_replicate_source_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/a"]
    partition_replicate_issuer_url          = "https://0123.tokens.sts.global.api.aws"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.batch["partition_replicate_checksums"].policy).Statement == [
      {
        Sid       = "ReadObjects"
        Effect    = "Allow"
        Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:RestoreObject"]
        Resource  = ["arn:aws:s3:::origin/*"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
      {
        Sid       = "ReadUnderKeys"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = ["arn:aws:kms:eu-west-1:123456789012:key/a"]
        Condition = { StringLike = { "kms:ViaService" = ["s3.eu-west-1.*"] } }
      },
      {
        Sid       = "GenerateManifest"
        Effect    = "Allow"
        Action    = ["s3:PutInventoryConfiguration"]
        Resource  = ["arn:aws:s3:::origin"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
      {
        Sid       = "WriteReport"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-batch/*"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
    ]
    error_message = "A job that computes checksums must have these permissions and no others."
  }

  assert {
    condition     = aws_iam_role.batch["partition_replicate_checksums"].name == "bucket-brigade-partition-replicate-verify-eu-west-1"
    error_message = "`brigade --deployment` finds the role by its name."
  }

  assert {
    condition     = output.partition_replicate.checksum_role_arn == aws_iam_role.batch["partition_replicate_checksums"].arn
    error_message = "`brigade check --checksums` finds the role in the outputs."
  }
}

run "nothing_remains_without_such_a_task" {
  variables {
    archive_copy_enabled    = false
    upload_validate_enabled = false
  }

  assert {
    condition     = length(aws_iam_role.batch) == 0 && length(module.batch_reports) == 0
    error_message = "Without a task that takes jobs there must be no role and no bucket."
  }
}
