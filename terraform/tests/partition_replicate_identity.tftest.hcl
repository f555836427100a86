# The identity of partition_replicate at its destination: a role that it assumes with a token, or optionally a user.

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
  target = data.aws_region.destination[0]
  values = { id = "us-gov-west-1" }
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable.
variables {
  disposable_buckets                = true
  package_dir                       = "./tests/packages"
  archive_copy_enabled              = false
  partition_replicate_enabled       = true
  partition_replicate_source_bucket = "my-data"
  partition_replicate_issuer_url    = "https://0123.tokens.sts.global.api.aws"
}

run "role_trusts_only_the_function_and_one_audience" {
  assert {
    condition = jsondecode(aws_iam_role.partition_replicate_destination[0].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws-us-gov:iam::123456789012:oidc-provider/0123.tokens.sts.global.api.aws" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = { StringEquals = {
        "0123.tokens.sts.global.api.aws:aud" = "bucket-brigade"
        "0123.tokens.sts.global.api.aws:sub" = "arn:aws:iam::123456789012:role/a-role"
      } }
    }]
    error_message = "The function, and no other principal, must be able to assume the role."
  }

  assert {
    condition = (
      aws_iam_openid_connect_provider.partition_replicate[0].url == "https://0123.tokens.sts.global.api.aws"
      && aws_iam_openid_connect_provider.partition_replicate[0].client_id_list == toset(["bucket-brigade"])
    )
    error_message = "The destination's account does not trust the issuer of the tokens, or does not accept their audience."
  }

  assert {
    condition     = length(aws_iam_user.partition_replicate) == 0 && length(aws_secretsmanager_secret.partition_replicate) == 0
    error_message = "Terraform creates an unused user or secret."
  }
}

run "function_may_request_no_other_token" {
  assert {
    condition = [for statement in module.partition_replicate[0].policy.Statement : statement if statement.Sid == "AskForToken"] == [{
      Sid      = "AskForToken"
      Effect   = "Allow"
      Action   = ["sts:GetWebIdentityToken"]
      Resource = ["*"]
      Condition = {
        "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = ["bucket-brigade"] }
        NumericLessThanEquals       = { "sts:DurationSeconds" = ["300"] }
        StringEquals                = { "sts:SigningAlgorithm" = ["ES384"] }
      }
    }]
    error_message = "The function may request tokens that it does not need."
  }

  assert {
    condition     = [for statement in module.partition_replicate_enqueue[0].policy.Statement : statement.Sid if statement.Sid == "AskForToken"] == []
    error_message = "A function that does not use the destination may request a token."
  }
}

run "audience_is_the_same_for_function_provider_and_role" {
  variables {
    partition_replicate_token_audience = "https://mirror.example.org"
  }

  assert {
    condition = (
      module.partition_replicate[0].environment["DEST_TOKEN_AUDIENCE"] == "https://mirror.example.org"
      && aws_iam_openid_connect_provider.partition_replicate[0].client_id_list == toset(["https://mirror.example.org"])
      && jsondecode(aws_iam_role.partition_replicate_destination[0].assume_role_policy).Statement[0].Condition.StringEquals["0123.tokens.sts.global.api.aws:aud"] == "https://mirror.example.org"
      && [for statement in module.partition_replicate[0].policy.Statement : statement.Condition["ForAllValues:StringEquals"]["sts:IdentityTokenAudience"] if statement.Sid == "AskForToken"] == [["https://mirror.example.org"]]
    )
    error_message = "If the audiences differ, AWS refuses the token."
  }
}

run "existing_provider_is_used" {
  variables {
    partition_replicate_oidc_provider_arn = "arn:aws-us-gov:iam::210987654321:oidc-provider/0123.tokens.sts.global.api.aws"
  }

  assert {
    condition = (
      length(aws_iam_openid_connect_provider.partition_replicate) == 0
      && jsondecode(aws_iam_role.partition_replicate_destination[0].assume_role_policy).Statement[0].Principal == {
        Federated = "arn:aws-us-gov:iam::210987654321:oidc-provider/0123.tokens.sts.global.api.aws"
      }
    )
    error_message = "An account can have only one provider for an issuer, so Terraform must use the existing one."
  }
}

run "provider_of_another_issuer_is_refused" {
  command = plan

  variables {
    partition_replicate_oidc_provider_arn = "arn:aws-us-gov:iam::210987654321:oidc-provider/4567.tokens.sts.global.api.aws"
  }

  expect_failures = [var.partition_replicate_oidc_provider_arn]
}

