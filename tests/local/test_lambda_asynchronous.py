import json

import pytest

from tests.local.lambda_deployment import ACCOUNT, BASIC_ACTIONS, REGION, deployed, eventually

pytestmark = pytest.mark.long

SEND = ("sqs:SendMessage", "sns:Publish", "events:PutEvents", "lambda:InvokeFunction", *BASIC_ACTIONS)

# Prints each event, and fails for the number of times that the event names.
WORKER = """
import json
count = 0
def handler(event, context):
    global count
    count += 1
    print("SEEN", json.dumps([event, context.aws_request_id]))
    if count <= event.get("fail", 0): raise ValueError("not yet")
    return {"done": event}
"""

ALWAYS = 99


@pytest.fixture(name="stage")
def fixture_stage():
    with deployed() as stage:
        yield stage


def worker(stage, **config):
    """Deploy the worker with an event invoke configuration."""
    arn = stage.function(WORKER, role=stage.role("worker", *SEND))
    if config:
        stage.functions.put_function_event_invoke_config(FunctionName="f", **config)
    return arn


def record(stage, url):
    return json.loads(stage.received(url)["Body"])


def test_event_is_accepted_at_once_and_run_later(stage):
    stage.function("import time\ndef handler(event, context): time.sleep(0.5); print('SEEN', event)")
    answer = stage.send_event(7)
    assert stage.seen() == []
    assert (answer.status, answer.value) == (202, None)
    assert eventually(stage.seen) == [7]


def test_event_of_a_failing_function_is_tried_three_times_with_one_id(stage):
    worker(stage)
    stage.send_event({"fail": ALWAYS})
    eventually(lambda: len(stage.log("REPORT")) == 3)
    assert len({request_id for _, request_id in stage.seen()}) == 1


def test_event_that_succeeds_at_the_second_try_is_not_tried_again(stage):
    queue, arn = stage.queue("succeeded")
    worker(stage, DestinationConfig={"OnSuccess": {"Destination": arn}})
    stage.send_event({"fail": 1})
    context = record(stage, queue)["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("Success", 2)
    assert len(stage.seen()) == 2


def test_event_waits_for_the_configured_delay_before_each_retry():
    with deployed(retry_delays=(0.6, 0)) as stage:
        stage.function("import time\ndef handler(event, context): print('SEEN', time.time()); raise ValueError")
        stage.send_event({})
        first, second, third = eventually(lambda: len(stage.seen()) == 3 and stage.seen())
    assert second - first >= 0.6 > third - second


def test_event_with_no_retries_configured_is_tried_once(stage):
    queue, arn = stage.queue("failed")
    worker(stage, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}})
    stage.send_event({"fail": ALWAYS})
    assert record(stage, queue)["requestContext"]["approximateInvokeCount"] == 1
    assert len(stage.seen()) == 1


def test_changed_event_configuration_applies_to_the_next_event(stage):
    queue, arn = stage.queue("failed")
    worker(stage, MaximumRetryAttempts=2)
    stage.functions.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    stage.send_event({"fail": ALWAYS})
    assert record(stage, queue)["requestContext"]["approximateInvokeCount"] == 2


def test_event_that_failed_permanently_is_reported_to_a_queue_in_lambdas_format(stage):
    queue, arn = stage.queue("failed")
    function_arn = worker(stage, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}})
    stage.send_event({"fail": ALWAYS})
    report = record(stage, queue)
    response = report.pop("responsePayload")
    assert (response["errorType"], response["errorMessage"]) == ("ValueError", "not yet")
    assert report.pop("timestamp").endswith("Z")
    assert report == {
        "version": "1.0",
        "requestContext": {
            "requestId": stage.seen()[0][1],
            "functionArn": f"{function_arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 2,
        },
        "requestPayload": {"fail": ALWAYS},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    }


