import hashlib
import json
import time
from pathlib import Path

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.lambda_service.sqs_batches import reported_failures
from tests.local.lambda_deployment import ACCOUNT, REGION, Deployment, deployed, eventually

REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}

# Prints the bodies of each batch and reports those that say so as failed.
WORKER = """
import json
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print("SEEN", json.dumps(bodies))
    return {"batchItemFailures": [
        {"itemIdentifier": record["messageId"]} for record in event["Records"] if "fail" in record["body"]
    ]}
"""

# Prints when it began and ended with which bodies.
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


def at_a_time(spans):
    """How many of some spans of time there were at most at one moment."""
    return max(sum(start <= moment < end for start, end, _ in spans) for moment, _, _ in spans)


def test_mapping_hands_messages_to_the_function_and_deletes_them(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER)
    stage.map(arn)
    stage.send(queue, "a", "b")
    eventually(lambda: sorted(bodies(stage)) == ["a", "b"])
    eventually(lambda: stage.left(queue) == 0)


def test_mapping_hands_a_message_over_within_a_tenth_of_a_second(stage):
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
    # The median: the machine may have other things to do.
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
    nothing = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "messageId": message_id,
        "body": body,
        "md5OfBody": hashlib.md5(body.encode()).hexdigest(),
        "messageAttributes": {
            "Reason": {"stringValue": "é", "dataType": "String", **nothing},
            "Raw": {"binaryValue": "AP8=", "dataType": "Binary", **nothing},
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


def test_mapping_with_a_window_waits_for_more_than_sqs_gives_at_once(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER)
    stage.map(arn, BatchSize=12, MaximumBatchingWindowInSeconds=5)
    started = time.monotonic()
    stage.send(queue, *"abcdefghijkl")
    eventually(stage.seen)
    assert time.monotonic() - started < 4, "A batch that is full waits no longer."
    assert sorted(stage.seen()[0]) == list("abcdefghijkl")


def test_mapping_batch_of_a_function_that_raises_comes_back_whole_after_the_visibility_timeout(stage):
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


def test_mapping_partial_answer_brings_back_what_failed_alone(stage):
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


IDS = ["1", "2", "3"]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, []),
        ({}, []),
        ({"files": []}, []),
        ({"batchItemFailures": None}, []),
        ({"batchItemFailures": []}, []),
        ({"batchItemFailures": [{"itemIdentifier": "2"}]}, ["2"]),
        ({"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]}, ["2", "3"]),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, IDS),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, IDS),
        ({"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "other"}]}, IDS),
        ({"batchItemFailures": [{"itemIdentifier": ["2"]}]}, IDS),
        ({"batchItemFailures": [{"id": "2"}]}, IDS),
        ({"batchItemFailures": ["2"]}, IDS),
        ({"batchItemFailures": {"itemIdentifier": "2"}}, IDS),
        ({"batchItemFailures": "2"}, IDS),
        ({"batchItemFailures": ""}, IDS),
        ({"batchItemFailures": False}, IDS),
        ([], IDS),
        ("done", IDS),
        (0, IDS),
    ],
)
def test_partial_answer_is_read_as_lambda_reads_it(answer, failed):
    assert list(reported_failures(json.dumps(answer).encode(), IDS)) == failed


def test_partial_answer_that_is_no_json_fails_the_batch():
    assert reported_failures(b"", IDS) == IDS
    assert reported_failures(b"\xff", IDS) == IDS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([*IDS, "", "other"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["batchItemFailures", "itemIdentifier"]), inner)
    ),
)


@given(JSON)
def test_partial_answer_of_any_kind_names_messages_of_the_batch_or_fails_it(answer):
    assert set(reported_failures(json.dumps(answer).encode(), IDS)) <= set(IDS)


def test_mapping_of_a_fifo_queue_keeps_the_order_of_a_group_over_a_failure(stage):
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


# Says how often its messages were received and what they are, and does not come to an end at their first time.
STUCK = """
import json, pathlib, time
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print("SEEN", json.dumps([record["attributes"]["ApproximateReceiveCount"] for record in event["Records"]] + bodies))
    if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1":
        time.sleep(60)
"""


def test_function_that_crashed_gets_its_messages_again_after_the_redelivery_time_and_in_order():
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
        assert at_a_time(own) == 1
        assert [body for _, _, [body] in sorted(own)] == [f"{group}{number}" for number in "123"]
    assert at_a_time(spans) == 2


@pytest.mark.parametrize(("settings", "most"), [({}, 5), ({"ScalingConfig": {"MaximumConcurrency": 2}}, 2)])
def test_mapping_of_a_standard_queue_runs_several_batches_at_a_time(stage, settings, most):
    queue, arn = stage.queue("q")
    stage.send(queue, *"abcdefgh")
    stage.function(SLOW)
    stage.map(arn, BatchSize=1, **settings)
    spans = eventually(lambda: len(stage.seen()) == 8 and stage.seen())
    assert 1 < at_a_time(spans) <= most


def test_mapping_of_a_throttled_function_loses_nothing(stage):
    queue, arn = stage.queue("q")
    stage.send(queue, *"abcd")
    stage.function(SLOW)
    stage.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    stage.map(arn, BatchSize=1)
    spans = eventually(lambda: len(stage.seen()) == 4 and stage.seen())
    assert at_a_time(spans) == 1
    eventually(lambda: stage.left(queue) == 0)


def test_mapping_that_is_disabled_leaves_messages_until_it_is_enabled(stage):
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


