# Region and credentials come from the environment (AWS_REGION, AWS_PROFILE and so on), so that this folder works for every
# account and partition. Endpoints of an emulator go into a `*_override.tf` beside this file, which Terraform merges.
provider "aws" {
  default_tags {
    tags = var.tags
  }
}

# The destination's partition, only for partition_replicate. Without its own region and profile, it is the provider above.
provider "aws" {
  alias   = "destination"
  region  = var.partition_replicate_destination_region
  profile = var.partition_replicate_destination_profile

  default_tags {
    tags = var.tags
  }
}
