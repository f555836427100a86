"""The dashboard names only metrics that a function or a service of AWS writes, with their dimensions.

`terraform/tests/dashboard.tftest.hcl` checks the whole widgets, tests/local/test_dashboard.py the values.
"""

import re
from pathlib import Path

import pytest

from tests.support.task_pieces import lambda_tasks

ROOT = Path(__file__).parent.parent
DASHBOARD = (ROOT / "terraform" / "dashboard.tf").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
METRICS = re.search(r"^## Metrics$(.*?)^## ", REFERENCE, re.MULTILINE | re.DOTALL)[1]

# "Types of metrics for Lambda functions", and "Available CloudWatch metrics for Amazon SQS".
OF_AWS = {
    "AWS/Lambda": ("FunctionName", {"ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"}),
    "AWS/SQS": (
        "QueueName",
        {f"ApproximateNumberOfMessages{state}" for state in ("Visible", "NotVisible", "Delayed")}
        | {"ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"},
    ),
}


def documented():
    """Return the functions that write each metric, from the table in docs/reference.md."""
    lines = [line for line in METRICS.splitlines() if line.startswith("|")]
    _, _, *functions = (cell.strip() for cell in lines[0].strip("|").split("|"))
    found = {}
    for line in lines[2:]:
        names, _, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        writers = {function for function, cell in zip(functions, cells, strict=True) if cell}
        found |= dict.fromkeys(re.findall(r"`(\w+)`", names), writers)
    return found


def written_objects(task):
    """Return the metric that counts written objects, which the task's own file names."""
    source = (ROOT / "terraform" / f"{task}.tf").read_text(encoding="utf-8")
    return re.findall(r'"(\w+)"', re.search(r"^ +written +=(.*)$", source, re.MULTILINE)[1])


# Its graph is one of its own.
SCHEDULED = "mirror_check"


def test_metrics_of_the_scheduled_checks_are_written_by_their_function():
    named = re.findall(r'\["BucketBrigade", "(\w+)", "deployment", var.name_prefix, "service", "(\w+)",', DASHBOARD)
    assert named == [("Different", SCHEDULED), ("Repaired", SCHEDULED)]
    assert all(SCHEDULED in documented()[metric] for metric, _ in named)


@pytest.mark.parametrize("task", sorted({*lambda_tasks(ROOT)} - {SCHEDULED}))
def test_metrics_of_the_project_are_written_by_the_function_of_each_task(task):
    function = "replicate" if task == "partition_replicate" else task
    named = {*re.findall(r'\["BucketBrigade", "(\w+)"\]', DASHBOARD), *written_objects(task)}
    assert {"Done", "Failed", "EventAge", "Bytes", "MemoryUsed"} <= named
    assert sorted(name for name in named if function not in documented().get(name, set())) == []


def test_dimensions_of_the_project_are_the_documented_ones():
    (own,) = re.findall(r"^ +for task, entry in local.dashboard_entries : task => \[(.*)\]$", DASHBOARD, re.MULTILINE)
    # The values are the deployment, the task, and the name of the function.
    assert own.split(", ") == [
        *('"deployment"', "var.name_prefix"),
        *('"service"', "task"),
        *('"function_name"', "entry.function"),
    ]
    assert re.findall(r"`(\w+)`", METRICS.split(".")[0])[1:] == [
        "deployment",
        "name_prefix",
        "service",
        "function_name",
    ]


def test_metrics_of_aws_are_those_of_its_documentation_with_one_dimension():
    rows = re.findall(r'\["(AWS/\w+)", (?:"(\w+)"|metric), "(\w+)", ', DASHBOARD)
    rows += [("AWS/SQS", name, "QueueName") for name in re.findall(r'(?:waiting|taken) = "(\w+)"', DASHBOARD)]
    assert len(rows) == DASHBOARD.count('"AWS/') + 2
    for namespace, name, dimension in rows:
        expected, metrics = OF_AWS[namespace]
        assert dimension == expected
        assert name in metrics or not name