def test_mapping_that_was_deleted_polls_no_more(stage):
    queue, arn = stage.queue("q")
    other, other_arn = stage.queue("other")
    stage.function(WORKER)
    mapping = stage.map(arn)
    stage.map(other_arn)
    stage.send(queue, "before")
    eventually(lambda: bodies(stage) == ["before"])
    stage.functions.delete_event_source_mapping(UUID=mapping)
    # Longer than the service takes to see it, and than the receive that may be under way.
    time.sleep(0.5)
    stage.send(queue, "after")
    stage.send(other, "elsewhere")
    eventually(lambda: bodies(stage) == ["before", "elsewhere"])
    assert stage.left(queue) == 1


def test_mapping_filter_lets_pass_what_matches_and_drops_the_rest(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER)
    pattern = json.dumps({"body": {"kind": ["good"], "size": [{"numeric": [">", 5]}]}})
    stage.map(arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    good = json.dumps({"kind": "good", "size": 6})
    stage.send(queue, "text", json.dumps({"kind": "good", "size": 5}), good, json.dumps({"kind": "bad", "size": 6}))
    eventually(lambda: stage.left(queue) == 0)
    assert bodies(stage) == [good]


def test_mapping_of_a_role_that_may_not_receive_is_told_and_receives_nothing(stage):
    queue, arn = stage.queue("q")
    stage.function(WORKER, role=stage.role("poor", "logs:*"))
    stage.map(arn)
    stage.send(queue, "a")
    [line] = eventually(lambda: stage.log("The function's role"))
    assert f"sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes on {arn}" in line
    assert stage.received(queue)["Body"] == "a"
    assert stage.seen() == []


def test_mapping_message_that_is_too_much_for_the_function_ends_in_the_dead_letter_queue(stage):
    dead, dead_arn = stage.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    queue, arn = stage.queue("q", VisibilityTimeout=1, RedrivePolicy=redrive)
    stage.function("import os\ndef handler(event, context): os._exit(1)")
    stage.map(arn, **REPORT)
    stage.send(queue, "deadly")
    assert stage.received(dead)["Body"] == "deadly"


def test_mapping_in_two_partitions_polls_in_both(stage):
    regions = ["us-east-1", "us-gov-west-1"]
    for region in regions:
        there = Deployment(stage.aws, stage.service, region)
        there.function(WORKER)
        queue, arn = there.queue("q")
        there.map(arn)
        there.send(queue, region)
    assert arn.startswith("arn:aws-us-gov:")
    eventually(lambda: sorted(bodies(stage)) == regions)


# Sends a message to its own queue with a number one higher, as a continuation does.
RECURSIVE = """
import json, os, sys
sys.path.append(os.environ["SITE_PACKAGES"])
import boto3
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        print("SEEN", record["body"])
        if int(record["body"]) < 20:
            sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=str(int(record["body"]) + 1))
"""


@pytest.fixture(name="impatient")
def fixture_impatient():
    """Messages that failed come back at once."""
    with deployed(redelivery_seconds=0) as stage:
        yield stage


def recursive(stage):
    """A function that sends to the queue that invokes it, the queue, and the queue's dead-letter queue."""
    dead, dead_arn = stage.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    queue, arn = stage.queue("q", VisibilityTimeout=60, RedrivePolicy=redrive)
    # The SDK of the tests, as if it were in the zip.
    environment = {"QUEUE": queue, "SITE_PACKAGES": str(Path(boto3.__file__).parents[1])}
    stage.function(RECURSIVE, environment=environment, role=stage.role("r", "sqs:*", "logs:*"))
    stage.map(arn, BatchSize=1)
    return queue, dead


def test_recursive_loop_is_stopped_at_the_seventeenth_turn_and_its_message_is_a_dead_letter(impatient):
    stage = impatient
    queue, dead = recursive(stage)
    stage.send(queue, "1")
    assert stage.received(dead, seconds=20)["Body"] == "17"
    # The sixteenth invocation may still be at its end.
    eventually(lambda: sorted(stage.seen()) == list(range(1, 17)))
    # It came back once, as maxReceiveCount says, and was dropped again.
    assert len(stage.log("Lambda found a recursive loop")) == stage.dropped() == 2


def test_recursive_loop_that_is_allowed_goes_on(stage):
    queue, dead = recursive(stage)
    put = stage.functions.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert put["RecursiveLoop"] == "Allow"
    stage.send(queue, "1")
    eventually(lambda: sorted(stage.seen()) == list(range(1, 21)), seconds=20)
    eventually(lambda: stage.left(queue) == 0)
    assert (stage.left(dead), stage.dropped()) == (0, 0)


def test_messages_of_other_chains_are_no_turns(stage):
    queue, dead = recursive(stage)
    for _ in range(18):
        stage.send(queue, "20")
    eventually(lambda: stage.seen() == [20] * 18)
    assert (stage.left(dead), stage.dropped()) == (0, 0)


# Keeps back what says so, and reports all as failed.
KEEPS_BACK = """
import json, os, sys
sys.path.append(os.environ["SITE_PACKAGES"])
import boto3
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        print("SEEN", json.dumps(record["body"]))
        if record["body"] == "keep back":
            sqs.change_message_visibility(
                QueueUrl=os.environ["QUEUE"], ReceiptHandle=record["receiptHandle"], VisibilityTimeout=600
            )
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"]]}
"""


def test_visibility_that_the_function_set_itself_is_left_alone(impatient):
    stage = impatient
    queue, arn = stage.queue("q", VisibilityTimeout=60)
    environment = {"QUEUE": queue, "SITE_PACKAGES": str(Path(boto3.__file__).parents[1])}
    stage.function(KEEPS_BACK, environment=environment, role=stage.role("r", "sqs:*", "logs:*"))
    stage.send(queue, "keep back", "leave alone")
    stage.map(arn, **REPORT)
    eventually(lambda: stage.seen().count("leave alone") >= 3)
    assert stage.seen().count("keep back") == 1