def test_event_that_succeeded_is_reported_to_another_function(stage):
    reporter = stage.function(
        "import json\ndef handler(event, context): print('SEEN', json.dumps(event))", name="reporter"
    )
    worker(stage, DestinationConfig={"OnSuccess": {"Destination": reporter}})
    stage.send_event({"a": 1})
    [event] = eventually(lambda: stage.seen(name="reporter"))
    assert event["requestContext"]["condition"] == "Success"
    assert event["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert event["responsePayload"] == {"done": {"a": 1}}


def test_event_that_failed_is_reported_to_a_topic(stage):
    queue, queue_arn = stage.queue("subscribed")
    sns = stage.client("sns")
    topic = sns.create_topic(Name="failures")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    worker(stage, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": topic}})
    stage.send_event({"fail": ALWAYS})
    report = json.loads(record(stage, queue)["Message"])
    assert report["requestContext"]["condition"] == "RetriesExhausted"


def test_event_that_failed_is_reported_to_an_event_bus(stage):
    queue, queue_arn = stage.queue("from-bus")
    events = stage.client("events")
    bus = events.create_event_bus(Name="results")["EventBusArn"]
    events.put_rule(Name="all", EventBusName="results", EventPattern='{"source": ["lambda"]}')
    events.put_targets(Rule="all", EventBusName="results", Targets=[{"Id": "q", "Arn": queue_arn}])
    function_arn = worker(stage, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": bus}})
    stage.send_event({"fail": ALWAYS})
    event = record(stage, queue)
    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["resources"] == [f"{function_arn}:$LATEST", bus]
    assert event["detail"]["requestPayload"] == {"fail": ALWAYS}


def test_event_that_expired_while_the_function_was_throttled_is_reported_as_such(stage, monkeypatch):
    queue, arn = stage.queue("failed")
    worker(stage, DestinationConfig={"OnFailure": {"Destination": arn}})
    stage.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    # The API accepts no age below one minute.
    monkeypatch.setattr("local.lambda_service.asynchronous.DEFAULT_AGE_SECONDS", 0.5)
    stage.send_event({})
    report = record(stage, queue)
    assert report["requestContext"]["condition"] == "EventAgeExceeded"
    assert report["requestContext"]["approximateInvokeCount"] == 0
    assert "responsePayload" not in report


def test_throttled_event_runs_once_the_function_has_capacity(stage):
    worker(stage)
    stage.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    stage.send_event({"a": 1})
    eventually(lambda: stage.log("Event"))
    assert stage.seen() == []
    stage.functions.delete_function_concurrency(FunctionName="f")
    assert eventually(stage.seen)[0][0] == {"a": 1}


def test_event_with_a_destination_that_the_role_does_not_permit_is_logged(stage):
    queue, arn = stage.queue("forbidden")
    stage.function(WORKER, role=stage.role("poor"))
    config = {"DestinationConfig": {"OnSuccess": {"Destination": arn}}}
    stage.functions.put_function_event_invoke_config(FunctionName="f", **config)
    stage.send_event({})
    [line] = eventually(lambda: stage.log("Event"))
    assert f"outcome was not sent to {arn}" in line and "AccessDenied" in line
    assert stage.left(queue) == 0


def test_event_that_failed_permanently_becomes_a_dead_letter(stage):
    queue, arn = stage.queue("dead")
    stage.function(WORKER, role=stage.role("worker", *SEND), DeadLetterConfig={"TargetArn": arn})
    stage.functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    stage.send_event({"fail": ALWAYS})
    message = stage.received(queue)
    assert json.loads(message["Body"]) == {"fail": ALWAYS}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes == {"RequestID": stage.seen()[0][1], "ErrorCode": "200", "ErrorMessage": "not yet"}


def test_event_of_a_rule_reaches_the_function(stage):
    arn = worker(stage)
    events = stage.client("events")
    rule = events.put_rule(Name="mine", EventPattern='{"source": ["mine"]}')["RuleArn"]
    events.put_targets(Rule="mine", Targets=[{"Id": "f", "Arn": arn}])
    permission = {"StatementId": "rule", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    stage.functions.add_permission(FunctionName="f", SourceArn=rule, **permission)
    events.put_events(Entries=[{"Source": "mine", "DetailType": "t", "Detail": '{"key": "a b"}'}])
    event, _ = eventually(stage.seen)[0]
    assert (event["account"], event["region"], event["detail"]) == (ACCOUNT, REGION, {"key": "a b"})


def test_event_of_a_bucket_reaches_the_function(stage):
    arn = worker(stage)
    s3 = stage.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    configuration = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    event, _ = eventually(lambda: [seen for seen in stage.seen() if "Records" in seen[0]])[0]
    assert event["Records"][0]["s3"]["object"]["key"] == "k"
