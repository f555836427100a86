"""A server carries out a request long after its client gave it up: the mirror is right again after a recheck."""

import itertools
from copy import copy

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError
from moto.core.models import botocore_stubber

from tasks.object_clerk.parts import MIB
from tasks.partition_replicate import handler as handler_module
from tests.conftest import session_of_the_tasks
from tests.partition_replicate.conftest import MIRROR, SOURCE
from tests.partition_replicate.test_history import DELETED, history
from tests.support.dying_client import Killed

CURRENT, ALL = ("unversioned", "unversioned"), ("Enabled", "Enabled")
DELAY = 900
pytestmark = pytest.mark.parametrize("world", [CURRENT, ALL], ids="-".join, indirect=True)


def lose_the_answer(request):
    raise ConnectionClosedError(endpoint_url=request.url)


def refusal(status, code):
    def refuse(request):
        body = f"<Error><Code>{code}</Code><Message>No</Message></Error>".encode()
        answer = AWSResponse(request.url, status, {}, None)
        answer._content = body  # pylint: disable=protected-access  # else it is read from a socket
        return answer

    return refuse


class Held:
    """A server in front of the mirror that holds a request.

    Attributes:
        requests: those that it holds.
    """

    def __init__(self):
        self.requests = []
        self._operation, self._answer = "", None

    def hold_next(self, operation, answer=lose_the_answer):
        """Has the next request of an operation held, and its client answered in this way."""
        self._operation, self._answer = operation, answer

    def land(self):
        """Carries out what is held."""
        for operation, request in self.requests:
            botocore_stubber(f"before-send.s3.{operation}", request)
        self.requests.clear()

    def __call__(self, request, event_name, **_):
        operation = event_name.rpartition(".")[2]
        if operation != self._operation or MIRROR not in request.url:
            return None
        self._operation = ""
        held = copy(request)
        # The memory that it lies in is used again.
        held.body = bytes(request.body) if request.body else request.body
        self.requests.append((operation, held))
        return self._answer(request)


@pytest.fixture(name="held")
def server_that_holds_requests(world):
    held, events = Held(), session_of_the_tasks().events
    events.register_first("before-send.s3", held)
    # So that the container has its clients, and each knows where its bucket is.
    assert world.replicate(world.put("first")) == []
    yield held
    events.unregister("before-send.s3", held)


@pytest.fixture(name="asked_again")
def whether_another_look_was_asked_for(world, clock):
    """Tells how many rechecks were asked for since it was called last; they are not delivered."""

    def count():
        clock.sleep(DELAY + 1)
        # pylint: disable-next=protected-access  # a receive that deletes
        return len(world._taken(world.recheck_queue))

    return count


def seen(world, s3, bucket):
    """Bytes, metadata and tags of the object at one side, or None."""
    body = world.body(s3, bucket, "a.txt")
    if body is None:
        return None
    where = {"Bucket": bucket, "Key": "a.txt"}
    return body, s3.head_object(**where)["Metadata"], s3.get_object_tagging(**where)["TagSet"]


def is_mirrored(world):
    return seen(world, world.s3, SOURCE) == seen(world, world.mirror, MIRROR)


def is_mirrored_after_the_recheck(world, clock):
    clock.sleep(DELAY - 1)
    assert world.recheck() == 0
    assert not is_mirrored(world)
    clock.sleep(2)
    assert world.recheck() == 1
    return is_mirrored(world)


LOST = {
    "reset": lose_the_answer,
    "500": refusal(500, "InternalError"),
    "502": refusal(502, "BadGateway"),
    "503": refusal(503, "ServiceUnavailable"),
    "504": refusal(504, "GatewayTimeout"),
}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
def test_put_that_lands_after_its_object_was_deleted_is_removed_again(world, held, clock, answer):
    held.hold_next("PutObject", answer)
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert world.replicate(world.delete("a.txt")) == []
    assert is_mirrored(world)
    held.land()
    assert world.mirrored("a.txt") == b"bytes"
    assert is_mirrored_after_the_recheck(world, clock)


def test_put_that_lands_over_the_same_bytes_with_other_metadata_is_replaced(world, held, clock):
    assert world.replicate(world.put("a.txt", b"bytes", Metadata={"of": "1"})) == []
    held.hold_next("PutObject")
    for number in "23":
        assert world.replicate(world.put("a.txt", b"bytes", Metadata={"of": number})) == []
        assert is_mirrored(world)
    held.land()
    assert world.head("a.txt")["Metadata"] == {"of": "2"}
    assert is_mirrored_after_the_recheck(world, clock)


