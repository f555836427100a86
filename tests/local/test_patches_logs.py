import json
import time

from local.patches import logs as logs_patches
from tests.local.metric_data import total_of, values_of
from tests.local.patching import patched


def embedded(values, dimensions=(("service",),), namespace="Tests", metrics=("Copied",), **metadata):
    """Return a line in the embedded metric format."""
    directive = {
        "Namespace": namespace,
        "Dimensions": dimensions,
        "Metrics": [{"Name": name, "Unit": "Count"} for name in metrics],
    }
    return json.dumps({"_aws": {"Timestamp": now(), "CloudWatchMetrics": [directive], **metadata}, **values})


def now():
    return int(time.time() * 1000)


def log(stage, *lines):
    logs = stage.client("logs")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    events = [{"timestamp": now(), "message": line} for line in lines]
    logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=events)


@patched(logs_patches.extract_metrics)
def test_metrics_of_a_line_are_extracted_for_each_set_of_dimensions(stage):
    log(stage, embedded({"Copied": [2, 3], "service": "a", "region": "b"}, (("service",), ("service", "region"))))
    cloudwatch = stage.client("cloudwatch")
    assert values_of(cloudwatch, "Tests", "Copied", service="a") == [5]
    assert values_of(cloudwatch, "Tests", "Copied", "SampleCount", service="a", region="b") == [2]
    assert not values_of(cloudwatch, "Tests", "Copied", region="b")


@patched(logs_patches.extract_metrics)
def test_single_number_is_a_value_too(stage):
    log(stage, embedded({"Copied": 7.5, "service": "a"}))
    assert values_of(stage.client("cloudwatch"), "Tests", "Copied", service="a") == [7.5]


@patched()
def test_line_that_breaks_the_format_has_no_metrics_and_is_stored(stage):
    broken = [
        'not JSON: "_aws"',
        '["_aws"]',
        embedded({"Copied": "many", "service": "a"}),
        embedded({"service": "a"}),
        embedded({"Copied": 1}),
        embedded({"Copied": 1, "service": "a"}, Timestamp="noon"),
        embedded({"Copied": 1, "service": "a"}, CloudWatchMetrics=7),
        json.dumps({"_aws": "a word", "Copied": 1}),
    ]
    log(stage, *broken)
    stored = stage.client("logs").get_log_events(logGroupName="group", logStreamName="stream")["events"]
    assert [event["message"] for event in stored] == broken
    assert total_of(stage.client("cloudwatch"), "Tests", "Copied", service="a") == 0
