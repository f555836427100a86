# Jobs of S3 Batch Operations. `brigade backfill` starts those that pass existing objects to a task, and `brigade check
# --checksums` those that compute checksums.
#
#   source bucket --manifest that S3 generates--> job --one invocation for each object--> function
#                                                  |
#                                                  +--> completion report, with the checksums

locals {
  # The tasks whose function takes such invocations, with the function and the bucket of the objects.
  batch_tasks = { for task, entry in {
    archive_copy = {
      function_arn = one(module.archive_copy[*].function_arn)
      source_arn   = local.archive_copy_source_arn
    }
    partition_replicate = {
      function_arn = one(module.partition_replicate[*].function_arn)
      source_arn   = local.partition_replicate_source_arn
    }
  } : task => entry if contains(local.enabled_tasks, task) }

  batch_report_bucket = "${local.bucket_prefix}-batch"

  # Each kind of job: the ending of its role's name, the bucket of its objects, and its own statements.
  batch_roles = merge(
    { for task, entry in local.batch_tasks : task => {
      ending     = "${replace(task, "_", "-")}-batch"
      source_arn = entry.source_arn
      statements = [{
        Sid      = "InvokeTask"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [entry.function_arn]
      }]
    } },
    !var.partition_replicate_enabled ? {} : { partition_replicate_checksums = {
      ending     = "partition-replicate-verify"
      source_arn = local.partition_replicate_source_arn
      statements = local.checksum_statements
    } },
  )

  # What S3 needs to compute checksums, of archived objects too (S3 User Guide, "Granting permissions for Batch Operations").
  checksum_statements = concat(
    [{
      Sid       = "ReadObjects"
      Effect    = "Allow"
      Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:RestoreObject"]
      Resource  = ["${local.partition_replicate_source_arn}/*"]
      Condition = local.owned.sources
    }],
    length(var.partition_replicate_source_kms_key_arns) == 0 ? [] : [{
      Sid       = "ReadUnderKeys"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = var.partition_replicate_source_kms_key_arns
      Condition = { StringLike = { "kms:ViaService" = ["s3.${local.region}.*"] } }
    }],
  )
}

# The completion reports. S3 forgets a job 90 days after its end (S3 User Guide, "Troubleshooting S3 Batch Operations"), and
# encrypts reports with its own keys. Nothing else is kept here, so Terraform may destroy the bucket.
module "batch_reports" {
  source = "./modules/private_bucket"
  count  = length(local.batch_tasks) > 0 ? 1 : 0

  name              = local.batch_report_bucket
  partition         = local.partition
  disposable        = true
  expire_after_days = 90
}

# The identity of a job. S3's documentation does not say whether Batch Operations sends the account, so the condition holds
# without it too. No other account can use the role, because S3 refuses the role of another account for a job.
resource "aws_iam_role" "batch" {
  for_each = local.batch_roles

  name = "${var.name_prefix}-${each.value.ending}-${local.region}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "batchoperations.s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEqualsIfExists = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

# S3 generates the manifest as S3 Inventory does: the role needs to configure inventories, and not to list the bucket (S3 User
# Guide, "Creating an S3 Batch Operations job").
resource "aws_iam_role_policy" "batch" {
  for_each = local.batch_roles

  name = "job"
  role = aws_iam_role.batch[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(each.value.statements, [
      {
        Sid       = "GenerateManifest"
        Effect    = "Allow"
        Action    = ["s3:PutInventoryConfiguration"]
        Resource  = [each.value.source_arn]
        Condition = local.owned.sources
      },
      {
        Sid       = "WriteReport"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["arn:${local.partition}:s3:::${module.batch_reports[0].name}/*"]
        Condition = local.owned.sources
      },
    ])
  })
}
