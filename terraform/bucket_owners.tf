# The owners of the buckets. A bucket's name does not identify its owner: a misspelt name may be another account's bucket,
# and another account may create a bucket with the name of a deleted one. Such a bucket accepts what its policy allows.
#
# - A plan fails if an existing bucket is missing or denies access to the deployer. No data source returns a bucket's owner.
# - Each request of a function to S3 names the expected owner (BUCKET_OWNERS). S3 refuses another owner's bucket.
# - Each permission on S3 applies only to buckets of these accounts (aws:ResourceAccount).

locals {
  # Buckets whose events start a task. S3 reports them to the bucket's own account.
  event_buckets = merge(values(local.tasks)[*].event_buckets...)

  # Every existing bucket in the deployment's own partition, by the variable that names it.
  given_buckets = { for variable, bucket in merge(
    local.event_buckets,
    { for name, archive in var.archive_copy_archives : "archive_copy_archives.${name}" => archive.bucket },
    {
      upload_validate_final_bucket      = var.upload_validate_final_bucket
      upload_validate_quarantine_bucket = var.upload_validate_quarantine_bucket
      upload_validate_table_schema      = one(local.upload_validate_schema_buckets)
    },
  ) : variable => bucket if bucket != null }

  # A mirror outside AWS belongs to no account.
  partition_replicate_given_mirrors = [for bucket in var.partition_replicate_destination_bucket[*] : bucket if local.no_keys.partition_replicate_destination_endpoint_url == ""]

  # The buckets that may belong to another account, with their owners.
  archive_copy_owners = {
    for bucket in distinct(values(local.archive_copy_buckets)) : bucket => lookup(var.bucket_owners, bucket, local.account_id)
  }
  upload_validate_owners = {
    for bucket in distinct(concat(local.upload_validate_written_buckets, local.upload_validate_schema_buckets)) :
    bucket => lookup(var.bucket_owners, bucket, local.account_id)
  }
  partition_replicate_dest_owner = lookup(var.bucket_owners, local.partition_replicate_dest_bucket, try(data.aws_caller_identity.destination[0].account_id, ""))

  # The functions' setting BUCKET_OWNERS: bucket -> account, `*` for all others.
  archive_copy_owners_json        = jsonencode(merge({ "*" = local.account_id }, { for bucket, owner in local.archive_copy_owners : bucket => owner if owner != local.account_id }))
  upload_validate_owners_json     = jsonencode(merge({ "*" = local.account_id }, { for bucket, owner in local.upload_validate_owners : bucket => owner if owner != local.account_id }))
  partition_replicate_owners_json = jsonencode(merge({ "*" = local.account_id }, local.partition_replicate_on_aws ? { (local.partition_replicate_dest_bucket) = local.partition_replicate_dest_owner } : {}))

  # The condition of each permission on S3, by the kind of bucket.
  owned = { for buckets, owners in {
    sources               = [local.account_id]
    archives              = values(local.archive_copy_owners)
    source_and_archives   = concat([local.account_id], values(local.archive_copy_owners))
    published             = [for bucket in local.upload_validate_written_buckets : local.upload_validate_owners[bucket]]
    uploads_and_published = concat([local.account_id], [for bucket in local.upload_validate_written_buckets : local.upload_validate_owners[bucket]])
    table_schema          = [for bucket in local.upload_validate_schema_buckets : local.upload_validate_owners[bucket]]
    mirror                = [local.partition_replicate_dest_owner]
  } : buckets => { StringEquals = { "aws:ResourceAccount" = distinct(owners) } } }
}

# A missing or inaccessible bucket fails the plan, before any change. A bucket in bucket_owners may be created later.
data "aws_s3_bucket" "given" {
  for_each = {
    for variable, bucket in local.given_buckets : variable => bucket
    if anytrue([for task in local.enabled_tasks : startswith(variable, "${task}_")]) && !contains(keys(var.bucket_owners), bucket)
  }

  bucket = each.value
}

# The same for the mirror, which needs the other provider.
data "aws_s3_bucket" "given_mirror" {
  provider = aws.destination
  for_each = toset([for bucket in local.partition_replicate_given_mirrors : bucket if var.partition_replicate_enabled && !contains(keys(var.bucket_owners), bucket)])

  bucket = each.value
}

# The account of the mirror, unless bucket_owners names another.
data "aws_caller_identity" "destination" {
  provider = aws.destination
  count    = local.partition_replicate_on_aws ? 1 : 0
}
