import json
import time
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from ops.brigade import Brigade
from tests.ops.conftest import NAME
from tests.ops.letters import Letters, created, restored

ARCHIVE, MIRROR = f"{NAME}-archive-copy", f"{NAME}-partition-replicate"


@pytest.fixture(name="letters")
def letters_of_the_deployment(aws, outputs):
    return Letters(aws.client("sqs"), outputs)


def write_metric(aws, function, **values):
    dimensions = [{"Name": "service", "Value": "s"}, {"Name": "function_name", "Value": function}]
    data = [{"MetricName": name, "Value": value, "Dimensions": dimensions} for name, value in values.items()]
    aws.client("cloudwatch").put_metric_data(Namespace="BucketBrigade", MetricData=data)


def write_age(aws, queue, seconds):
    datum = {"MetricName": "ApproximateAgeOfOldestMessage", "Value": seconds}
    datum["Dimensions"] = [{"Name": "QueueName", "Value": queue}]
    aws.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[datum])


def write_lines(aws, function, *lines):
    logs, group = aws.client("logs"), f"/aws/lambda/{function}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = round(datetime.now(UTC).timestamp() * 1000)
    events = [
        {"timestamp": now - seconds * 1000, "message": line if isinstance(line, str) else json.dumps(line)}
        for seconds, line in sorted(lines, key=lambda pair: -pair[0])
    ]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def connect(aws, function, queue_arn, enabled=True):
    functions = aws.client("lambda")
    functions.create_event_source_mapping(FunctionName=function, EventSourceArn=queue_arn, Enabled=enabled)
    functions.put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")


def states(brigade):
    return {(one["task"], one["queue"]): one for one in brigade.records if "task" in one}


def test_quiet_deployment_has_a_line_for_each_queue_and_status_0(brigade):
    assert brigade("--json", "status") == 0
    kinds = [("archive_copy", "events"), ("partition_replicate", "keys"), ("partition_replicate", "rechecks")]
    kinds += [("partition_replicate", "undelivered"), ("upload_validate", "events")]
    assert list(states(brigade)) == kinds
    assert brigade("status", "--task", "upload_validate") == 0
    assert brigade.out.splitlines()[1].split() == ["upload_validate", "events", *"0 0 0 - 0 0 0 - -".split()]


def test_counts_of_queues_come_from_sqs_and_dead_letters_are_status_1(brigade, letters):
    for key in "abc":
        letters.send("archive_copy", "queue", restored(key))
    letters.send("archive_copy", "queue", restored("d"), DelaySeconds=60)
    letters.sqs.receive_message(QueueUrl=letters.url("archive_copy", "queue"), VisibilityTimeout=60)
    letters.mirror("x", "y")
    letters.send("partition_replicate", "undelivered_queue", created("lost"))

    assert brigade("--json", "status") == 1

    archive = states(brigade)["archive_copy", "events"]
    assert (archive["waiting"], archive["in_flight"], archive["delayed"], archive["dead_letters"]) == (2, 1, 1, 0)
    assert states(brigade)["partition_replicate", "keys"]["dead_letters"] == 2
    assert states(brigade)["partition_replicate", "undelivered"]["dead_letters"] == 1


def test_rate_lag_and_age_come_from_cloudwatch(aws, brigade, letters):
    letters.send("archive_copy", "queue", restored("a"))
    write_metric(aws, ARCHIVE, Copied=7, Failed=2, EventAge=42)
    write_metric(aws, "of-another-deployment", Copied=1000, EventAge=1000)
    write_age(aws, ARCHIVE, 90)
    brigade("--json", "status")
    found = states(brigade)["archive_copy", "events"]
    assert (found["changed"], found["failed"], found["lag_seconds"], found["oldest_seconds"]) == (7, 2, 42, 90)


def test_age_of_an_empty_queue_is_not_shown(aws, brigade):
    write_age(aws, ARCHIVE, 90)
    brigade("--json", "status")
    assert states(brigade)["archive_copy", "events"]["oldest_seconds"] is None


def test_last_error_is_the_newest_one_with_its_key_on_one_line(aws, brigade):
    hostile = "[red]\x1b[31m\nforged"
    new = {"level": "ERROR", "message": "will be retried", "reason": "403", "key": hostile}
    old = {"level": "ERROR", "message": "failed", "reason": "old", "key": "old"}
    write_lines(aws, ARCHIVE, (5, new), (60, old), (1, "no JSON"), (1, {"level": "INFO", "message": "archived"}))
    assert brigade("status", "--task", "archive_copy") == 0
    assert brigade.out.splitlines()[1].endswith("[red]\\x1b[31m\\nforged 403")


def test_function_that_gets_no_messages_is_a_warning(aws, brigade, letters):
    arn = letters.sqs.get_queue_attributes(QueueUrl=letters.url("archive_copy", "queue"), AttributeNames=["QueueArn"])
    connect(aws, ARCHIVE, arn["Attributes"]["QueueArn"], enabled=False)
    assert brigade("status") == 0
    warnings = [line for line in brigade.out.splitlines() if line.startswith("warning:")]
    assert any(f"{ARCHIVE} gets no messages: its event source mapping" in line for line in warnings)
    assert any(f"{MIRROR} gets no messages: it has no event source mapping" in line for line in warnings)
    assert not any(f"Lambda stops {ARCHIVE} " in line for line in warnings)
    assert any(f"Lambda stops {MIRROR} after 16 turns: its recursion" in line for line in warnings)


def test_alarm_of_this_deployment_that_is_on_is_status_1(aws, brigade):
    cloudwatch = aws.client("cloudwatch")
    for name, function in (("ours", ARCHIVE), ("other", "of-another-deployment")):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Period=60,
            Statistic="Sum",
            Threshold=0,
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="3 errors")
    assert brigade("status") == 1
    assert [line for line in brigade.out.splitlines() if line.startswith("alarm:")] == ["alarm: ours: 3 errors"]


def test_watch_repeats_until_ctrl_c_and_ends_with_status_0(brigade, letters, monkeypatch):
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        letters.archive("a.txt")
        if len(pauses) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    assert brigade("--json", "status", "--task", "archive_copy", "--watch", "3") == 0
    assert [one["dead_letters"] for one in brigade.records if "task" in one] == [0, 1]
    assert pauses == [3, 3]


def test_frame_on_a_terminal_replaces_the_one_before():
    screen, shown = Brigade().screen, StringIO()
    vars(screen)["_out"] = Console(file=shown, force_terminal=True, width=40)
    with screen.frames() as show:
        for text in ("first", "second"):
            show(lambda text=text: screen.say(text))
    before, _, after = shown.getvalue().partition("first")
    # rich goes back to the beginning of the frame and erases it.
    assert "second" not in before and "\x1b[2K" in after.partition("second")[0]
