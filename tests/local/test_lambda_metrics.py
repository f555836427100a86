"""The metrics of functions and queues, as `GetMetricData` answers."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local.lambda_deployment import deployed, eventually
from tests.local.metric_data import total_of, values_of

SOURCE = """
import json, time
def handler(event, context):
    metrics = [{"Namespace": "Tests", "Dimensions": [["service"]], "Metrics": [{"Name": "Done", "Unit": "Count"}]}]
    stamp = int(time.time() * 1000)
    print(json.dumps({"_aws": {"Timestamp": stamp, "CloudWatchMetrics": metrics}, "service": "a", "Done": [4]}))
    if event.get("fail"):
        raise ValueError("as asked")
"""


def test_invocations_errors_duration_and_concurrency_are_metrics_of_the_function():
    with deployed() as stage:
        stage.function(SOURCE, role=stage.role("r", "sqs:*"))
        stage.invoke({})
        stage.invoke({"fail": True})
        cloudwatch = stage.client("cloudwatch")
        names = ("Invocations", "Errors", "Throttles", "ConcurrentExecutions")
        assert [total_of(cloudwatch, "AWS/Lambda", name, FunctionName="f") for name in names] == [2, 1, 0, 2]
        slow = {"stat": "Maximum", "FunctionName": "f"}
        assert 0 < max(values_of(cloudwatch, "AWS/Lambda", "Duration", **slow)) < 10_000
        # Without the permission to write to its log, a function has no metrics of its own.
        assert total_of(cloudwatch, "Tests", "Done", service="a") == 0


def test_throttled_invocation_counts_as_a_throttle_and_as_nothing_else():
    with deployed() as stage:
        stage.function(SOURCE)
        stage.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
        with pytest.raises(ClientError, match="TooManyRequests"):
            stage.invoke({})
        cloudwatch = stage.client("cloudwatch")
        names = ("Invocations", "Errors", "Throttles", "ConcurrentExecutions")
        assert [total_of(cloudwatch, "AWS/Lambda", name, FunctionName="f") for name in names] == [0, 0, 1, 0]


def test_embedded_metrics_of_a_function_and_metrics_of_its_queue_are_answered():
    with deployed() as stage:
        stage.function(SOURCE, role=stage.role("r", "sqs:*", "logs:*"))
        url, arn = stage.queue("q")
        stage.map(arn)
        stage.send(url, json.dumps({}))
        cloudwatch = stage.client("cloudwatch")
        eventually(lambda: total_of(cloudwatch, "AWS/SQS", "NumberOfMessagesDeleted", QueueName="q") == 1)
        assert total_of(cloudwatch, "Tests", "Done", service="a") == 4
        names = ("NumberOfMessagesSent", "NumberOfMessagesReceived")
        assert [total_of(cloudwatch, "AWS/SQS", name, QueueName="q") for name in names] == [1, 1]
