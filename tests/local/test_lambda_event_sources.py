import hashlib
import json
import time

import pytest

from tests.local.lambda_deployment import ACCOUNT, REGION, SQS_CLIENT, SQS_ENVIRONMENT, Deployment, deployed, eventually

pytestmark = pytest.mark.long

REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}

# Prints the bodies of each batch, and reports those with "fail" as failed.
WORKER = """
import json
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print("SEEN", json.dumps(bodies))
    return {"batchItemFailures": [
        {"itemIdentifier": record["messageId"]} for record in event["Records"] if "fail" in record["body"]
    ]}
"""

# Prints start, end and bodies of each batch.
SLOW = """
import json, time
def handler(event, context):
    started = time.time()
    time.sleep(0.4)
    print("SEEN", json.dumps([started, time.time(), [record["body"] for record in event["Records"]]]))
"""


@pytest.fixture(name="stage")
def fixture_stage():
    with deployed() as stage:
        yield stage


def bodies(stage):
    return [body for batch in stage.seen() for body in batch]


def max_concurrency(spans):
    """Return the maximum number of overlapping spans."""
    return max(sum(start <= moment < end for start, end, _ in spans) for moment, _, _ in spans)


def test_mapping_invokes_the_function_with_messages_and_deletes_them(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER)
    stage.map(arn)
    stage.send(queue, "a", "b")
    eventually(lambda: sorted(bodies(stage)) == ["a", "b"])
    eventually(lambda: stage.left(queue) == 0)


def test_mapping_delivers_a_message_within_a_tenth_of_a_second(stage):
    queue, arn = stage.queue("q")
    stage.function("import time\ndef handler(event, context): print('SEEN', time.time())")
    stage.map(arn)
    stage.send(queue, "warm up")
    eventually(stage.seen)
    delays = []
    for number in range(2, 7):
        sent = time.time()
        stage.send(queue, "now")
        delays.append(eventually(lambda wanted=number: len(stage.seen()) == wanted and stage.seen()[-1]) - sent)
    # The median, because other work on the machine may delay single messages.
    assert sorted(delays)[2] < 0.1


