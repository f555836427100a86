# The owners of the buckets: looked up, passed to the functions, and in the condition of every permission on S3.

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

override_data {
  target = data.aws_caller_identity.destination[0]
  values = { account_id = "210987654321" }
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable. All tasks are
# enabled, with all their permissions on S3.
variables {
  disposable_buckets                 = true
  package_dir                        = "./tests/packages"
  partition_replicate_enabled        = true
  partition_replicate_source_bucket  = "my-data"
  partition_replicate_issuer_url     = "https://0123.tokens.sts.global.api.aws"
  upload_validate_enabled            = true
  upload_validate_github_repo        = "octocat/imports"
  upload_validate_webhook_url        = "https://example.org/hook"
  upload_validate_quarantine_enabled = true
  upload_validate_superseded_files   = "remove"
  upload_validate_profile            = "table-schema"
  upload_validate_table_schema       = "s3://my-schemas/a/b.json"
}

run "every_permission_on_s3_names_the_bucket_owner" {
  assert {
    condition = {
      for sid, statement in merge([
        for role, policy in {
          archive_copy    = module.archive_copy[0].policy
          enqueue         = module.partition_replicate_enqueue[0].policy
          replicate       = module.partition_replicate[0].policy
          mirror          = jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy)
          upload_validate = module.upload_validate[0].policy
        } : { for statement in policy.Statement : "${role}.${statement.Sid}" => statement }
      ]...) : sid => try(statement.Condition.StringEquals["aws:ResourceAccount"], "anyone")
      if strcontains(join(" ", statement.Action), "s3:")
      } == {
      "archive_copy.FindObjects"             = ["123456789012"]
      "archive_copy.FindOpenUploads"         = ["123456789012"]
      "archive_copy.FindVersions"            = ["123456789012"]
      "archive_copy.ReadSource"              = ["123456789012"]
      "archive_copy.CompareAndWriteArchives" = ["123456789012"]
      "replicate.FindObjects"                = ["123456789012"]
      "replicate.ReadSource"                 = ["123456789012"]
      "mirror.FindObjects"                   = ["210987654321"]
      "mirror.CompareAndWrite"               = ["210987654321"]
      "upload_validate.FindObjects"          = ["123456789012"]
      "upload_validate.FindOpenUploads"      = ["123456789012"]
      "upload_validate.ReadUploads"          = ["123456789012"]
      "upload_validate.CompareAndPublish"    = ["123456789012"]
      "upload_validate.RemoveSuperseded"     = ["123456789012"]
      "upload_validate.ReadTableSchema"      = ["123456789012"]
    }
    error_message = "A function may use a bucket of any account that grants it access."
  }

  assert {
    condition     = keys(data.aws_s3_bucket.given) == ["partition_replicate_source_bucket", "upload_validate_table_schema"] && length(data.aws_s3_bucket.given_mirror) == 0
    error_message = "An existing bucket is not looked up, or a bucket created here is."
  }

  assert {
    condition = (
      module.archive_copy[0].environment["BUCKET_OWNERS"] == "{\"*\":\"123456789012\"}"
      && module.upload_validate[0].environment["BUCKET_OWNERS"] == "{\"*\":\"123456789012\"}"
      && jsondecode(module.partition_replicate[0].environment["BUCKET_OWNERS"]) == {
        "*"                                            = "123456789012"
        "bucket-brigade-123456789012-eu-west-1-mirror" = "210987654321"
      }
    )
    error_message = "A function does not get the owners of its buckets."
  }
}

run "owners_of_other_accounts_are_in_settings_and_permissions" {
  variables {
    archive_copy_archives = {
      shared = { extensions = [".hdf"], bucket = "their-archive" }
      mine   = { extensions = ["other"] }
    }
    partition_replicate_destination_bucket = "their-mirror"
    upload_validate_final_bucket           = "their-data"

    bucket_owners = {
      their-archive = "111111111111"
      their-mirror  = "222222222222"
      their-data    = "333333333333"
      my-schemas    = "444444444444"
    }
  }

  assert {
    condition = { for statement in module.archive_copy[0].policy.Statement : statement.Sid => statement.Condition.StringEquals["aws:ResourceAccount"] if strcontains(join(" ", statement.Action), "s3:") } == {
      FindObjects             = ["123456789012", "111111111111"]
      FindOpenUploads         = ["123456789012", "111111111111"]
      FindVersions            = ["123456789012"]
      ReadSource              = ["123456789012"]
      CompareAndWriteArchives = ["123456789012", "111111111111"]
    }
    error_message = "archive_copy may use buckets of accounts that own none of its buckets."
  }

  assert {
    condition = { for statement in module.upload_validate[0].policy.Statement : statement.Sid => statement.Condition.StringEquals["aws:ResourceAccount"] if strcontains(join(" ", statement.Action), "s3:") } == {
      FindObjects       = ["123456789012", "333333333333"]
      FindOpenUploads   = ["333333333333", "123456789012"]
      ReadUploads       = ["123456789012"]
      CompareAndPublish = ["333333333333", "123456789012"]
      RemoveSuperseded  = ["333333333333", "123456789012"]
      ReadTableSchema   = ["444444444444"]
    }
    error_message = "upload_validate may use buckets of accounts that own none of its buckets."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy).Statement : statement.Condition.StringEquals["aws:ResourceAccount"] == ["222222222222"]])
    error_message = "The mirror's role may use buckets of accounts other than the mirror's."
  }

  assert {
    condition = [
      for function in [module.archive_copy[0], module.partition_replicate[0], module.upload_validate[0]] : jsondecode(function.environment["BUCKET_OWNERS"])
      ] == [
      { "*" = "123456789012", their-archive = "111111111111" },
      { "*" = "123456789012", their-mirror = "222222222222" },
      { "*" = "123456789012", their-data = "333333333333", my-schemas = "444444444444" },
    ]
    error_message = "A function does not get the owners of its buckets."
  }

  # The deployer may have no permission to look them up.
  assert {
    condition     = keys(data.aws_s3_bucket.given) == ["partition_replicate_source_bucket"] && length(data.aws_s3_bucket.given_mirror) == 0
    error_message = "A bucket of another account is looked up."
  }
}