run "access_key_needs_a_user_and_a_secret_and_no_role" {
  variables {
    partition_replicate_credentials = "access_key"
    partition_replicate_issuer_url  = null
  }

  assert {
    condition = (
      length(aws_iam_role.partition_replicate_destination) == 0
      && length(aws_iam_openid_connect_provider.partition_replicate) == 0
      && output.partition_replicate.destination_user == "bucket-brigade-partition-replicate-eu-west-1"
      && output.partition_replicate.destination_role_arn == null
    )
    error_message = "Terraform must create a user, and no role."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_user_policy.partition_replicate[0].policy).Statement : statement.Sid => statement.Resource } == {
      FindObjects     = ["arn:aws-us-gov:s3:::bucket-brigade-123456789012-eu-west-1-mirror"]
      CompareAndWrite = ["arn:aws-us-gov:s3:::bucket-brigade-123456789012-eu-west-1-mirror/*"]
    }
    error_message = "The user has permissions outside the mirror."
  }

  assert {
    condition = (
      module.partition_replicate[0].environment["DEST_SECRET"] == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-secret"
      && module.partition_replicate[0].environment["DEST_ROLE_ARN"] == ""
      && module.partition_replicate[0].environment["DEST_TOKEN_AUDIENCE"] == ""
    )
    error_message = "The function must get the secret, and no settings of a role."
  }

  assert {
    condition = [for statement in module.partition_replicate[0].policy.Statement : statement.Action if contains(["AskForToken", "ReadSecret"], statement.Sid)] == [
      ["secretsmanager:GetSecretValue"]
    ]
    error_message = "The function must be allowed to read its secret, and not to request a token."
  }
}

run "china_federates_too" {
  override_data {
    target = data.aws_partition.destination[0]
    values = { partition = "aws-cn" }
  }

  override_data {
    target = data.aws_region.destination[0]
    values = { id = "cn-north-1" }
  }

  assert {
    condition = (
      jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy).Statement[0].Resource == ["arn:aws-cn:s3:::bucket-brigade-123456789012-eu-west-1-mirror"]
      && module.partition_replicate[0].environment["DEST_BUCKET_REGION"] == "cn-north-1"
    )
    error_message = "The role or the region of the mirror is not in China."
  }
}

run "european_sovereign_cloud_federates_too" {
  override_data {
    target = data.aws_partition.destination[0]
    values = { partition = "aws-eusc" }
  }

  override_data {
    target = data.aws_region.destination[0]
    values = { id = "eusc-de-east-1" }
  }

  assert {
    condition = (
      jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy).Statement[0].Resource == ["arn:aws-eusc:s3:::bucket-brigade-123456789012-eu-west-1-mirror"]
      && module.partition_replicate[0].environment["DEST_BUCKET_REGION"] == "eusc-de-east-1"
    )
    error_message = "The role or the region of the mirror is not in the European Sovereign Cloud."
  }
}

run "key_of_the_mirror_may_be_used_by_the_role" {
  variables {
    partition_replicate_destination_kms_key_arn = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd"
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.partition_replicate_destination[0].policy).Statement : statement.Resource if statement.Sid == "UseKey"] == [
      ["arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd"]
    ]
    error_message = "The role could not write objects that are encrypted with the mirror's key."
  }
}

run "destination_in_the_partition_of_the_source_is_refused" {
  command = plan

  override_data {
    target = data.aws_partition.destination[0]
    values = { partition = "aws" }
  }

  expect_failures = [aws_iam_role.partition_replicate_destination]
}

run "federation_without_an_issuer_is_refused" {
  command = plan

  variables {
    partition_replicate_issuer_url = null
  }

  expect_failures = [var.partition_replicate_issuer_url]
}

run "federation_with_a_store_outside_aws_is_refused" {
  command = plan

  variables {
    partition_replicate_credentials              = "federation"
    partition_replicate_destination_bucket       = "my-mirror"
    partition_replicate_destination_endpoint_url = "https://s3.example.org"
  }

  expect_failures = [var.partition_replicate_credentials]
}

run "unknown_credentials_are_refused" {
  command = plan

  variables {
    partition_replicate_credentials = "password"
  }

  expect_failures = [var.partition_replicate_credentials]
}

run "issuer_without_https_and_empty_audience_are_refused" {
  command = plan

  variables {
    partition_replicate_issuer_url     = "http://0123.tokens.sts.global.api.aws"
    partition_replicate_token_audience = ""
  }

  expect_failures = [var.partition_replicate_issuer_url, var.partition_replicate_token_audience]
}

run "provider_that_is_not_an_arn_is_refused" {
  command = plan

  variables {
    partition_replicate_oidc_provider_arn = "0123.tokens.sts.global.api.aws"
  }

  expect_failures = [var.partition_replicate_oidc_provider_arn]
}
