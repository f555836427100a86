# The whole of upload_validate: resources, names, settings and permissions. These tests need neither AWS nor the network.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

# A test destroys its resources, and Terraform refuses that for a bucket that is not disposable.
variables {
  disposable_buckets          = true
  package_dir                 = "./tests/packages"
  upload_validate_enabled     = true
  upload_validate_github_repo = "octocat/imports"
  upload_validate_webhook_url = "https://example.org/hook"
}

run "defaults_create_two_buckets_and_send_no_mail" {
  assert {
    condition = output.upload_validate.quarantine_bucket == null && { for name, value in output.upload_validate : name => value if value != null } == {
      function_name         = "bucket-brigade-upload-validate"
      function_arn          = "arn:aws:lambda:eu-west-1:123456789012:function:a-function"
      upload_bucket         = "bucket-brigade-123456789012-eu-west-1-uploads"
      final_bucket          = "bucket-brigade-123456789012-eu-west-1-published"
      outcomes_table        = "bucket-brigade-upload-validate-outcomes"
      queue_url             = "https://sqs.example/a-queue"
      dead_letter_queue_url = "https://sqs.example/a-queue"
    }
    error_message = "The default names and addresses differ from the documented ones."
  }

  assert {
    condition = module.upload_validate[0].environment == tomap({
      TEMP_BUCKET_NAME       = "bucket-brigade-123456789012-eu-west-1-uploads"
      FINAL_BUCKET_NAME      = "bucket-brigade-123456789012-eu-west-1-published"
      QUARANTINE_BUCKET_NAME = ""
      BUCKET_OWNERS          = "{\"*\":\"123456789012\"}"
      SUPERSEDED_FILES       = "keep"
      OUTCOMES_TABLE         = "bucket-brigade-upload-validate-outcomes"
      PROFILE                = "polling-stations"
      TABLE_SCHEMA           = ""
      ERROR_LIMIT            = "50"
      FILE_LIMIT             = "1000"
      GITHUB_REPO            = "octocat/imports"
      GITHUB_API_URL         = "https://api.github.com"
      GITHUB_API_KEY         = ""
      COUNCIL_API_URL        = "https://wheredoivote.co.uk/api/beta/councils"
      WDIV_WEBHOOK_URL       = "https://example.org/hook"
      WDIV_API_KEY           = ""
      ERROR_REPORT_EMAIL     = ""
      SENDER_EMAIL           = ""
      SENTRY_DSN             = ""
      DIRECT_REQUESTS        = "off"
      WORK_QUEUE             = "https://sqs.example/a-queue"
      DEAD_LETTER_QUEUE      = "https://sqs.example/a-queue"
      MAX_RECEIVES           = "10"
      LOGGING_LEVEL          = "INFO"
      DEPLOYMENT             = "bucket-brigade"
    })
    error_message = "The function's environment differs from the names that its settings read."
  }

  assert {
    condition     = keys(module.upload_validate_bucket) == ["published", "uploads"] && length(aws_ses_email_identity.upload_validate) == 0
    error_message = "Terraform must create two buckets, and no identity."
  }

  assert {
    condition     = aws_s3_bucket_notification.upload_validate[0].queue[*].events == tolist([toset(["s3:ObjectCreated:*"])])
    error_message = "Every new object, and nothing else, must start a check."
  }

  assert {
    condition     = aws_dynamodb_table.upload_validate[0].hash_key == "id" && one(aws_dynamodb_table.upload_validate[0].ttl).attribute_name == "expiration"
    error_message = "The table's key or expiry attribute differs from that of the idempotency records."
  }

  assert {
    condition = { for statement in module.upload_validate[0].policy.Statement : statement.Sid => statement.Action if !contains(["WriteLog", "TakeWork", "SendDeadLetters"], statement.Sid) } == {
      FindObjects     = ["s3:ListBucket"]
      FindOpenUploads = ["s3:ListBucketMultipartUploads"]
      ReadUploads     = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations"]
      CompareAndPublish = [
        "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectTagging", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging",
        "s3:PutObjectVersionTagging",
        "s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:ListObjectAnnotations", "s3:ListObjectVersionAnnotations",
        "s3:PutObjectAnnotation", "s3:PutObjectVersionAnnotation",
      ]
      RememberOutcomes = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      RenewWork        = ["sqs:SendMessage"]
    }
    error_message = "The function has more or fewer permissions than it needs."
  }
}