def test_delete_that_lands_on_the_same_bytes_written_again_is_undone(world, held, clock):
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    held.hold_next("DeleteObject")
    assert world.replicate(world.delete("a.txt")) == []
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    assert is_mirrored(world)
    held.land()
    assert world.mirrored("a.txt") is None
    assert is_mirrored_after_the_recheck(world, clock)


def test_tags_that_land_over_newer_ones_are_replaced(world, held, clock):
    assert world.replicate(world.put("a.txt", b"bytes")) == []
    held.hold_next("PutObjectTagging")
    assert world.replicate(world.tag("a.txt", state="first")) == []
    assert world.replicate(world.tag("a.txt")) == []
    assert is_mirrored(world)
    held.land()
    assert world.tags("a.txt") == {"state": "first"}
    assert is_mirrored_after_the_recheck(world, clock)


def test_request_that_a_server_held_for_longer_is_found_by_a_backfill(world, held, clock):
    held.hold_next("PutObject")
    world.replicate(world.put("a.txt", b"bytes"))
    world.replicate(world.delete("a.txt"))
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    held.land()
    assert world.mirrored("a.txt") == b"bytes"
    backfill()
    assert is_mirrored(world)


def backfill():
    """A job of S3 Batch Operations whose manifest names the key."""
    task = {"taskId": "1", "s3Key": "a.txt", "s3VersionId": None, "s3BucketArn": f"arn:aws:s3:::{SOURCE}"}
    handler_module.replicate({"invocationId": "1", "job": {"id": "1"}, "tasks": [task]}, None)


def test_history_reads_like_the_sources_after_the_recheck(world, held, clock):
    held.hold_next("PutObject")
    world.replicate(world.put("a.txt", b"first"))
    world.replicate(world.delete("a.txt"))
    held.land()
    world.replicate(world.put("a.txt", b"second"))
    clock.sleep(DELAY + 1)
    world.recheck()
    assert is_mirrored(world)
    assert world.versions("a.txt") == ((2, 1) if world.keeps_versions else (1, 0))


def test_late_copy_goes_though_its_version_was_removed_for_good(world, held, clock, environment):
    if not world.keeps_versions:
        pytest.skip("there are no versions")
    environment(VERSIONS="all", VERSION_DELETES="mirror")
    world.replicate(world.put("a.txt", b"older"))
    held.hold_next("PutObject")
    event = world.put("a.txt", b"bytes")
    world.replicate(event)
    world.replicate(world.delete("a.txt", event["detail"]["object"]["version-id"]))
    held.land()
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    assert is_mirrored(world)
    assert world.versions("a.txt") == (1, 0)


@pytest.mark.parametrize("how", [*itertools.product(["mirrored", "never mirrored"], ["early", "late"])], ids="-".join)
def test_late_copy_by_a_killed_worker_on_another_event_goes_too(world, held, clock, environment, how):
    if not world.keeps_versions:
        pytest.skip("there are no versions")
    environment(VERSIONS="all", VERSION_DELETES="mirror")
    world.replicate(world.put("first"))
    first, second = world.put("a.txt", b"1"), world.put("a.txt", b"2")
    held.hold_next("PutObject", lambda request: raise_(Killed()))
    with pytest.raises(Killed):
        world.replicate(second)
    if how[0] == "mirrored":
        world.replicate(first)
    removed = world.delete("a.txt", first["detail"]["object"]["version-id"])
    world.replicate(first, removed, world.delete("a.txt"))
    if how[1] == "early":
        held.land()
    world.replicate(second, receives=2)
    held.land()
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    assert history(MIRROR) == history(SOURCE)


def test_late_put_beneath_a_late_delete_stays_in_the_history(world, held, clock, environment):
    """A limit: a recheck looks only above the newest version that is recorded. What is current is right."""
    if not world.keeps_versions:
        pytest.skip("there are no versions")
    environment(VERSIONS="all")
    world.replicate(world.put("first"))
    held.hold_next("PutObject")
    world.replicate(world.put("a.txt", b"1"))
    world.replicate(world.delete("a.txt"))
    held.hold_next("DeleteObject")
    world.replicate(world.delete("a.txt"))
    held.land()
    world.replicate(world.put("a.txt", b"2"))
    clock.sleep(DELAY + 1)
    assert world.recheck() > 0
    assert is_mirrored(world)
    late = [b"1", DELETED]
    assert history(SOURCE) == [b"1", DELETED, DELETED, b"2"]
    assert history(MIRROR) == [b"1", DELETED, DELETED, *late, b"2"]


