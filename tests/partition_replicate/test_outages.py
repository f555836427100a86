"""What is missing, denied or down for a day makes no dead letter and loses nothing."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from tasks.partition_replicate import handler as handler_module
from tasks.partition_replicate.reconcile.plan_versions import SAME_VIEWS
from tests.conftest import session_of_the_tasks
from tests.partition_replicate.conftest import KEYS, MIRROR, SECRET, TABLE, create_table
from tests.support.dying_client import Killed
from tests.support.time_machine import DAY, HOUR, PolledQueue

pytestmark = pytest.mark.long

LONGEST_WAIT = 15 * 60


def refusal(status, code):
    """An answer of S3; that to a HEAD has no body, and no code in it."""

    def answer(request):
        body = f"<Error><Code>{code}</Code><Message>No</Message></Error>".encode()
        content = b"" if request.method == "HEAD" else body
        return SimpleNamespace(status_code=status, headers={}, raw=None, content=content, text=content.decode())

    return answer


def unreachable(request):
    raise EndpointConnectionError(endpoint_url=request.url)


@pytest.fixture(name="outage")
def what_befalls_the_destination(world):
    """Set `outage.answer`, and every request to the destination gets it."""
    state = SimpleNamespace(answer=None, requests=0)

    def interfere(request, **_):
        if MIRROR not in request.url or state.answer is None:
            return None
        state.requests += 1
        return state.answer(request)

    events = session_of_the_tasks().events
    events.register_first("before-send.s3", interfere)
    assert world.mirrored("a.txt") is None
    yield state
    events.unregister("before-send.s3", interfere)


@pytest.fixture(name="queue")
def queue_that_is_polled(world, environment, clock):
    queue = PolledQueue.create(world.sqs, clock, "polled", fifo=True)
    queue.handle = lambda batch: handler_module.replicate(batch, None)
    environment(OBJECTS_QUEUE=queue.url, DEAD_LETTER_QUEUE=queue.dead_url, MAX_RECEIVES="10")
    return queue


def a_day_of_failures(queue):
    """A day of which the hours in the middle are left out: they would be like the others."""
    queue.run(6 * HOUR)
    queue.clock.sleep(17 * HOUR)
    queue.run(HOUR)
    assert queue.invocations > 20


def change(world, *keys, body):
    for key in keys:
        handler_module.enqueue(world.put(key, body), None)


def set_secret(world, access_key):
    value = f'{{"accesskey": "{access_key}", "secretaccesskey": "{KEYS["secretaccesskey"]}"}}'
    world.secrets.put_secret_value(SecretId=SECRET, SecretString=value)


def refuse_other_keys(request):
    key = request.headers.get("Authorization", b"")
    key = key.decode() if isinstance(key, bytes) else key
    return None if KEYS["accesskey"] in key else refusal(403, "InvalidAccessKeyId")(request)


def test_destination_down_and_then_the_secret_wrong_for_a_day(world, outage, queue):
    keys = ["a.txt", "b.txt"]
    change(world, *keys, body=b"first")
    assert queue.run(HOUR) < 1
    outage.answer = unreachable
    for part in range(2):
        change(world, *keys[: part + 1], body=b"during the outage %d" % part)
        queue.run(6 * HOUR)
    set_secret(world, "AKIAWRONG")
    handler_module.worker.cache_clear()
    outage.answer = refuse_other_keys
    for part in range(2):
        change(world, *keys[: part + 1], body=b"with a wrong secret %d" % part)
        queue.run(6 * HOUR)
    assert queue.dead_letters() == []
    assert queue.invocations < 2 * 250
    set_secret(world, KEYS["accesskey"])
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert [world.mirrored(key) for key in keys] == [world.body(world.s3, "the-source", key) for key in keys]
    assert queue.dead_letters() == []


@pytest.mark.parametrize(
    "answer",
    [
        refusal(403, "AccessDenied"),
        refusal(404, "NoSuchBucket"),
        refusal(400, "KMS.DisabledException"),
        refusal(400, "KMS.NotFoundException"),
        refusal(503, "SlowDown"),
        refusal(403, "SignatureDoesNotMatch"),
    ],
    ids=["denied", "no bucket", "key disabled", "no key", "throttled", "signature"],
)
def test_destination_that_refuses_for_a_day_makes_no_dead_letter(world, outage, queue, answer):
    outage.answer = answer
    change(world, "a.txt", body=b"first")
    change(world, "a.txt", body=b"second")
    a_day_of_failures(queue)
    assert queue.dead_letters() == []
    outage.answer = None
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert world.mirrored("a.txt") == b"second"


def test_table_that_is_missing_for_a_day_makes_no_dead_letter(world, queue):
    world.dynamodb.delete_table(TableName=TABLE)
    change(world, "a.txt", body=b"bytes")
    a_day_of_failures(queue)
    assert queue.dead_letters() == []
    create_table(world.dynamodb)
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert world.mirrored("a.txt") == b"bytes"


def test_secret_that_is_missing_for_a_day_makes_no_dead_letter(world, queue):
    set_secret(world, KEYS["accesskey"])
    world.secrets.delete_secret(SecretId=SECRET)
    change(world, "a.txt", body=b"bytes")
    a_day_of_failures(queue)
    assert queue.dead_letters() == []
    world.secrets.restore_secret(SecretId=SECRET)
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert world.mirrored("a.txt") == b"bytes"


def test_what_fails_for_four_days_is_a_dead_letter_with_its_reason(world, outage, queue):
    outage.answer = refusal(403, "AccessDenied")
    change(world, "a.txt", body=b"first")
    change(world, "a.txt", body=b"second")
    a_day_of_failures(queue)
    queue.clock.sleep(2.8 * DAY)
    queue.run(HOUR)
    assert queue.dead_letters() == []
    queue.clock.sleep(0.2 * DAY)
    queue.run(HOUR)
    letters = queue.dead_letters()
    assert len(letters) == 2
    assert all("AccessDenied" in letter["MessageAttributes"]["Reason"]["StringValue"] for letter in letters)
    # Redriven, they are as good as new.
    assert all(letter["MessageAttributes"].keys() == {"Reason", "ErrorType", "MessageId"} for letter in letters)


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)
def test_destination_that_lists_a_marker_and_serves_an_object_for_a_day_is_tried_later(world, queue, wire, capsys):
    """As SeaweedFS was once seen: its listing was without the version that it served, and that a condition met."""
    handler_module.enqueue(world.put("a.txt", b"first"), None)
    handler_module.enqueue(world.delete("a.txt"), None)
    queue.run(HOUR)
    second = world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"second")["VersionId"]

    def hide(listed):
        if listed["Name"] == MIRROR and listed.get("Versions", [{}])[0].get("VersionId") == second:
            del listed["Versions"][0], listed["Order"][0]

    wire.answer_with("ListObjectVersions", hide)
    change(world, "a.txt", body=b"second")
    change(world, "b.txt", body=b"another key")
    queue.run(60)
    assert world.mirrored("b.txt") == b"another key"
    wire.sent.clear()
    invocations = queue.invocations
    a_day_of_failures(queue)
    assert queue.dead_letters() == []
    assert queue.invocations - invocations < 60
    assert len(wire.sent) <= 6 * SAME_VIEWS * (queue.invocations - invocations)
    reason = capsys.readouterr().out
    assert "the destination lists the delete marker" in reason
    assert f"as the newest and serves the version {second}" in reason
    wire.changes.clear()
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert world.mirrored("a.txt") == b"second"
    assert world.versions("a.txt") == (2, 1)
    assert queue.dead_letters() == []


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)
def test_source_that_lists_a_version_and_does_not_serve_it_is_tried_later(world, queue, wire, capsys):
    wire.fail("GetObject", (404, "NoSuchVersion"), times=10_000)
    change(world, "a.txt", body=b"bytes")
    queue.run(HOUR)
    assert queue.invocations < 20
    assert len(wire.sent) <= 6 * SAME_VIEWS * queue.invocations
    assert f"{SAME_VIEWS} rounds changed nothing" in capsys.readouterr().out
    wire.faults.clear()
    assert queue.run(DAY) <= LONGEST_WAIT + 60
    assert world.mirrored("a.txt") == b"bytes"


def test_message_that_kills_its_function_is_a_dead_letter_within_a_day(world, queue):
    def kill(_batch):
        raise Killed()

    queue.handle = kill
    change(world, "a.txt", body=b"bytes")
    queue.run(DAY)
    assert queue.invocations == 10
    assert len(queue.dead_letters()) == 1
