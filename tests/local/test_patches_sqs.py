import json
import threading
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import Queue, sqs_backends

from local.patches import sqs as sqs_patches
from tests.local.patching import ACCOUNT, REGION, patched

FIFO = {"ContentBasedDeduplication": "true", "VisibilityTimeout": 30}


def send(stage, queue, *bodies, group="group", **more):
    for body in bodies:
        stage.client("sqs").send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=group, **more)


def receive(stage, queue, count=10, **more):
    received = stage.client("sqs").receive_message(
        QueueUrl=queue, MaxNumberOfMessages=count, AttributeNames=["All"], **more
    )
    return received.get("Messages", [])


def texts(messages):
    return [message["Body"] for message in messages]


def delete(stage, queue, message):
    stage.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def model(name):
    return sqs_backends[ACCOUNT][REGION].get_queue(name)


def end_visibility_timeouts(name):
    """End the visibility time-outs of all messages of a queue."""
    for message in vars(model(name))["_messages"]:
        message.visible_at = 0


@patched(sqs_patches.receive_in_order)
def test_order_of_a_group_is_kept_after_a_visibility_timeout(stage):
    queue = stage.queue("queue.fifo", **FIFO)
    send(stage, queue, "1", "2", "3")
    assert texts(receive(stage, queue, count=2)) == ["1", "2"]
    end_visibility_timeouts("queue.fifo")
    assert texts(receive(stage, queue)) == ["1", "2", "3"]


@patched()
def test_group_in_flight_waits_and_other_groups_do_not(stage):
    queue = stage.queue("queue.fifo", **FIFO)
    send(stage, queue, "1", "2", group="a")
    send(stage, queue, "3", group="b")
    (first,) = receive(stage, queue, count=1)
    assert texts(receive(stage, queue)) == ["3"]
    delete(stage, queue, first)
    assert texts(receive(stage, queue)) == ["2"]


@patched(sqs_patches.wake_receivers_on_visibility_change)
def test_message_that_becomes_visible_goes_to_a_waiting_receiver_at_once(stage):
    queue = stage.queue("queue", VisibilityTimeout=600)
    stage.client("sqs").send_message(QueueUrl=queue, MessageBody="1")
    (message,) = receive(stage, queue)
    made_visible = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
    received, waits = [], threading.Event()
    waiter = threading.Thread(target=lambda: received.extend(receive(stage, queue, WaitTimeSeconds=2)))
    with pytest.MonkeyPatch.context() as patch:
        # Long enough that only the notification wakes the receiver, and not the periodic check.
        patch.setattr(sqs_patches, "RECHECK_SECONDS", 2)
        wait = sqs_patches.QUEUES_CHANGED.wait
        patch.setattr(sqs_patches.QUEUES_CHANGED, "wait", lambda seconds: waits.set() or wait(seconds))
        waiter.start()
        assert waits.wait(10)
        stage.client("sqs").change_message_visibility(**made_visible)
        waiter.join(1)
        at_once = texts(received)
        waiter.join()
    assert at_once == ["1"]


@patched(sqs_patches.lock_queue_during_delete)
def test_message_that_is_sent_during_a_delete_is_kept(stage):
    queue = stage.queue("queue")
    stage.client("sqs").send_message(QueueUrl=queue, MessageBody="1")
    (message,) = receive(stage, queue)
    sender = threading.Thread(target=stage.client("sqs").send_message, kwargs={"QueueUrl": queue, "MessageBody": "2"})

    def send_first(self, messages):
        sender.start()
        # With the patch the sender waits for the delete to end.
        sender.join(0.3)
        vars(self)["_messages"] = messages

    with pytest.MonkeyPatch.context() as patch:
        # Moto deletes a message by setting the list of all others.
        messages = property(lambda self: vars(self)["_messages"], send_first)
        patch.setattr(Queue, "_messages", messages, raising=False)
        delete(stage, queue, message)
        sender.join()
        assert texts(receive(stage, queue)) == ["2"]


