# The build: tests the sources and uploads the packages of the tasks, each named by its hash. It is no task, and a
# deployment needs none: `make dist` builds the same packages.
#
#   package bucket: source/bucket-brigade.zip --> CodeBuild project --> package bucket: PREFIX/TASK/HASH.zip
#   or a Git repository ------------------------------+     |
#                                                           +--> log group, test reports

locals {
  build_name = "${var.name_prefix}-build"

  # Endings of its longest names after name_prefix, as in local.tasks.
  build_name_endings = !var.build_enabled ? {} : {
    "-build-${local.region}"                        = 64 # role
    "-${local.account_id}-${local.region}-packages" = 63 # bucket
  }

  # The report group that CodeBuild makes for `reports` in buildspec.yml: the project's name, and the group's name there.
  build_report_group_arn = "arn:${local.partition}:codebuild:${local.region}:${local.account_id}:report-group/${local.build_name}-bucket-brigade"

  # Host -> CodeBuild's type of source.
  build_source_types = { "bitbucket.org" = "BITBUCKET", "github.com" = "GITHUB", "gitlab.com" = "GITLAB" }

  build_bucket     = "${local.bucket_prefix}-packages"
  build_bucket_arn = "arn:${local.partition}:s3:::${local.build_bucket}"
  build_source_key = "source/bucket-brigade.zip"

  # The keys that `make upload` writes. The sources are none of them, so a build cannot change what the next one runs.
  build_package_arns = [for folder in concat(keys(local.tasks), ["manifest"]) : "${local.build_bucket_arn}/${var.package_prefix}${folder}/*"]

  build_permissions = merge(
    {
      WriteLog = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = [for group in aws_cloudwatch_log_group.build : "${group.arn}:*"]
      }
      # CodeBuild makes the report group and writes to it, with the role of the project.
      WriteReports = {
        actions   = ["codebuild:BatchPutTestCases", "codebuild:CreateReport", "codebuild:CreateReportGroup", "codebuild:UpdateReport"]
        resources = [local.build_report_group_arn]
      }
      # A package that exists under its hash is not written again.
      ReadAndWritePackages = {
        actions   = ["s3:GetObject", "s3:PutObject"]
        resources = local.build_package_arns
        condition = local.owned.sources
      }
    },
    var.build_git != null ? {} : {
      ReadSource = {
        actions   = ["s3:GetObject", "s3:GetObjectVersion"]
        resources = ["${local.build_bucket_arn}/${local.build_source_key}"]
        condition = local.owned.sources
      }
      # CodeBuild looks up the bucket of the sources (CodeBuild User Guide, "Allow CodeBuild to interact with other AWS services").
      IdentifyBucket = {
        actions   = ["s3:GetBucketAcl", "s3:GetBucketLocation"]
        resources = [local.build_bucket_arn]
        condition = local.owned.sources
      }
    },
    # The actions have the prefix of the connection's own service: codeconnections, or codestar-connections for older ones.
    { for git in var.build_git[*] : "UseConnection" => {
      actions   = [for action in ["GetConnection", "GetConnectionToken"] : "${split(":", git.connection_arn)[2]}:${action}"]
      resources = [git.connection_arn]
    } },
    { for arn in var.kms_key_arn[*] : "UseKey" => {
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [arn]
      condition = { StringLike = { "kms:ViaService" = ["s3.${local.region}.*"] } }
    } },
  )
}

# The packages, and the zip of the sources. Overwritten sources and labels are kept for a month; a package named by its hash
# is never overwritten.
module "build_bucket" {
  source = "./modules/private_bucket"
  count  = var.build_enabled ? 1 : 0

  name        = local.build_bucket
  partition   = local.partition
  kms_key_arn = var.kms_key_arn
  disposable  = var.disposable_buckets

  noncurrent_versions_expire_after_days = 30
}

# The identity of the build. IAM is global, so the name ends with the region.
resource "aws_iam_role" "build" {
  count = var.build_enabled ? 1 : 0

  name = "${local.build_name}-${local.region}"

  # CodeBuild's service principal is the same in every partition. It may assume the role only for projects of this account.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

# All permissions of the build. Its commands have them too, so a test that ran wild could change no function and no data.
resource "aws_iam_role_policy" "build" {
  count = var.build_enabled ? 1 : 0

  name = "build"
  role = aws_iam_role.build[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for sid, permission in local.build_permissions : merge(
      {
        Sid      = sid
        Effect   = "Allow"
        Action   = permission.actions
        Resource = permission.resources
      },
      { for condition in try(permission.condition[*], []) : "Condition" => condition },
    )]
  })
}

# Created here, because a log group that CodeBuild creates has no retention period and no key.
resource "aws_cloudwatch_log_group" "build" {
  count = var.build_enabled ? 1 : 0

  name              = "/aws/codebuild/${local.build_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# Runs buildspec.yml of the sources.
resource "aws_codebuild_project" "build" {
  count = var.build_enabled ? 1 : 0

  name           = local.build_name
  description    = "Tests Bucket Brigade and uploads its packages."
  service_role   = aws_iam_role.build[0].arn
  build_timeout  = var.build_timeout_minutes
  source_version = one(var.build_git[*].branch)

  source {
    type            = var.build_git == null ? "S3" : local.build_source_types[var.build_git.host]
    location        = var.build_git == null ? "${module.build_bucket[0].name}/${local.build_source_key}" : "https://${var.build_git.host}/${var.build_git.repository}.git"
    git_clone_depth = var.build_git == null ? null : 1

    dynamic "auth" {
      for_each = var.build_git[*]

      content {
        type     = "CODECONNECTIONS"
        resource = auth.value.connection_arn
      }
    }
  }

  # The commands upload the packages under their hashes, so CodeBuild uploads nothing.
  artifacts {
    type = "NO_ARTIFACTS"
  }

  # On the build's machine, as long as CodeBuild keeps it: the dependencies of the packages, and Terraform.
  cache {
    type  = "LOCAL"
    modes = ["LOCAL_CUSTOM_CACHE"]
  }

  environment {
    type            = strcontains(var.build_image, "aarch64") ? "ARM_CONTAINER" : "LINUX_CONTAINER"
    image           = var.build_image
    compute_type    = var.build_compute_type
    privileged_mode = false # the build runs no containers

    dynamic "environment_variable" {
      for_each = { for name, value in {
        ENVIRONMENT        = var.build_environment
        PACKAGE_BUCKET     = module.build_bucket[0].name
        PACKAGE_PREFIX     = var.package_prefix
        PACKAGE_KMS_KEY_ID = coalesce(var.kms_key_arn, "alias/aws/s3")
      } : name => value if value != "" }

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.build[0].name
    }
  }

  # CodeBuild checks at once that it can assume the role and read its permissions.
  depends_on = [aws_iam_role_policy.build]
}