def test_mapping_record_has_the_form_of_lambda(stage):
    queue, arn = stage.queue("q.fifo", FifoQueue=True)
    stage.function("import json\ndef handler(event, context): print('SEEN', json.dumps(event))")
    stage.map(arn)
    attributes = {
        "Reason": {"DataType": "String", "StringValue": "é"},
        "Raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    options = {"MessageGroupId": "g", "MessageDeduplicationId": "d", "MessageAttributes": attributes}
    body = '{"a": "é"}'
    [message_id] = stage.send(queue, body, **options).values()
    [[record]] = [event["Records"] for event in eventually(stage.seen)]
    found = record.pop("attributes")
    assert record.pop("receiptHandle")
    assert len(record.pop("md5OfMessageAttributes")) == 32
    no_lists = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "messageId": message_id,
        "body": body,
        "md5OfBody": hashlib.md5(body.encode()).hexdigest(),
        "messageAttributes": {
            "Reason": {"stringValue": "é", "dataType": "String", **no_lists},
            "Raw": {"binaryValue": "AP8=", "dataType": "Binary", **no_lists},
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q.fifo",
        "awsRegion": REGION,
    }
    assert (found["MessageGroupId"], found["MessageDeduplicationId"]) == ("g", "d")
    assert found["ApproximateReceiveCount"] == "1"
    assert all(found[name].isdigit() for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"))
    assert {"SenderId", "SequenceNumber"} <= found.keys()


def test_mapping_batch_is_no_larger_than_its_size(stage):
    queue, arn = stage.queue("q")
    stage.send(queue, *"abcdefg")
    stage.function(WORKER)
    stage.map(arn, BatchSize=3)
    eventually(lambda: sorted(bodies(stage)) == list("abcdefg"))
    assert max(len(batch) for batch in stage.seen()) == 3


def test_mapping_with_a_window_collects_more_than_one_receive(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER)
    stage.map(arn, BatchSize=12, MaximumBatchingWindowInSeconds=5)
    started = time.monotonic()
    stage.send(queue, *"abcdefghijkl")
    batch, *_ = eventually(stage.seen)
    assert time.monotonic() - started < 4, "A full batch is sent at once."
    assert sorted(batch) == list("abcdefghijkl")


def test_mapping_batch_of_a_failing_function_returns_whole_after_the_visibility_timeout(stage):
    queue, arn = stage.queue("q", VisibilityTimeout=1)
    stage.send(queue, "a", "b")
    source = """
import time
def handler(event, context):
    attributes = [record["attributes"] for record in event["Records"]]
    age = time.time() - int(attributes[0]["ApproximateFirstReceiveTimestamp"]) / 1000
    print("SEEN", [age, len(attributes), int(attributes[0]["ApproximateReceiveCount"])])
    raise ValueError("no")
"""
    stage.function(source)
    stage.map(arn)
    eventually(lambda: sum(size for _, size, receives in stage.seen() if receives == 2) == 2)
    first, *later = stage.seen()
    assert first[1:] == [2, 1]
    assert first[0] < 1 <= later[0][0] < 3


def test_mapping_partial_answer_returns_only_the_failed_messages(stage):
    dead, dead_arn = stage.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    queue, arn = stage.queue("q", VisibilityTimeout=1, RedrivePolicy=redrive)
    sent = stage.send(queue, "a", "fail", "c")
    stage.function(WORKER)
    stage.map(arn, **REPORT)
    letter = stage.received(dead)
    assert (letter["Body"], letter["MessageId"]) == ("fail", sent["fail"])
    assert sorted(bodies(stage)) == ["a", "c", "fail", "fail"]
    assert stage.left(queue) == 0


def test_mapping_without_report_ignores_a_partial_answer(stage):
    queue, arn = stage.queue("q", VisibilityTimeout=1)
    stage.send(queue, "fail")
    stage.function(WORKER)
    stage.map(arn)
    eventually(lambda: stage.seen() and stage.left(queue) == 0)


def test_mapping_of_a_fifo_queue_keeps_the_order_of_a_group_after_a_failure(stage):
    queue, arn = stage.queue("q.fifo", FifoQueue=True, ContentBasedDeduplication=True, VisibilityTimeout=1)
    source = """
import json
failed = set()
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print("SEEN", json.dumps(bodies))
    for index, record in enumerate(event["Records"]):
        if record["body"] == "2" and not failed:
            failed.add("2")
            return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"][index:]]}
"""
    stage.send(queue, *"1234", MessageGroupId="g")
    stage.function(source)
    stage.map(arn, **REPORT)
    eventually(lambda: stage.left(queue) == 0)
    assert bodies(stage) == ["1", "2", "3", "4", "2", "3", "4"]


# Prints receive counts and bodies of its messages, and does not return after their first receive.
STUCK = """
import json, pathlib, time
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print("SEEN", json.dumps([record["attributes"]["ApproximateReceiveCount"] for record in event["Records"]] + bodies))
    if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1":
        time.sleep(60)
"""


def test_crashed_function_gets_its_messages_again_in_order_after_the_redelivery_time():
    with deployed(redelivery_seconds=1) as stage:
        queue, arn = stage.queue("q.fifo", FifoQueue=True, VisibilityTimeout=600)
        stage.function(STUCK, Timeout=100)
        for body in ("a", "b"):
            stage.send(queue, body, MessageGroupId="group", MessageDeduplicationId=body)
        assert stage.service.crash("f") == 0
        stage.map(arn, **REPORT)
        assert eventually(stage.seen) == [["1", "1", "a", "b"]]
        crashed_at = time.monotonic()
        assert stage.service.crash("another function") == 0
        assert stage.service.crash("f") == 1
        eventually(lambda: stage.seen()[1:] == [["2", "2", "a", "b"]])
        assert time.monotonic() - crashed_at > 0.9
        eventually(lambda: stage.left(queue) == 0)
        assert len(stage.log("RequestId:")) == 1 and "signal: killed" in stage.log("RequestId:")[0]


def test_mapping_of_a_fifo_queue_runs_one_batch_of_a_group_and_several_groups_at_a_time(stage):
    queue, arn = stage.queue("q.fifo", FifoQueue=True, ContentBasedDeduplication=True)
    for body in "123":
        stage.send(queue, f"a{body}", MessageGroupId="a")
        stage.send(queue, f"b{body}", MessageGroupId="b")
    stage.function(SLOW)
    stage.map(arn, BatchSize=1)
    spans = eventually(lambda: len(stage.seen()) == 6 and stage.seen())
    for group in "ab":
        own = [span for span in spans if span[2][0].startswith(group)]
        assert max_concurrency(own) == 1
        assert [body for _, _, [body] in sorted(own)] == [f"{group}{number}" for number in "123"]
    assert max_concurrency(spans) == 2


@pytest.mark.parametrize(("settings", "limit"), [({}, 5), ({"ScalingConfig": {"MaximumConcurrency": 2}}, 2)])
def test_mapping_of_a_standard_queue_runs_several_batches_at_a_time(stage, settings, limit):
    queue, arn = stage.queue("q")
    stage.send(queue, *"abcdefgh")
    stage.function(SLOW)
    stage.map(arn, BatchSize=1, **settings)
    spans = eventually(lambda: len(stage.seen()) == 8 and stage.seen())
    assert 1 < max_concurrency(spans) <= limit


def test_mapping_of_a_throttled_function_loses_nothing(stage):
    queue, arn = stage.queue("q")
    stage.send(queue, *"abcd")
    stage.function(SLOW)
    stage.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    stage.map(arn, BatchSize=1)
    spans = eventually(lambda: len(stage.seen()) == 4 and stage.seen())
    assert max_concurrency(spans) == 1
    eventually(lambda: stage.left(queue) == 0)


def test_disabled_mapping_leaves_messages_until_it_is_enabled(stage):
    queue, arn = stage.queue("q")
    other, other_arn = stage.queue("other")
    stage.function(WORKER)
    disabled = stage.map(arn, Enabled=False)
    stage.map(other_arn)
    stage.send(queue, "later")
    stage.send(other, "now")
    eventually(lambda: bodies(stage) == ["now"])
    stage.functions.update_event_source_mapping(UUID=disabled, Enabled=True)
    eventually(lambda: bodies(stage) == ["now", "later"])


def test_deleted_mapping_stops_polling(stage):
    queue, arn = stage.queue("q")
    other, other_arn = stage.queue("other")
    stage.function(WORKER)
    mapping = stage.map(arn)
    stage.map(other_arn)
    stage.send(queue, "before")
    eventually(lambda: bodies(stage) == ["before"])
    stage.functions.delete_event_source_mapping(UUID=mapping)
    # Longer than the poll interval of the service and one receive.
    time.sleep(0.5)
    stage.send(queue, "after")
    stage.send(other, "elsewhere")
    eventually(lambda: bodies(stage) == ["before", "elsewhere"])
    assert stage.left(queue) == 1


def test_mapping_filter_passes_matching_messages_and_drops_the_others(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER)
    pattern = json.dumps({"body": {"kind": ["good"], "size": [{"numeric": [">", 5]}]}})
    stage.map(arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    good = json.dumps({"kind": "good", "size": 6})
    stage.send(queue, "text", json.dumps({"kind": "good", "size": 5}), good, json.dumps({"kind": "bad", "size": 6}))
    eventually(lambda: stage.left(queue) == 0)
    assert bodies(stage) == [good]


def test_mapping_of_a_role_without_permission_logs_it_and_receives_nothing(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER, role=stage.role("poor", "logs:*"))
    stage.map(arn)
    stage.send(queue, "a")
    [line] = eventually(lambda: stage.log("The function's role"))
    assert f"sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes on {arn}" in line
    assert stage.received(queue)["Body"] == "a"
    assert stage.seen() == []


def test_mapping_message_that_crashes_the_function_becomes_a_dead_letter(stage):
    dead, dead_arn = stage.queue("dead")
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})}
    queue, arn = stage.queue("q", VisibilityTimeout=1, **redrive)
    stage.function("import os\ndef handler(event, context): os._exit(1)")
    stage.map(arn, **REPORT)
    stage.send(queue, "deadly")
    assert stage.received(dead)["Body"] == "deadly"