@patched(sqs_patches.drop_duplicates)
def test_duplicate_of_a_deleted_message_is_dropped(stage):
    queue = stage.queue("queue.fifo", **FIFO)
    send(stage, queue, "same")
    delete(stage, queue, receive(stage, queue)[0])
    send(stage, queue, "same")
    assert not receive(stage, queue)


@patched()
def test_duplicate_after_five_minutes_is_delivered(stage):
    queue = stage.queue("queue.fifo", **FIFO)
    send(stage, queue, "same")
    delete(stage, queue, receive(stage, queue)[0])
    times = vars(model("queue.fifo"))["_deduplication_times"]
    for known in times:
        times[known] -= 300_000
    send(stage, queue, "same")
    assert texts(receive(stage, queue)) == ["same"]


@patched(sqs_patches.drop_duplicates)
def test_deduplication_by_group_accepts_equal_messages_of_other_groups(stage):
    high_throughput = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    queue = stage.queue("queue.fifo", **FIFO, **high_throughput)
    send(stage, queue, "same", group="a")
    send(stage, queue, "same", group="b")
    assert texts(receive(stage, queue)) == ["same", "same"]


@patched(sqs_patches.drop_duplicates)
def test_redriven_message_is_not_a_duplicate(stage):
    dead = stage.queue("dead.fifo", **FIFO)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead.fifo"
    redrive = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 1}}'
    queue = stage.queue("queue.fifo", **FIFO, RedrivePolicy=redrive)
    send(stage, dead, "same")
    send(stage, queue, "same")
    receive(stage, queue)
    end_visibility_timeouts("queue.fifo")
    assert not receive(stage, queue)
    assert texts(receive(stage, dead)) == ["same", "same"]


@patched(sqs_patches.drop_duplicates)
def test_sending_does_not_poll_for_functions(stage):
    queue = stage.queue("queue")

    # Moto adds this to the queue of an event source mapping.
    mapping = SimpleNamespace(enabled=True, batch_size=1)
    model("queue").lambda_event_source_mappings["arn"] = mapping
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.awslambda.utils.get_backend", lambda *_: pytest.fail("moto polls"))
        stage.client("sqs").send_message(QueueUrl=queue, MessageBody="1")
    assert texts(receive(stage, queue)) == ["1"]


@patched(sqs_patches.number_messages)
def test_sequence_numbers_of_fifo_messages_grow(stage):
    queue = stage.queue("queue.fifo", **FIFO)
    send(stage, queue, "1", "2", "3")
    numbers = [message["Attributes"]["SequenceNumber"] for message in receive(stage, queue)]
    assert len(set(numbers)) == 3
    assert numbers == sorted(numbers)
    assert all(len(number) == 20 and number.isdigit() for number in numbers)


@patched(sqs_patches.refuse_invalid_ids)
def test_invalid_ids_are_refused(stage):
    queue = stage.queue("queue.fifo")
    fit = {"MessageGroupId": "!~" * 64, "MessageDeduplicationId": "Az09" * 32}
    sqs = stage.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="1", **fit)
    for name in fit:
        for invalid in ("a" * 129, "a b", "é", "a\n"):
            with pytest.raises(ClientError, match=f"for parameter {name} is invalid"):
                sqs.send_message(QueueUrl=queue, MessageBody="2", **{**fit, name: invalid})
    assert texts(receive(stage, queue)) == ["1"]


@patched(sqs_patches.refuse_invalid_characters)
def test_characters_that_xml_does_not_allow_are_refused(stage):
    queue = stage.queue("queue")
    for fit in ("\t\n\r ", "é😀"):
        stage.client("sqs").send_message(QueueUrl=queue, MessageBody=fit)
    for invalid in ("\x00", "\x1f", "\ufffe"):
        with pytest.raises(ClientError, match="InvalidMessageContents"):
            stage.client("sqs").send_message(QueueUrl=queue, MessageBody=invalid)


