# Region and credentials come from the environment (AWS_REGION, AWS_PROFILE and so on), so that one folder serves every
# account and partition. Endpoints of an emulator go into a `*_override.tf` beside this file, which Terraform merges in.
provider "aws" {
  default_tags {
    tags = var.tags
  }
}

# The other partition, for partition_replicate alone. Without a region and a profile of its own it is the one above.
provider "aws" {
  alias   = "destination"
  region  = var.partition_replicate_destination_region
  profile = var.partition_replicate_destination_profile

  default_tags {
    tags = var.tags
  }
}