run "every_existing_bucket_of_the_account_is_looked_up_in_its_partition" {
  variables {
    archive_copy_source_bucket             = "my-frozen-data"
    archive_copy_archives                  = { all = { extensions = ["other"], bucket = "my-archive" } }
    partition_replicate_destination_bucket = "my-mirror"
    upload_validate_upload_bucket          = "my-uploads"
    upload_validate_final_bucket           = "my-published-data"
    upload_validate_quarantine_bucket      = "my-quarantine"
    upload_validate_table_schema           = ""
    upload_validate_profile                = "polling-stations"
  }

  assert {
    condition     = sort([for bucket in data.aws_s3_bucket.given : bucket.bucket]) == tolist(["my-archive", "my-data", "my-frozen-data", "my-published-data", "my-quarantine", "my-uploads"])
    error_message = "An existing bucket is not looked up."
  }

  assert {
    condition     = [for bucket in data.aws_s3_bucket.given_mirror : bucket.bucket] == ["my-mirror"]
    error_message = "The existing mirror is not looked up at the destination."
  }
}

run "bucket_that_is_created_later_is_named_with_its_owner_and_not_looked_up" {
  variables {
    archive_copy_archives = { all = { extensions = ["other"], bucket = "made-later" } }
    bucket_owners         = { made-later = "123456789012" }
  }

  assert {
    condition     = !contains([for bucket in data.aws_s3_bucket.given : bucket.bucket], "made-later")
    error_message = "A plan would fail until the bucket exists."
  }

  assert {
    condition     = module.archive_copy[0].environment["BUCKET_OWNERS"] == "{\"*\":\"123456789012\"}"
    error_message = "The environment contains an unnecessary entry."
  }
}

run "mirror_that_is_not_on_aws_has_no_owner" {
  variables {
    partition_replicate_destination_bucket       = "my-mirror"
    partition_replicate_destination_endpoint_url = "https://s3.example.org"
    partition_replicate_issuer_url               = null
  }

  assert {
    condition     = length(data.aws_s3_bucket.given_mirror) == 0 && length(data.aws_caller_identity.destination) == 0
    error_message = "Terraform looks up a bucket in AWS that is not there."
  }

  assert {
    condition     = module.partition_replicate[0].environment["BUCKET_OWNERS"] == "{\"*\":\"123456789012\"}"
    error_message = "The function expects an owner for a bucket that has none."
  }
}

run "buckets_of_a_disabled_task_are_not_looked_up" {
  variables {
    archive_copy_enabled          = false
    archive_copy_source_bucket    = "my-frozen-data"
    partition_replicate_enabled   = false
    upload_validate_enabled       = false
    upload_validate_upload_bucket = "my-uploads"
  }

  assert {
    condition     = length(data.aws_s3_bucket.given) == 0 && length(data.aws_s3_bucket.given_mirror) == 0
    error_message = "An unused bucket is looked up."
  }
}

run "owners_and_map_share_the_space_of_the_environment" {
  variables {
    archive_copy_archives = { for number in range(40) : "a${number}" => { extensions = number == 0 ? ["other"] : [".e${number}"], bucket = "an-archive-of-another-account-${number}" } }
    bucket_owners         = { for number in range(40) : "an-archive-of-another-account-${number}" => "111111111111" }
  }

  assert {
    condition     = local.archive_copy_bucket_map_bytes < 3072 && startswith(module.archive_copy[0].environment["bucket_map"], "ssm:")
    error_message = "bucket_map and owners together would not fit into the function's environment."
  }
}

run "owner_that_is_not_an_account_is_refused" {
  command = plan

  variables {
    bucket_owners = { my-data = "12345678901" }
  }

  expect_failures = [var.bucket_owners]
}

run "owner_of_an_unknown_bucket_is_refused" {
  command = plan

  variables {
    bucket_owners = { my-dta = "123456789012" }
  }

  expect_failures = [var.bucket_owners]
}

run "source_of_another_account_is_refused" {
  command = plan

  variables {
    bucket_owners = { my-data = "210987654321" }
  }

  expect_failures = [var.bucket_owners]
}
