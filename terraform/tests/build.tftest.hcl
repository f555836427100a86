# The build: project, role, bucket and log group. These tests need neither AWS nor the network.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable. No task is deployed, so
# these tests need no packages, as the first apply of a new build.
variables {
  disposable_buckets   = true
  archive_copy_enabled = false
  package_dir          = "./tests/nothing"
  build_enabled        = true
}

run "build_is_off_by_default" {
  command = plan

  variables {
    build_enabled = null
  }

  assert {
    condition     = output.build == null && length(aws_codebuild_project.build) == 0 && length(aws_iam_role.build) == 0 && length(module.build_bucket) == 0
    error_message = "A deployment that needs no build gets one."
  }
}

run "project_takes_the_sources_from_the_package_bucket_and_uploads_to_it" {
  assert {
    condition = output.build == {
      project        = "bucket-brigade-build"
      package_bucket = "bucket-brigade-123456789012-eu-west-1-packages"
      package_prefix = ""
      source         = "s3://bucket-brigade-123456789012-eu-west-1-packages/source/bucket-brigade.zip"
      log_group      = "/aws/codebuild/bucket-brigade-build"
    }
    error_message = "The default names and addresses differ from the documented ones."
  }

  assert {
    condition = (
      aws_codebuild_project.build[0].source[0].type == "S3"
      && "s3://${aws_codebuild_project.build[0].source[0].location}" == output.build.source
      && one(aws_codebuild_project.build[0].artifacts).type == "NO_ARTIFACTS"
      && aws_codebuild_project.build[0].logs_config[0].cloudwatch_logs[0].group_name == output.build.log_group
    )
    error_message = "The project does not read the zip of the sources, or stores artifacts or logs elsewhere."
  }

  assert {
    condition = { for variable in aws_codebuild_project.build[0].environment[0].environment_variable : variable.name => variable.value } == {
      ENVIRONMENT        = "main"
      PACKAGE_BUCKET     = "bucket-brigade-123456789012-eu-west-1-packages"
      PACKAGE_KMS_KEY_ID = "alias/aws/s3"
    }
    error_message = "The environment differs from the names that `make upload` reads."
  }

  assert {
    condition     = aws_codebuild_project.build[0].environment[0].type == "LINUX_CONTAINER" && !aws_codebuild_project.build[0].environment[0].privileged_mode
    error_message = "The build must run in a container without privileges."
  }

  assert {
    condition     = aws_cloudwatch_log_group.build[0].retention_in_days == 365
    error_message = "The log must have the retention of all logs."
  }
}

run "role_may_read_the_sources_and_write_packages_log_and_reports_and_nothing_else" {
  variables {
    package_prefix = "builds/"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.build[0].policy).Statement == [
      {
        Sid       = "IdentifyBucket"
        Effect    = "Allow"
        Action    = ["s3:GetBucketAcl", "s3:GetBucketLocation"]
        Resource  = ["arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
      {
        Sid    = "ReadAndWritePackages"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject"]
        Resource = [
          "arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages/builds/archive_copy/*",
          "arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages/builds/mirror_check/*",
          "arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages/builds/partition_replicate/*",
          "arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages/builds/upload_validate/*",
          "arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages/builds/manifest/*",
        ]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
      {
        Sid       = "ReadSource"
        Effect    = "Allow"
        Action    = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource  = ["arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages/source/bucket-brigade.zip"]
        Condition = { StringEquals = { "aws:ResourceAccount" = ["123456789012"] } }
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:aws:logs:eu-west-1:123456789012:log-group:a-group:*"]
      },
      {
        Sid      = "WriteReports"
        Effect   = "Allow"
        Action   = ["codebuild:BatchPutTestCases", "codebuild:CreateReport", "codebuild:CreateReportGroup", "codebuild:UpdateReport"]
        Resource = ["arn:aws:codebuild:eu-west-1:123456789012:report-group/bucket-brigade-build-bucket-brigade"]
      },
    ]
    error_message = "The build has other permissions than it uses."
  }

  assert {
    condition = jsondecode(aws_iam_role.build[0].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Service = "codebuild.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    }]
    error_message = "Only CodeBuild may assume the role, and only for this account."
  }

  assert {
    condition     = contains([for variable in aws_codebuild_project.build[0].environment[0].environment_variable : "${variable.name}=${variable.value}"], "PACKAGE_PREFIX=builds/")
    error_message = "The build does not get the prefix of the packages."
  }
}

run "own_key_encrypts_bucket_log_and_packages_and_only_s3_may_use_it_for_the_build" {
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234"
  }

  assert {
    condition = (
      module.build_bucket[0].kms_key_arn == var.kms_key_arn
      && aws_cloudwatch_log_group.build[0].kms_key_id == var.kms_key_arn
      && contains([for variable in aws_codebuild_project.build[0].environment[0].environment_variable : "${variable.name}=${variable.value}"], "PACKAGE_KMS_KEY_ID=${var.kms_key_arn}")
    )
    error_message = "The deployment's key does not encrypt all that the build stores."
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.build[0].policy).Statement : statement if statement.Sid == "UseKey"] == [{
      Sid       = "UseKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [var.kms_key_arn]
      Condition = { StringLike = { "kms:ViaService" = ["s3.eu-west-1.*"] } }
    }]
    error_message = "The build cannot use the key, or may use it for more than its objects."
  }
}

