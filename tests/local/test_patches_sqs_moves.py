import json

from moto.sqs.models import sqs_backends

from local.patches import sqs as sqs_patches
from local.patches import sqs_moves
from local.patches.sqs import QUEUES_CHANGED
from tests.local.patching import ACCOUNT, FAILURES_OF_BARE_MOTO, REGION, patched
from tests.local.test_patches_iam import allow, client_of_role, is_permitted

# moto raises this for an unknown action; the embedded AWS answers it with an error.
RAISES = (*FAILURES_OF_BARE_MOTO, NotImplementedError)

START, LIST, CANCEL = sqs_moves.start_move, sqs_moves.list_moves, sqs_moves.cancel_move


def arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def model(name):
    return sqs_backends[ACCOUNT][REGION].get_queue(name)


def queue_and_dead_letters(stage, name="work", suffix="", **attributes):
    """Create a queue whose messages become dead letters after one receive, and its dead-letter queue."""
    dead = stage.queue(f"{name}-dead{suffix}", VisibilityTimeout=0)
    policy = json.dumps({"deadLetterTargetArn": arn(f"{name}-dead{suffix}"), "maxReceiveCount": 1})
    return stage.queue(f"{name}{suffix}", VisibilityTimeout=0, RedrivePolicy=policy, **attributes), dead


def receive(stage, url, **more):
    asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"], **more}
    return stage.client("sqs").receive_message(QueueUrl=url, **asked).get("Messages", [])


def bodies(stage, url):
    return [message["Body"] for message in receive(stage, url)]


def make_dead_letters(stage, url, *texts, **more):
    for text in texts:
        stage.client("sqs").send_message(QueueUrl=url, MessageBody=text, **more)
    # A message that was received once becomes a dead letter at the next receive.
    while receive(stage, url, VisibilityTimeout=0):
        pass


def start(stage, source="work-dead", destination=None, **more):
    destination = {"DestinationArn": arn(destination)} if destination else {}
    return stage.client("sqs").start_message_move_task(SourceArn=arn(source), **destination, **more)["TaskHandle"]


def listed(stage, source="work-dead", **more):
    return stage.client("sqs").list_message_move_tasks(SourceArn=arn(source), **more)["Results"]


def wait_for(condition, source="work-dead"):
    """Wait until the latest task of a queue meets a condition."""
    with QUEUES_CHANGED:
        assert QUEUES_CHANGED.wait_for(lambda: condition(vars(model(source))["_move_tasks"][0]), 10)


def wait_for_end(source="work-dead"):
    wait_for(lambda task: not task.is_active, source)


@patched(START, LIST, sqs_patches.drop_duplicates, raises=(*RAISES, KeyError))
def test_redrive_without_a_destination_moves_messages_to_their_original_queues(stage):
    (work, dead), (other, _) = queue_and_dead_letters(stage), queue_and_dead_letters(stage, name="other")
    policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn("work-dead"), "maxReceiveCount": 1})}
    stage.client("sqs").set_queue_attributes(QueueUrl=other, Attributes=policy)
    make_dead_letters(stage, work, "1", "2")
    make_dead_letters(stage, other, "3")
    start(stage)
    wait_for_end()
    assert (bodies(stage, work), bodies(stage, other), bodies(stage, dead)) == (["1", "2"], ["3"], [])
    (task,) = listed(stage)
    assert (task["Status"], task["SourceArn"]) == ("COMPLETED", arn("work-dead"))
    assert (task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]) == (3, 3)
    assert "TaskHandle" not in task and "DestinationArn" not in task


@patched(START, raises=RAISES)
def test_moved_message_is_new_and_has_the_same_content(stage):
    work, dead = queue_and_dead_letters(stage)
    stage.queue("elsewhere", VisibilityTimeout=0)
    attributes = {"Reason": {"DataType": "String", "StringValue": "no such bucket"}}
    make_dead_letters(stage, work, "1", MessageAttributes=attributes)
    (letter,) = receive(stage, dead)
    start(stage, destination="elsewhere")
    wait_for_end()
    (moved,) = receive(stage, stage.queue("elsewhere"))
    assert (moved["Body"], moved["MessageAttributes"]) == ("1", attributes)
    assert moved["Attributes"]["ApproximateReceiveCount"] == "1" < letter["Attributes"]["ApproximateReceiveCount"]
    assert moved["MessageId"] != letter["MessageId"]
    assert int(moved["Attributes"]["SentTimestamp"]) >= int(letter["Attributes"]["SentTimestamp"])
    assert listed(stage)[0]["DestinationArn"] == arn("elsewhere")


@patched(START, raises=RAISES)
def test_fifo_messages_keep_group_and_deduplication_id_and_their_order(stage):
    work, dead = queue_and_dead_letters(stage, suffix=".fifo")
    for number in "123":
        stage.client("sqs").send_message(
            QueueUrl=dead, MessageBody=number, MessageGroupId="group", MessageDeduplicationId=number
        )
    start(stage, source="work-dead.fifo", destination="work.fifo")
    wait_for_end("work-dead.fifo")
    moved = receive(stage, work)
    assert [(one["Body"], one["Attributes"]["MessageDeduplicationId"]) for one in moved] == [*zip("123", "123")]
    assert {one["Attributes"]["MessageGroupId"] for one in moved} == {"group"}
    numbers = [one["Attributes"]["SequenceNumber"] for one in moved]
    assert numbers == sorted(numbers)