run "every_setting_is_used" {
  variables {
    upload_validate_superseded_files     = "remove"
    name_prefix                          = "b2"
    upload_validate_upload_bucket        = "my-uploads"
    upload_validate_final_bucket         = "my-data"
    upload_validate_quarantine_enabled   = true
    upload_validate_profile              = "table-schema"
    upload_validate_table_schema         = "s3://my-schemas/a/b.json"
    upload_validate_github_key_name      = "/uploads/github"
    upload_validate_webhook_key_name     = "secretsmanager:uploads#webhook"
    upload_validate_sentry_dsn_name      = "ssm:sentry"
    upload_validate_error_report_email   = "data@example.org"
    upload_validate_sender_email         = "robot@mail.example.org"
    upload_validate_ses_identity_enabled = true
  }

  assert {
    condition     = module.upload_validate_bucket["quarantine"].name == "b2-123456789012-eu-west-1-quarantine" && length(module.upload_validate_bucket) == 1
    error_message = "Terraform must create only the bucket that does not exist."
  }

  assert {
    condition     = aws_s3_bucket_notification.upload_validate[0].bucket == "my-uploads" && aws_ses_email_identity.upload_validate[0].email == "robot@mail.example.org"
    error_message = "The existing bucket does not notify the queue, or the identity is not the sender."
  }

  assert {
    condition     = module.upload_validate[0].environment["SUPERSEDED_FILES"] == "remove" && { for statement in module.upload_validate[0].policy.Statement : statement.Sid => statement.Action if contains(["RemoveSuperseded", "SendMail"], statement.Sid) } == { RemoveSuperseded = ["s3:DeleteObject"], SendMail = ["ses:SendRawEmail"] }
    error_message = "The function must have the setting and the permission to remove files, and may send only raw e-mails."
  }

  assert {
    condition = { for statement in module.upload_validate[0].policy.Statement : statement.Sid => statement.Resource if !contains(["WriteLog", "TakeWork", "SendDeadLetters", "RememberOutcomes"], statement.Sid) } == {
      FindObjects       = ["arn:aws:s3:::my-uploads", "arn:aws:s3:::my-data", "arn:aws:s3:::b2-123456789012-eu-west-1-quarantine"]
      FindOpenUploads   = ["arn:aws:s3:::my-data", "arn:aws:s3:::b2-123456789012-eu-west-1-quarantine"]
      ReadUploads       = ["arn:aws:s3:::my-uploads/*"]
      CompareAndPublish = ["arn:aws:s3:::my-data/*", "arn:aws:s3:::b2-123456789012-eu-west-1-quarantine/*"]
      RemoveSuperseded  = ["arn:aws:s3:::my-data/*", "arn:aws:s3:::b2-123456789012-eu-west-1-quarantine/*"]
      SendMail          = ["arn:aws:ses:eu-west-1:123456789012:identity/robot@mail.example.org", "arn:aws:ses:eu-west-1:123456789012:identity/mail.example.org"]
      ReadParameters    = ["arn:aws:ssm:eu-west-1:123456789012:parameter/uploads/github", "arn:aws:ssm:eu-west-1:123456789012:parameter/sentry"]
      ReadSecrets       = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:uploads-??????"]
      ReadTableSchema   = ["arn:aws:s3:::my-schemas/a/b.json"]
      RenewWork         = ["arn:aws:sqs:eu-west-1:123456789012:a-queue"]
    }
    error_message = "The function has more or fewer permissions than it needs."
  }
}

run "each_bucket_has_its_key_and_the_uploads_key_only_decrypts" {
  variables {
    upload_validate_quarantine_enabled      = true
    upload_validate_upload_kms_key_arns     = ["arn:aws:kms:eu-west-1:123456789012:key/uploads"]
    upload_validate_final_kms_key_arns      = ["arn:aws:kms:eu-west-1:123456789012:key/final"]
    upload_validate_quarantine_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/quarantine"]
  }

  assert {
    condition = { for statement in module.upload_validate[0].policy.Statement : statement.Sid => [statement.Action, statement.Resource] if endswith(statement.Sid, "UnderKeys") } == {
      ReadUnderKeys = [["kms:Decrypt"], ["arn:aws:kms:eu-west-1:123456789012:key/uploads"]]
      WriteUnderKeys = [
        ["kms:Decrypt", "kms:GenerateDataKey"],
        ["arn:aws:kms:eu-west-1:123456789012:key/final", "arn:aws:kms:eu-west-1:123456789012:key/quarantine"],
      ]
    }
    error_message = "The function has more or fewer permissions on the keys of its buckets than it needs."
  }

  assert {
    condition     = { for use, bucket in module.upload_validate_bucket : use => bucket.kms_key_arn } == { for use in ["uploads", "published", "quarantine"] : use => "arn:aws:kms:eu-west-1:123456789012:key/${use == "published" ? "final" : use}" }
    error_message = "A bucket is not encrypted with its own key."
  }
}

