import json

from moto.sqs.models import sqs_backends

from local.patches import sqs_metrics
from tests.local.metric_data import total_of, values_of
from tests.local.patching import ACCOUNT, REGION, patched

STATE = (
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateAgeOfOldestMessage",
)


def send(stage, queue, *bodies, **options):
    for body in bodies:
        stage.client("sqs").send_message(QueueUrl=queue, MessageBody=body, **options)


def receive(stage, queue, **options):
    return stage.client("sqs").receive_message(QueueUrl=queue, **options).get("Messages", [])


def count(stage, metric, queue="queue"):
    return total_of(stage.client("cloudwatch"), "AWS/SQS", f"NumberOfMessages{metric}", QueueName=queue)


def state(stage, queue="queue"):
    """Return the highest value of each metric of the state of a queue."""
    client = stage.client("cloudwatch")
    return [max(values_of(client, "AWS/SQS", name, "Maximum", QueueName=queue), default=None) for name in STATE]


def messages_of(name):
    return vars(sqs_backends[ACCOUNT][REGION].get_queue(name))["_messages"]


def make_older(message, seconds):
    arrived, receives = vars(message)["_arrival"]
    vars(message)["_arrival"] = (arrived - seconds * 1000, receives)


@patched(sqs_metrics.count_sent_messages, sqs_metrics.count_received_messages, sqs_metrics.count_deleted_messages)
def test_messages_that_are_sent_received_and_deleted_are_counted(stage):
    queue = stage.queue("queue")
    send(stage, queue, "1", "2", "3")
    first, second = receive(stage, queue, MaxNumberOfMessages=2)
    entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate((first, second))]
    stage.client("sqs").delete_message_batch(QueueUrl=queue, Entries=entries)
    assert (count(stage, "Sent"), count(stage, "Received"), count(stage, "Deleted")) == (3, 2, 2)


@patched()
def test_duplicate_is_not_counted_as_sent(stage):
    queue = stage.queue("queue.fifo", ContentBasedDeduplication="true")
    send(stage, queue, "1", "1", MessageGroupId="g")
    assert count(stage, "Sent", "queue.fifo") == 1


@patched(sqs_metrics.count_sent_messages)
def test_message_that_sqs_moves_to_the_dead_letter_queue_is_not_sent_and_its_age_begins_with_the_move(stage):
    dead = stage.queue("dead")
    arn = stage.client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    queue = stage.queue("queue", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}))
    send(stage, queue, "1")
    make_older(*messages_of("queue"), 600)
    assert receive(stage, queue, VisibilityTimeout=0)
    assert not receive(stage, queue)
    sqs_metrics.sample()
    assert (count(stage, "Sent"), count(stage, "Sent", "dead")) == (1, 0)
    assert state(stage, "dead") == [1, 0, 0, 0]


@patched()
def test_state_of_a_queue_counts_messages_that_wait_that_are_in_flight_and_that_are_delayed(stage):
    queue = stage.queue("queue")
    send(stage, queue, "1", "2", "3")
    send(stage, queue, "4", DelaySeconds=600)
    receive(stage, queue)
    sqs_metrics.sample()
    assert state(stage)[:3] == [2, 1, 1]


@patched(sqs_metrics.count_sent_messages)
def test_age_is_that_of_the_oldest_message_which_was_not_received_often(stage):
    queue = stage.queue("queue")
    send(stage, queue, "poison", "old", "new")
    poison, old, _ = messages_of("queue")
    make_older(poison, 3600)
    make_older(old, 100)
    poison.approximate_receive_count = sqs_metrics.RECEIVES_OF_POISON + 1
    sqs_metrics.sample()
    assert state(stage)[3] in (100, 101)
    poison.approximate_receive_count = sqs_metrics.RECEIVES_OF_POISON
    sqs_metrics.sample()
    assert state(stage)[3] in (3600, 3601)


@patched()
def test_empty_queue_has_no_age(stage):
    stage.queue("queue")
    sqs_metrics.sample()
    assert state(stage) == [0, 0, 0, None]


@patched()
def test_sample_is_repeated_by_the_clock(stage):
    sqs_metrics.sample_regularly()
    queue = stage.queue("queue")
    send(stage, queue, "1")
    for _ in range(2):
        stage.hooks.clock.run_all()
    samples = values_of(stage.client("cloudwatch"), "AWS/SQS", STATE[0], "SampleCount", period=7200, QueueName="queue")
    assert sum(samples) == 2
