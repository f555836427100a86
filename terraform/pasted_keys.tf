# Variables for the name of a key or for a URL. Terraform shows neither a key that is pasted there nor a user in a URL.
#
# A validation of the variable would show it, even if the variable is sensitive: Terraform prints the value, and the line of
# the file that sets it. So these values are checked here. A value of a wrong form is dropped, and a precondition of the
# task's output names only the variable. A value of the right form is not a key, and a plan shows it.

locals {
  form_of_key_name = "^(/[A-Za-z0-9_.-][A-Za-z0-9_./-]*|ssm:[A-Za-z0-9_./-]+|secretsmanager:[A-Za-z0-9/_+=.@-]+(#[^#]+)?)$"
  form_of_url      = "^(https://[^/?#@[:space:]]+|http://(localhost|127([.][0-9]{1,3}){3}|[[]::1[]])(:[0-9]+)?)([/?#][^[:space:]]*)?$"

  maybe_keys = {
    upload_validate_github_key_name              = { value = var.upload_validate_github_key_name, form = local.form_of_key_name }
    upload_validate_webhook_key_name             = { value = var.upload_validate_webhook_key_name, form = local.form_of_key_name }
    upload_validate_sentry_dsn_name              = { value = var.upload_validate_sentry_dsn_name, form = local.form_of_key_name }
    upload_validate_github_api_url               = { value = var.upload_validate_github_api_url, form = local.form_of_url }
    upload_validate_council_api_url              = { value = var.upload_validate_council_api_url, form = local.form_of_url }
    upload_validate_webhook_url                  = { value = var.upload_validate_webhook_url, form = "^$|${local.form_of_url}|${local.form_of_key_name}" }
    partition_replicate_destination_endpoint_url = { value = var.partition_replicate_destination_endpoint_url, form = "^$|^https://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$" }
  }

  # Variable -> its value; "" if the value is null or has a wrong form.
  no_keys = { for name, given in local.maybe_keys : name => nonsensitive(can(regex(given.form, given.value)) ? given.value : "") }

  # Task -> the names of its variables whose value has a wrong form.
  refused_keys = {
    for task in ["partition_replicate", "upload_validate"] : task => join(" and ", [
      for name, given in local.maybe_keys : name
      if startswith(name, task) && nonsensitive(given.value != null && !can(regex(given.form, given.value)))
    ])
  }
}
