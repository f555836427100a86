# partition_replicate: who the function is at the destination.
#
#   federation   function's role --token--> STS there --> the mirror's role, for an hour    (AWS, the default)
#   access_key   secret --> the mirror's user, or a user of an S3-compatible store          (by choice)
#
# IAM User Guide, "Federating AWS identities across AWS partitions".

locals {
  # An S3-compatible store has its own users: their keys are put into the secret by hand.
  partition_replicate_on_aws = var.partition_replicate_enabled && local.no_keys.partition_replicate_destination_endpoint_url == ""

  partition_replicate_credentials = coalesce(
    var.partition_replicate_credentials,
    local.no_keys.partition_replicate_destination_endpoint_url == "" ? "federation" : "access_key",
  )
  partition_replicate_federated      = var.partition_replicate_enabled && local.partition_replicate_credentials == "federation"
  partition_replicate_has_secret     = var.partition_replicate_enabled && local.partition_replicate_credentials == "access_key"
  partition_replicate_has_user       = local.partition_replicate_has_secret && local.partition_replicate_on_aws
  partition_replicate_makes_provider = local.partition_replicate_federated && var.partition_replicate_oidc_provider_arn == null

  # Condition keys on a token begin with its issuer, without the scheme.
  partition_replicate_issuer       = trimprefix(coalesce(var.partition_replicate_issuer_url, "https://"), "https://")
  partition_replicate_provider_arn = try(aws_iam_openid_connect_provider.partition_replicate[0].arn, var.partition_replicate_oidc_provider_arn)

  # What the function may do at the destination, as a role or as a user.
  # ListBucket makes S3 answer 404 for a key that is not there; without it the answer is 403, which reads like a refusal.
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

  # What the function's role may ask of STS: the one token that the task asks for. The action knows no resources.
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

# The account of the function, as an issuer of tokens that the destination's account knows. An account has one for each
# issuer URL, so a second deployment to the same account is given the first one's.
resource "aws_iam_openid_connect_provider" "partition_replicate" {
  provider = aws.destination
  count    = local.partition_replicate_makes_provider ? 1 : 0

  url            = var.partition_replicate_issuer_url
  client_id_list = [var.partition_replicate_token_audience]
}

# Who writes the mirror, for an hour at a time. Only this function's role may be it: the token's subject.
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
      error_message = "The destination is in the partition of the source, ${local.partition}, where AWS takes no token of its own: set partition_replicate_destination_region to a region of another partition, or partition_replicate_credentials to \"access_key\"."
    }
  }
}

# All that the role may do, on one page.
resource "aws_iam_role_policy" "partition_replicate_destination" {
  provider = aws.destination
  count    = local.partition_replicate_federated ? 1 : 0

  name   = "task"
  role   = aws_iam_role.partition_replicate_destination[0].id
  policy = local.partition_replicate_dest_policy
}

# The keys of a user. Terraform makes the secret and never sees what is in it.
resource "aws_secretsmanager_secret" "partition_replicate" {
  count = local.partition_replicate_has_secret ? 1 : 0

  #checkov:skip=CKV2_AWS_57:Keys of another partition are rotated where they are made; the function notices
  #checkov:skip=CKV_AWS_149:Encrypted by AWS's own key unless one is given
  # A prefix, because Secrets Manager keeps the name of a destroyed secret for a month.
  name_prefix = "${local.partition_replicate_name}-"
  description = "JSON with accesskey and secretaccesskey of the user that writes the mirror."
  kms_key_id  = var.kms_key_arn
}

# Who writes the mirror where a role is not wanted. Its access key is made by hand, so that it is in no Terraform state.
resource "aws_iam_user" "partition_replicate" {
  provider = aws.destination
  count    = local.partition_replicate_has_user ? 1 : 0

  #checkov:skip=CKV_AWS_273:Made by choice alone, as within one partition; the default is a role that is assumed with a token
  name = "${local.partition_replicate_name}-${local.region}"
}

# All that the user may do, on one page.
resource "aws_iam_user_policy" "partition_replicate" {
  provider = aws.destination
  count    = local.partition_replicate_has_user ? 1 : 0

  #checkov:skip=CKV_AWS_40:The user is the only one that ever has these permissions
  name   = "task"
  user   = aws_iam_user.partition_replicate[0].name
  policy = local.partition_replicate_dest_policy
}