run "disabled_task_has_no_resources" {
  variables {
    upload_validate_enabled     = false
    upload_validate_github_repo = ""
    upload_validate_webhook_url = ""
  }

  assert {
    condition     = output.upload_validate == null && length(module.upload_validate_bucket) == 0 && length(aws_dynamodb_table.upload_validate) == 0
    error_message = "Resources of the disabled task remain."
  }
}

run "missing_required_variables_are_refused" {
  command = plan

  variables {
    upload_validate_github_repo = ""
    upload_validate_webhook_url = ""
  }

  expect_failures = [var.upload_validate_github_repo, var.upload_validate_webhook_url]
}

run "webhook_url_may_be_in_an_entry" {
  variables {
    upload_validate_webhook_url      = "secretsmanager:uploads#url"
    upload_validate_webhook_key_name = "/uploads/webhook"
  }

  assert {
    condition     = module.upload_validate[0].environment["WDIV_WEBHOOK_URL"] == "secretsmanager:uploads#url"
    error_message = "The function must get the name of the entry."
  }

  assert {
    condition = { for statement in module.upload_validate[0].policy.Statement : statement.Sid => statement.Resource if contains(["ReadParameters", "ReadSecrets"], statement.Sid) } == {
      ReadParameters = ["arn:aws:ssm:eu-west-1:123456789012:parameter/uploads/webhook"]
      ReadSecrets    = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:uploads-??????"]
    }
    error_message = "The function must be allowed to read that entry, and no other."
  }
}

run "webhook_url_without_scheme_is_refused" {
  command = plan

  variables {
    upload_validate_webhook_url = "//example.org/hook"
  }

  expect_failures = [output.upload_validate]
}

run "key_instead_of_its_name_is_refused" {
  command = plan

  variables {
    upload_validate_github_key_name  = "ghp_0123456789"
    upload_validate_webhook_key_name = "0123456789"
    upload_validate_sentry_dsn_name  = "https://key@sentry.example/1"
  }

  assert {
    condition     = local.refused_keys.upload_validate == "upload_validate_github_key_name and upload_validate_sentry_dsn_name and upload_validate_webhook_key_name"
    error_message = "Not all wrong values are refused."
  }

  assert {
    condition     = alltrue([for name in ["GITHUB_API_KEY", "WDIV_API_KEY", "SENTRY_DSN"] : module.upload_validate[0].environment[name] == ""])
    error_message = "A plan would show a key."
  }

  expect_failures = [output.upload_validate]
}

run "urls_of_a_wrong_form_are_refused" {
  command = plan

  variables {
    upload_validate_github_api_url  = "http://api.github.com"
    upload_validate_council_api_url = "https://user:password@example.org"
    upload_validate_webhook_url     = "http://127.0.0.1.example.org/hook"
  }

  assert {
    condition     = local.refused_keys.upload_validate == "upload_validate_council_api_url and upload_validate_github_api_url and upload_validate_webhook_url"
    error_message = "Not all wrong values are refused."
  }

  expect_failures = [output.upload_validate]
}

run "values_of_a_wrong_form_are_refused" {
  command = plan

  variables {
    upload_validate_upload_bucket             = "arn:aws:s3:::mine"
    upload_validate_final_bucket              = "s3://mine"
    upload_validate_quarantine_bucket         = "Mine"
    upload_validate_expire_uploads_after_days = -1
    upload_validate_profile                   = "../mine"
    upload_validate_table_schema              = "schemas/mine.json"
    upload_validate_error_limit               = 0
    upload_validate_file_limit                = 10001
    upload_validate_error_report_email        = "no address"
    upload_validate_sender_email              = "no address"
    upload_validate_superseded_files          = "delete"
    upload_validate_settle_seconds            = 901
    upload_validate_memory_mb                 = 64
    upload_validate_timeout_seconds           = 901
    upload_validate_batch_size                = 11
    upload_validate_reserved_concurrency      = 0
    upload_validate_maximum_concurrency       = 1
  }

  expect_failures = [
    var.upload_validate_upload_bucket,
    var.upload_validate_final_bucket,
    var.upload_validate_quarantine_bucket,
    var.upload_validate_expire_uploads_after_days,
    var.upload_validate_profile,
    var.upload_validate_table_schema,
    var.upload_validate_error_limit,
    var.upload_validate_file_limit,
    var.upload_validate_error_report_email,
    var.upload_validate_sender_email,
    var.upload_validate_superseded_files,
    var.upload_validate_settle_seconds,
    var.upload_validate_memory_mb,
    var.upload_validate_timeout_seconds,
    var.upload_validate_batch_size,
    var.upload_validate_reserved_concurrency,
    var.upload_validate_maximum_concurrency,
  ]
}
