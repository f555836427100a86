# The dashboard of the deployment: for each enabled task a title and two rows of four graphs.
#
#   events in and done | failed and dead      | objects pending       | lag
#   bytes              | duration, time-out   | memory, limit         | concurrency, limit
#
# Below them is one graph of the scheduled checks.

locals {
  dashboard_colors = {
    in      = "#1f77b4" # blue
    done    = "#2ca02c" # green
    failed  = "#ff7f0e" # orange
    dead    = "#d62728" # red
    highest = "#9467bd" # purple
    other   = "#7f7f7f" # gray
  }

  dashboard_tasks = [for task in local.enabled_tasks : task if local.tasks[task].dashboard != null]

  # The entry of each task, with whole names.
  dashboard_entries = { for task in local.dashboard_tasks : task => merge(local.tasks[task].dashboard, {
    function           = "${var.name_prefix}-${local.tasks[task].dashboard.function}"
    queue              = "${var.name_prefix}-${local.tasks[task].dashboard.queue}"
    dead_letter_queues = [for name in local.tasks[task].dashboard.dead_letter_queues : "${var.name_prefix}-${name}"]
    other_functions    = [for name in local.tasks[task].dashboard.other_functions : "${var.name_prefix}-${name}"]
  }) }

  # The dimensions of the metrics that a task writes.
  dashboard_own = {
    for task, entry in local.dashboard_entries : task => ["deployment", var.name_prefix, "service", task, "function_name", entry.function]
  }

  # The graphs of each task. A metric is [namespace, name, dimension, value, ..., options]. limits: horizontal lines.
  dashboard_graphs = { for task, entry in local.dashboard_entries : task => [
    {
      title  = "Events in and done"
      unit   = "events"
      limits = []
      metrics = [
        ["AWS/SQS", "NumberOfMessagesSent", "QueueName", entry.queue, { label = "in", stat = "Sum", color = local.dashboard_colors.in }],
        concat(["BucketBrigade", "Done"], local.dashboard_own[task], [{ label = "done", stat = "Sum", color = local.dashboard_colors.done }]),
      ]
    },
    {
      title  = "Failed, and dead letters"
      unit   = "events"
      limits = []
      metrics = concat(
        [
          concat(["BucketBrigade", "Failed"], local.dashboard_own[task], [{ label = "failed", stat = "Sum", color = local.dashboard_colors.failed }]),
          ["AWS/Lambda", "Errors", "FunctionName", entry.function, { label = "invocations that crashed or timed out", stat = "Sum", color = local.dashboard_colors.highest }],
        ],
        [for name in entry.other_functions : ["AWS/Lambda", "Errors", "FunctionName", name, { label = "failed: ${trimprefix(name, "${entry.function}-")}", stat = "Sum", color = local.dashboard_colors.other }]],
        [for index, name in entry.dead_letter_queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, {
          label = "in ${trimprefix(trimprefix(name, entry.function), "-")}"
          stat  = "Maximum"
          color = ["#d62728", "#e377c2", "#8c564b"][index % 3]
        }]],
      )
    },
    {
      title  = "Objects pending: messages in the queue"
      unit   = "messages"
      limits = []
      metrics = concat(
        [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", entry.queue, { id = "waiting", label = "waiting", stat = "Maximum", color = local.dashboard_colors.in }],
          ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", entry.queue, { id = "taken", label = "in flight, or before a retry", stat = "Maximum", color = local.dashboard_colors.failed }],
        ],
        [for delayed in [entry.delayed] : ["AWS/SQS", "ApproximateNumberOfMessagesDelayed", "QueueName", entry.queue, { label = "delayed", stat = "Maximum", color = local.dashboard_colors.other }] if delayed],
      )
    },
    {
      title  = "Lag: age of events"
      unit   = "seconds"
      limits = [for seconds in entry.lag_seconds : { label = "alarm", value = seconds, color = local.dashboard_colors.dead }]
      metrics = [
        concat(["BucketBrigade", "EventAge"], local.dashboard_own[task], [{ label = "worked on, median", stat = "p50", color = local.dashboard_colors.done }]),
        concat(["BucketBrigade", "EventAge"], local.dashboard_own[task], [{ label = "worked on, p99", stat = "p99", color = local.dashboard_colors.highest }]),
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", entry.queue, { label = "oldest in the queue", stat = "Maximum", color = local.dashboard_colors.in }],
      ]
    },
    {
      title  = length(entry.written) == 0 ? "Bytes done" : "Bytes done, and pending at the mean size"
      unit   = "bytes"
      limits = []
      metrics = concat(
        [concat(["BucketBrigade", "Bytes"], local.dashboard_own[task], [{ id = "bytes", label = "done", stat = "Sum", color = local.dashboard_colors.done }])],
        [for name in entry.written : concat(["BucketBrigade", name], local.dashboard_own[task], [{ id = "written", stat = "Sum", visible = false }])],
        [for state, metric in { waiting = "ApproximateNumberOfMessagesVisible", taken = "ApproximateNumberOfMessagesNotVisible" } :
          ["AWS/SQS", metric, "QueueName", entry.queue, { id = state, stat = "Maximum", visible = false }] if length(entry.written) > 0
        ],
        # A message does not say how large its object is.
        [for name in entry.written : [{ id = "pending", expression = "(waiting + taken) * SUM(bytes) / SUM(written)", label = "pending, estimated", color = local.dashboard_colors.in }]],
      )
    },
    {
      title  = "Duration against the time-out"
      unit   = "milliseconds"
      limits = [{ label = "time-out", value = entry.timeout_seconds * 1000, color = local.dashboard_colors.dead }]
      metrics = [
        ["AWS/Lambda", "Duration", "FunctionName", entry.function, { label = "p99", stat = "p99", color = local.dashboard_colors.in }],
        ["AWS/Lambda", "Duration", "FunctionName", entry.function, { label = "longest", stat = "Maximum", color = local.dashboard_colors.highest }],
      ]
    },
    {
      title  = "Memory against the limit"
      unit   = "MB"
      limits = [{ label = "limit", value = entry.memory_mb, color = local.dashboard_colors.dead }]
      metrics = [
        concat(["BucketBrigade", "MemoryUsed"], local.dashboard_own[task], [{ label = "mean", stat = "Average", color = local.dashboard_colors.in }]),
        concat(["BucketBrigade", "MemoryUsed"], local.dashboard_own[task], [{ label = "highest", stat = "Maximum", color = local.dashboard_colors.highest }]),
      ]
    },
    {
      title  = "Concurrency, and throttled invocations"
      unit   = "invocations"
      limits = [{ label = "maximum", value = entry.maximum_concurrency, color = local.dashboard_colors.dead }]
      metrics = [
        ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", entry.function, { label = "at the same time", stat = "Maximum", color = local.dashboard_colors.in }],
        ["AWS/Lambda", "Throttles", "FunctionName", entry.function, { label = "throttled", stat = "Sum", color = local.dashboard_colors.failed }],
      ]
    },
  ] }

  # The grid of CloudWatch has 24 columns. A title has 1 row, and a graph 6.
  dashboard_titles = [
    for index, task in local.dashboard_tasks : {
      type       = "text"
      x          = 0
      y          = index * 13
      width      = 24
      height     = 1
      properties = { markdown = "## ${task}" }
    }
  ]
  dashboard_widgets = flatten([
    for index, task in local.dashboard_tasks : [
      for place, graph in local.dashboard_graphs[task] : {
        type   = "metric"
        x      = place % 4 * 6
        y      = index * 13 + 1 + floor(place / 4) * 6
        width  = 6
        height = 6
        properties = merge(
          {
            title   = graph.title
            view    = "timeSeries"
            stacked = false
            region  = local.region
            period  = 60
            metrics = graph.metrics
            yAxis   = { left = { min = 0, label = graph.unit, showUnits = false } }
          },
          { for limits in [graph.limits] : "annotations" => { horizontal = limits } if length(limits) > 0 },
        )
      }
    ]
  ])

  # Each run writes one value of both, so the period is long enough for a point to be seen.
  dashboard_checks = [for function in module.mirror_check[*].function_name : {
    type   = "metric"
    x      = 0
    y      = length(local.dashboard_tasks) * 13
    width  = 24
    height = 6
    properties = {
      title   = "mirror_check: keys that differ, and keys sent to be repaired"
      view    = "timeSeries"
      stacked = false
      region  = local.region
      period  = 300
      metrics = [
        ["BucketBrigade", "Different", "deployment", var.name_prefix, "service", "mirror_check", "function_name", function, { label = "different", stat = "Maximum", color = local.dashboard_colors.dead }],
        ["BucketBrigade", "Repaired", "deployment", var.name_prefix, "service", "mirror_check", "function_name", function, { label = "repaired", stat = "Maximum", color = local.dashboard_colors.done }],
      ]
      yAxis = { left = { min = 0, label = "keys", showUnits = false } }
    }
  }]
}

# One page for the person on call. docs/operations.md says what to read in it.
resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard_enabled && length(local.enabled_tasks) > 0 ? 1 : 0

  dashboard_name = var.name_prefix
  dashboard_body = jsonencode({ widgets = concat(local.dashboard_titles, local.dashboard_widgets, local.dashboard_checks) })
}
