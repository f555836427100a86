# partition_replicate: the function's identity at the destination.
#
#   federation   function's role --token--> STS there --> the mirror's role, for an hour    (default on AWS)
#   access_key   secret --> the mirror's user, or a user of an S3-compatible store          (optional on AWS)
#
# IAM User Guide, "Federating AWS identities across AWS partitions".

locals {
  # An S3-compatible store has its own users. A person puts the key of one into the secret.
  partition_replicate_on_aws = var.partition_replicate_enabled && local.no_keys.partition_replicate_destination_endpoint_url == ""

  partition_replicate_credentials = coalesce(
    var.partition_replicate_credentials,
    local.no_keys.partition_replicate_destination_endpoint_url == "" ? "federation" : "access_key",
  )
  partition_replicate_federated      = var.partition_replicate_enabled && local.partition_replicate_credentials == "federation"
  partition_replicate_has_secret     = var.partition_replicate_enabled && local.partition_replicate_credentials == "access_key"
  partition_replicate_has_user       = local.partition_replicate_has_secret && local.partition_replicate_on_aws
  partition_replicate_makes_provider = local.partition_replicate_federated && var.partition_replicate_oidc_provider_arn == null

  # Condition keys for a token begin with the issuer URL, without its scheme.
  partition_replicate_issuer       = trimprefix(coalesce(var.partition_replicate_issuer_url, "https://"), "https://")
  partition_replicate_provider_arn = try(aws_iam_openid_connect_provider.partition_replicate[0].arn, var.partition_replicate_oidc_provider_arn)

  # Permissions of the function at the destination, as a role or as a user.
  # With ListBucket, S3 answers 404 for a missing key. Without it, the answer is 403, as for a missing permission.
  partition_replicate_dest_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "FindObjects"
          Effect    = "Allow"
          Action    = concat(["s3:ListBucket", "s3:ListBucketMultipartUploads"], local.partition_replicate_on_versions.list)
          Resource  = [local.partition_replicate_dest_arn]
          Condition = local.owned.mirror
        },
        {
          Sid    = "CompareAndWrite"
          Effect = "Allow"
          Action = concat(
            [
              "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:GetObjectTagging", "s3:ListMultipartUploadParts",
              "s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging",
            ],
            local.partition_replicate_on_versions.mirror,
            local.partition_replicate_on_annotations.mirror,
          )
          Resource  = ["${local.partition_replicate_dest_arn}/*"]
          Condition = local.owned.mirror
        },
      ],
      [for arn in var.partition_replicate_destination_kms_key_arn[*] : {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [arn]
      }],
    )
  })

  # The function's role may request only the token that the task needs. The action supports no resource ARNs.
  partition_replicate_token_permission = {
    actions   = ["sts:GetWebIdentityToken"]
    resources = ["*"]
    condition = {
      "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = [var.partition_replicate_token_audience] }
      NumericLessThanEquals       = { "sts:DurationSeconds" = ["300"] }
      StringEquals                = { "sts:SigningAlgorithm" = ["ES384"] }
    }
  }
}

# Makes the destination's account trust tokens that the function's account issues. An account can have only one provider for
# each issuer URL, so a second deployment to the same account uses the provider of the first.
resource "aws_iam_openid_connect_provider" "partition_replicate" {
  provider = aws.destination
  count    = local.partition_replicate_makes_provider ? 1 : 0

  url            = var.partition_replicate_issuer_url
  client_id_list = [var.partition_replicate_token_audience]
}

# The role that writes the mirror, for an hour at a time. Only this function's role, the subject of the token, may assume it.
resource "aws_iam_role" "partition_replicate_destination" {
  provider = aws.destination
  count    = local.partition_replicate_federated ? 1 : 0

  name        = "${local.partition_replicate_name}-${local.region}"
  description = "Writes the mirror of ${local.partition_replicate_source_bucket}; assumed by the function in partition ${local.partition}."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.partition_replicate_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = { StringEquals = {
        "${local.partition_replicate_issuer}:aud" = var.partition_replicate_token_audience
        "${local.partition_replicate_issuer}:sub" = module.partition_replicate[0].role_arn
      } }
    }]
  })

  lifecycle {
    precondition {
      condition     = local.partition_replicate_dest_partition != local.partition
      error_message = "Source and destination are both in the partition ${local.partition}, and AWS does not accept its own tokens within a partition. Set partition_replicate_destination_region to a region of another partition, or partition_replicate_credentials to \"access_key\"."
    }
  }
}

# All permissions of the role.
resource "aws_iam_role_policy" "partition_replicate_destination" {
  provider = aws.destination
  count    = local.partition_replicate_federated ? 1 : 0

  name   = "task"
  role   = aws_iam_role.partition_replicate_destination[0].id
  policy = local.partition_replicate_dest_policy
}

# The access key of a user. Terraform creates the secret and never reads its value.
resource "aws_secretsmanager_secret" "partition_replicate" {
  count = local.partition_replicate_has_secret ? 1 : 0

  #checkov:skip=CKV2_AWS_57:Keys of another partition are rotated there; the function notices a new key
  #checkov:skip=CKV_AWS_149:Encrypted with a key that AWS owns unless kms_key_arn is set
  # A prefix, because Secrets Manager reserves the name of a deleted secret for a month.
  name_prefix = "${local.partition_replicate_name}-"
  description = "JSON with the accesskey and secretaccesskey of the user that writes the mirror."
  kms_key_id  = var.kms_key_arn
}

# The user that writes the mirror, if credentials are `access_key`. A person creates its access key, so no Terraform state
# contains the key.
resource "aws_iam_user" "partition_replicate" {
  provider = aws.destination
  count    = local.partition_replicate_has_user ? 1 : 0

  #checkov:skip=CKV_AWS_273:Optional, for example within one partition; the default is a role assumed with a token
  name = "${local.partition_replicate_name}-${local.region}"
}

# All permissions of the user.
resource "aws_iam_user_policy" "partition_replicate" {
  provider = aws.destination
  count    = local.partition_replicate_has_user ? 1 : 0

  #checkov:skip=CKV_AWS_40:Only this user ever has these permissions
  name   = "task"
  user   = aws_iam_user.partition_replicate[0].name
  policy = local.partition_replicate_dest_policy
}