run "git_repository_replaces_the_zip_of_the_sources" {
  variables {
    build_image = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
    build_git = {
      host           = "github.com"
      repository     = "octocat/bucket-brigade"
      connection_arn = "arn:aws:codestar-connections:eu-west-1:123456789012:connection/0123"
    }
  }

  assert {
    condition = (
      aws_codebuild_project.build[0].source[0].type == "GITHUB"
      && aws_codebuild_project.build[0].source[0].location == "https://github.com/octocat/bucket-brigade.git"
      && aws_codebuild_project.build[0].source[0].auth[0].type == "CODECONNECTIONS"
      && aws_codebuild_project.build[0].source[0].auth[0].resource == var.build_git.connection_arn
      && aws_codebuild_project.build[0].source_version == "main"
      && aws_codebuild_project.build[0].environment[0].type == "ARM_CONTAINER"
      && output.build.source == null
    )
    error_message = "The project does not clone the repository through the connection."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.build[0].policy).Statement : statement.Sid => statement.Action
      if !contains(["WriteLog", "WriteReports", "ReadAndWritePackages"], statement.Sid)
    } == { UseConnection = ["codestar-connections:GetConnection", "codestar-connections:GetConnectionToken"] }
    error_message = "The build may read the sources in the bucket, or cannot use the connection."
  }
}

run "bucket_and_role_of_the_build_limit_the_name_prefix" {
  command = plan

  # AWS allows 63 characters for a bucket's name. This prefix, the account (12), the region (9), "packages" and three hyphens
  # are 64.
  variables {
    name_prefix = "a-prefix-of-32-letters-and-signs"
  }

  expect_failures = [var.name_prefix]
}

run "host_that_codebuild_does_not_know_is_refused" {
  command = plan

  variables {
    build_git = { host = "git.example.org", repository = "a/b", connection_arn = "arn:aws:codeconnections:eu-west-1:123456789012:connection/0123" }
  }

  expect_failures = [var.build_git]
}

run "repository_with_a_host_or_a_token_is_refused" {
  command = plan

  variables {
    build_git = { host = "github.com", repository = "https://token@github.com/a/b", connection_arn = "arn:aws:codeconnections:eu-west-1:123456789012:connection/0123" }
  }

  expect_failures = [var.build_git]
}

run "connection_that_is_no_arn_is_refused" {
  command = plan

  variables {
    build_git = { host = "github.com", repository = "a/b", connection_arn = "my-connection" }
  }

  expect_failures = [var.build_git]
}

run "label_with_a_slash_is_refused" {
  command = plan

  variables {
    build_environment = "a/b"
  }

  expect_failures = [var.build_environment]
}

run "image_of_another_registry_is_refused" {
  command = plan

  variables {
    build_image = "python:3.13"
  }

  expect_failures = [var.build_image]
}

run "machine_that_codebuild_does_not_have_is_refused" {
  command = plan

  variables {
    build_compute_type = "BUILD_GENERAL1_TINY"
  }

  expect_failures = [var.build_compute_type]
}

run "timeout_over_the_limit_of_codebuild_is_refused" {
  command = plan

  variables {
    build_timeout_minutes = 2161
  }

  expect_failures = [var.build_timeout_minutes]
}
