# The dashboard: graphs of the enabled tasks, with the dimensions that functions and queues write. These tests need neither
# AWS nor the network.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "destination"
  source = "./tests/mocks"
}

variables {
  disposable_buckets = true
  package_dir        = "./tests/packages"
}

run "only_enabled_tasks_have_graphs" {
  command = plan

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.properties.markdown if widget.type == "text"
    ] == ["## archive_copy"]
    error_message = "By default archive_copy is the only enabled task, and the only one with a title."
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "partition-replicate")
    error_message = "A disabled task has no graph."
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this[0].dashboard_name == "bucket-brigade"
    error_message = "The dashboard has the name of the deployment."
  }
}

run "graphs_show_the_metrics_of_the_function_and_of_its_queue" {
  command = plan

  variables {
    name_prefix                       = "one"
    archive_copy_memory_mb            = 768
    archive_copy_timeout_seconds      = 60
    archive_copy_reserved_concurrency = 3
  }

  assert {
    condition = {
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.properties.title => widget.properties.metrics
      if widget.type == "metric" && contains(["Events in and done", "Memory against the limit"], try(widget.properties.title, ""))
      } == {
      "Events in and done" = [
        ["AWS/SQS", "NumberOfMessagesSent", "QueueName", "one-archive-copy", { color = "#1f77b4", label = "in", stat = "Sum" }],
        ["BucketBrigade", "Done", "deployment", "one", "service", "archive_copy", "function_name", "one-archive-copy", { color = "#2ca02c", label = "done", stat = "Sum" }],
      ]
      "Memory against the limit" = [
        ["BucketBrigade", "MemoryUsed", "deployment", "one", "service", "archive_copy", "function_name", "one-archive-copy", { color = "#1f77b4", label = "mean", stat = "Average" }],
        ["BucketBrigade", "MemoryUsed", "deployment", "one", "service", "archive_copy", "function_name", "one-archive-copy", { color = "#9467bd", label = "highest", stat = "Maximum" }],
      ]
    }
    error_message = "The graphs name other metrics or dimensions than the function and its queue write."
  }

  assert {
    condition = {
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      widget.properties.title => one(widget.properties.annotations.horizontal).value if can(widget.properties.annotations)
      } == {
      "Concurrency, and throttled invocations" = 3
      "Duration against the time-out"          = 60000
      "Memory against the limit"               = 768
    }
    error_message = "The lines at the limits differ from the function's limits; Duration is in milliseconds."
  }
}

run "all_tasks_fit_into_a_free_dashboard_and_no_widgets_overlap" {
  command = plan

  variables {
    # A federated mirror needs a second partition, and the mocked providers have only one.
    partition_replicate_credentials       = "access_key"
    partition_replicate_enabled           = true
    partition_replicate_source_bucket     = "my-data"
    partition_replicate_lag_alarm_seconds = 1200
    upload_validate_enabled               = true
    upload_validate_github_repo           = "octocat/hello-world"
    upload_validate_webhook_url           = "https://example.org/hook"
  }

  # "Amazon CloudWatch pricing": three dashboards with up to 50 metrics each are free.
  assert {
    condition = length(distinct(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [
        for metric in try(widget.properties.metrics, []) : join(" ", [for part in metric : part if can(tostring(part))]) if length(metric) > 1
      ]
    ]))) <= 50
    error_message = "The dashboard has more than 50 metrics."
  }

  assert {
    condition = length(distinct([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : "${widget.x},${widget.y}"
    ])) == 3 * 9
    error_message = "Each task has a title and eight graphs, each at a place of its own."
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : one(widget.properties.annotations.horizontal).value
      if try(widget.properties.title, "") == "Lag: age of events" && can(widget.properties.annotations)
    ] == [1200]
    error_message = "The mirror's lag has a line at the threshold of its alarm, and no other task has one."
  }

  assert {
    condition = toset(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [
        for metric in try(widget.properties.metrics, []) : metric[3] if strcontains(try(metric[3], ""), "dead-letters") || strcontains(try(metric[3], ""), "undelivered")
      ]
      ])) == toset([
      "bucket-brigade-archive-copy-dead-letters",
      "bucket-brigade-partition-replicate-dead-letters.fifo",
      "bucket-brigade-partition-replicate-recheck-dead-letters",
      "bucket-brigade-partition-replicate-undelivered",
      "bucket-brigade-upload-validate-dead-letters",
    ])
    error_message = "The graphs show every dead-letter queue and the undelivered events."
  }
}

run "names_of_the_graphs_are_those_of_the_resources" {
  command = plan

  variables {
    partition_replicate_credentials   = "access_key"
    partition_replicate_enabled       = true
    partition_replicate_source_bucket = "my-data"
  }

  assert {
    condition     = local.dashboard_entries.partition_replicate.function == module.partition_replicate[0].function_name
    error_message = "The graphs of the mirror show another function."
  }

  assert {
    condition     = local.dashboard_entries.partition_replicate.other_functions == [module.partition_replicate_enqueue[0].function_name]
    error_message = "The graphs of the mirror show another function that feeds its queue."
  }

  assert {
    condition     = local.dashboard_entries.archive_copy.function == module.archive_copy[0].function_name
    error_message = "The graphs of archive_copy show another function."
  }
}

run "another_region_is_the_region_of_every_graph" {
  command = plan

  override_data {
    target = data.aws_region.current
    values = { id = "us-gov-west-1" }
  }

  assert {
    condition = distinct([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.properties.region if widget.type == "metric"
    ]) == tolist(["us-gov-west-1"])
    error_message = "The graphs show another region than that of the deployment."
  }
}

run "dashboard_can_be_switched_off" {
  command = plan

  variables {
    dashboard_enabled = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0
    error_message = "dashboard_enabled = false must create no dashboard."
  }
}

run "deployment_without_tasks_has_no_dashboard" {
  command = plan

  variables {
    archive_copy_enabled = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0
    error_message = "Without a task there is nothing to show."
  }
}