def test_mapping_in_two_partitions_polls_in_both(stage):
    for region in (regions := ["us-east-1", "us-gov-west-1"]):
        regional = Deployment(stage.aws, stage.service, region)
        regional.function(WORKER)
        queue, arn = regional.queue("q")
        regional.map(arn)
        regional.send(queue, region)
    assert arn.startswith("arn:aws-us-gov:")
    eventually(lambda: sorted(bodies(stage)) == regions)


# Makes the message "keep back" invisible for long, and reports all messages as failed.
CHANGES_VISIBILITY = (
    SQS_CLIENT
    + """
def handler(event, context):
    for record in event["Records"]:
        print("SEEN", json.dumps(record["body"]))
        if record["body"] == "keep back":
            sqs.change_message_visibility(
                QueueUrl=os.environ["QUEUE"], ReceiptHandle=record["receiptHandle"], VisibilityTimeout=600
            )
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"]]}
"""
)


def test_visibility_that_the_function_has_set_is_kept():
    with deployed(redelivery_seconds=0) as stage:
        queue, arn = stage.queue("q", VisibilityTimeout=60)
        environment = {"QUEUE": queue, **SQS_ENVIRONMENT}
        stage.function(CHANGES_VISIBILITY, environment=environment, role=stage.role("r", "sqs:*", "logs:*"))
        stage.send(queue, "keep back", "leave alone")
        stage.map(arn, **REPORT)
        eventually(lambda: stage.seen().count("leave alone") >= 3)
        assert stage.seen().count("keep back") == 1