# When another look is asked for, and when not.


def test_undisturbed_object_is_not_looked_at_again(world, held, asked_again):
    assert held.requests == []
    world.replicate(world.put("a.txt"), world.tag("a.txt", a="b"), world.delete("a.txt"))
    assert asked_again() == 0


NOTHING_DONE = {
    "no connection": lambda request: raise_(EndpointConnectionError(endpoint_url=request.url)),
    "connection timed out": lambda request: raise_(ConnectTimeoutError(endpoint_url=request.url)),
    "slow down": refusal(503, "SlowDown"),
    "conflict": refusal(409, "ConditionalRequestConflict"),
    "damaged": refusal(400, "BadDigest"),
}


def raise_(error):
    raise error


@pytest.mark.parametrize("answer", NOTHING_DONE.values(), ids=NOTHING_DONE)
def test_request_that_no_server_has_taken_asks_for_no_other_look(world, held, asked_again, answer):
    held.hold_next("PutObject", answer)
    assert world.replicate(world.put("a.txt")) == []
    assert world.mirrored("a.txt") == b"bytes"
    assert asked_again() == 0


def test_read_whose_answer_is_lost_asks_for_no_other_look(world, held, asked_again):
    event = world.put("a.txt")
    world.replicate(event)
    held.hold_next("HeadObject")
    assert world.replicate(event) == []
    assert held.requests
    assert asked_again() == 0


def test_message_that_a_killed_worker_had_asks_for_another_look_when_it_is_done(world, asked_again, capsys):
    assert world.replicate(world.put("a.txt"), receives=2) == []
    assert asked_again() == 1
    said = [line for line in capsys.readouterr().out.splitlines() if '"replicated"' in line]
    assert '"recheck":true' in said[-1]


def test_message_that_comes_back_asks_for_another_look_when_it_is_done(world, held, wire, asked_again):
    event = world.put("a.txt")
    held.hold_next("PutObject")
    wire.fail("HeadObject", (403, "AccessDenied"), times=9)
    wire.fail("ListObjectVersions", (403, "AccessDenied"), times=9)
    assert world.replicate(event) == [0]
    assert asked_again() == 0
    wire.faults.clear()
    assert world.replicate(event, receives=2) == []
    assert asked_again() == 1


def test_message_that_can_never_succeed_asks_for_another_look(world, held, wire, asked_again):
    held.hold_next("PutObject", lambda request: fail_and_then_lose(wire, request))
    assert world.replicate(world.put("a.txt")) == []
    assert len(world.dead_letters()) == 1
    assert asked_again() == 1


def fail_and_then_lose(wire, request):
    wire.fail("PutObject", (400, "InvalidArgument"), times=9)
    wire.fail("ListObjectVersions", (400, "InvalidArgument"), times=9)
    lose_the_answer(request)


def test_message_comes_back_while_no_other_look_can_be_asked_for(world, held, environment, asked_again):
    environment(RECHECK_QUEUE="https://sqs.eu-west-1.amazonaws.com/123456789012/no-such-queue")
    event = world.put("a.txt")
    held.hold_next("PutObject")
    assert world.replicate(event) == [0]
    environment(RECHECK_QUEUE=world.recheck_queue)
    assert world.replicate(event, receives=2) == []
    assert asked_again() == 1


def test_task_of_batch_operations_whose_answer_is_lost_asks_for_another_look(world, held, asked_again):
    world.put("a.txt")
    held.hold_next("PutObject")
    backfill()
    assert world.mirrored("a.txt") == b"bytes"
    assert asked_again() == 1


def test_recheck_that_is_disturbed_asks_for_one_more(world, held, clock):
    held.hold_next("PutObject")
    world.replicate(world.put("a.txt", b"bytes"))
    world.replicate(world.delete("a.txt"))
    held.land()
    held.hold_next("DeleteObject")
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    clock.sleep(DELAY + 1)
    assert world.recheck() == 0
    assert is_mirrored(world)


def test_upload_whose_beginning_was_not_answered_is_aborted(world, held, clock):
    held.hold_next("CreateMultipartUpload")
    assert world.replicate(world.put("a.txt", bytes(17 * MIB))) == []
    held.land()
    assert is_mirrored(world)
    assert world.uploads() == ["a.txt"]
    clock.sleep(DELAY + 1)
    assert world.recheck() == 1
    assert world.uploads() == []