@patched(START, LIST, raises=RAISES)
def test_message_that_was_sent_directly_to_the_dead_letter_queue_cannot_be_redriven(stage):
    _, dead = queue_and_dead_letters(stage)
    stage.client("sqs").send_message(QueueUrl=dead, MessageBody="1")
    start(stage)
    wait_for_end()
    (task,) = listed(stage)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert bodies(stage, dead) == ["1"]


@patched(START, raises=RAISES)
def test_queue_that_is_not_the_dead_letter_queue_of_a_queue_is_refused(stage):
    # Like the on-failure destination of a function, and the dead-letter queue of an EventBridge rule.
    stage.queue("undelivered")
    queue_and_dead_letters(stage)
    call = stage.client("sqs").start_message_move_task
    for source in ("undelivered", "work"):
        assert stage.refusal(call, SourceArn=arn(source)) == (400, "InvalidParameterValue")
    assert stage.refusal(call, SourceArn=arn("missing")) == (400, "ResourceNotFoundException")


@patched(START, raises=RAISES)
def test_invalid_destination_or_rate_is_refused(stage):
    queue_and_dead_letters(stage)
    stage.queue("other.fifo")
    call = stage.client("sqs").start_message_move_task
    for destination, code in (
        ("missing", "ResourceNotFoundException"),
        ("work-dead", "InvalidParameterValue"),
        ("other.fifo", "InvalidParameterValue"),
    ):
        assert stage.refusal(call, SourceArn=arn("work-dead"), DestinationArn=arn(destination)) == (400, code)
    for rate in (0, 501):
        unfit = {"SourceArn": arn("work-dead"), "MaxNumberOfMessagesPerSecond": rate}
        assert stage.refusal(call, **unfit) == (400, "InvalidParameterValue")


@patched(START, LIST, CANCEL, raises=RAISES)
def test_slow_task_is_the_only_one_until_it_is_cancelled(stage):
    work, dead = queue_and_dead_letters(stage)
    make_dead_letters(stage, work, "1", "2", "3")
    handle = start(stage, MaxNumberOfMessagesPerSecond=1)
    wait_for(lambda task: task.moved == 1)
    (task,) = listed(stage)
    assert (task["Status"], task["TaskHandle"], task["MaxNumberOfMessagesPerSecond"]) == ("RUNNING", handle, 1)
    again = stage.refusal(stage.client("sqs").start_message_move_task, SourceArn=arn("work-dead"))
    assert again == (400, "AWS.SimpleQueueService.UnsupportedOperation")
    cancelled = stage.client("sqs").cancel_message_move_task(TaskHandle=handle)
    assert cancelled["ApproximateNumberOfMessagesMoved"] == 1
    wait_for_end()
    assert listed(stage)[0]["Status"] == "CANCELLED"
    assert (bodies(stage, work), bodies(stage, dead)) == (["1"], ["2", "3"])
    start(stage)
    wait_for_end()
    assert [task["Status"] for task in listed(stage, MaxResults=10)] == ["COMPLETED", "CANCELLED"]
    refused = stage.refusal(stage.client("sqs").cancel_message_move_task, TaskHandle=handle)
    assert refused == (400, "AWS.SimpleQueueService.UnsupportedOperation")
    unknown = stage.refusal(stage.client("sqs").cancel_message_move_task, TaskHandle="unknown")
    assert unknown == (400, "ResourceNotFoundException")


@patched(START, raises=RAISES)
def test_message_in_flight_is_not_moved(stage):
    work, dead = queue_and_dead_letters(stage)
    make_dead_letters(stage, work, "1", "2")
    (in_flight,) = receive(stage, dead, MaxNumberOfMessages=1, VisibilityTimeout=60)
    start(stage)
    wait_for_end()
    assert bodies(stage, work) == [{"1": "2", "2": "1"}[in_flight["Body"]]]


@patched(sqs_moves.resolve_queue_of_move, raises=RAISES)
def test_permission_to_redrive_names_the_source_queue(stage):
    queue_and_dead_letters(stage)
    queue_and_dead_letters(stage, name="other")
    needed = allow("sqs:StartMessageMoveTask", arn("work-dead"))
    sqs = client_of_role(stage, "sqs", needed)
    assert is_permitted(sqs.start_message_move_task, SourceArn=arn("work-dead"))
    assert not is_permitted(sqs.start_message_move_task, SourceArn=arn("other-dead"))


@patched(LIST, raises=RAISES)
def test_list_has_one_to_ten_tasks(stage):
    queue_and_dead_letters(stage)
    for count in (0, 11):
        call = stage.client("sqs").list_message_move_tasks
        assert stage.refusal(call, SourceArn=arn("work-dead"), MaxResults=count) == (400, "InvalidParameterValue")
    assert not listed(stage)