@patched(sqs_patches.refuse_long_messages)
def test_size_of_a_message_counts_bytes_and_attributes(stage):
    queue = stage.queue("queue", MaximumMessageSize=1024)
    sqs = stage.client("sqs")
    attributes = {"name": {"DataType": "String", "StringValue": "value"}}
    # "name", "String" and "value" are 15 bytes.
    sqs.send_message(QueueUrl=queue, MessageBody="é" * 504, MessageAttributes=attributes)
    sqs.send_message(QueueUrl=queue, MessageBody="é" * 512)
    for body, more in (("é" * 513, {}), ("é" * 505, {"MessageAttributes": attributes})):
        with pytest.raises(ClientError, match="Message must be shorter than 1024 bytes"):
            sqs.send_message(QueueUrl=queue, MessageBody=body, **more)


@patched(sqs_patches.receive_in_order)
def test_waiting_receiver_returns_when_the_patches_are_closed(stage):
    queue = stage.queue("queue")
    stage.hooks.close()
    waiter = threading.Thread(target=receive, args=(stage, queue), kwargs={"WaitTimeSeconds": 2})
    waiter.start()
    waiter.join(1)
    waits = waiter.is_alive()
    waiter.join()
    assert not waits


@patched(sqs_patches.keep_policy_that_is_not_named)
def test_change_of_another_attribute_keeps_the_policy(stage):
    queues, policy = stage.client("sqs"), {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:*"}]}
    url = stage.queue("queue", Policy=json.dumps(policy))
    queues.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"})
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (json.loads(attributes["Policy"]), attributes["DelaySeconds"]) == (policy, "1")
    queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert "Policy" not in queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


@patched(sqs_patches.return_redrive_policy_without_spaces)
def test_queue_returns_its_redrive_policy_without_spaces(stage):
    stage.queue("dead")
    policy = f'{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:{ACCOUNT}:dead","maxReceiveCount":5}}'
    url = stage.queue("queue", RedrivePolicy=policy)
    attributes = stage.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    assert attributes == {"RedrivePolicy": policy}


@patched(sqs_patches.return_redrive_allow_policy, sqs_patches.accept_redrive_allow_policy_attribute)
def test_queue_returns_its_redrive_allow_policy(stage):
    policy = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:eu-west-1:123456789012:a"]})
    queues = stage.client("sqs")
    url = queues.create_queue(QueueName="queue", Attributes={"RedriveAllowPolicy": policy})["QueueUrl"]
    for asked in (["All"], ["RedriveAllowPolicy"], ["QueueArn", "RedriveAllowPolicy"]):
        attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"]
        assert json.loads(attributes["RedriveAllowPolicy"]) == json.loads(policy)


def hours_later(stage_patch, hours):
    """Set the clock of the queues ahead."""
    now = sqs_patches.unix_time_millis
    for module in ("local.patches.sqs", "moto.sqs.models"):
        stage_patch.setattr(f"{module}.unix_time_millis", lambda: now() + hours * 3600 * 1000)


@patched(sqs_patches.record_receive_time, sqs_patches.require_message_in_flight)
def test_old_message_can_stay_invisible_for_twelve_hours_after_its_receive(stage):
    queue = stage.queue("queue", VisibilityTimeout=60)
    stage.client("sqs").send_message(QueueUrl=queue, MessageBody="1")
    with pytest.MonkeyPatch.context() as patch:
        hours_later(patch, 20)
        (message,) = receive(stage, queue)
        change = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
        stage.client("sqs").change_message_visibility(**change, VisibilityTimeout=900)
    with pytest.MonkeyPatch.context() as patch:
        hours_later(patch, 20.2)
        refused = stage.refusal(stage.client("sqs").change_message_visibility, **change, VisibilityTimeout=43_200)
        assert refused == (400, "InvalidParameterValue")


@patched(sqs_patches.require_message_in_flight)
def test_visibility_of_a_message_that_is_not_in_flight_cannot_be_changed(stage):
    queue = stage.queue("queue", VisibilityTimeout=60)
    stage.client("sqs").send_message(QueueUrl=queue, MessageBody="1")
    (message,) = receive(stage, queue)
    end_visibility_timeouts("queue")
    change = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 10}
    refused = stage.refusal(stage.client("sqs").change_message_visibility, **change)
    assert refused == (400, "AWS.SimpleQueueService.MessageNotInflight")
