"""Which deliveries request a recheck, and which do not."""

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

from tests.partition_replicate.late_requests import lose_the_answer, raise_, refusal
from tests.partition_replicate.sides import ALL, CURRENT, DELAY, backfill, is_mirrored

pytestmark = pytest.mark.parametrize("world", [CURRENT, ALL], ids="-".join, indirect=True)


@pytest.fixture(name="requested_rechecks")
def number_of_requested_rechecks(world, clock):
    """Count the rechecks that were requested since the last call, and discard them."""

    def count():
        clock.sleep(DELAY + 1)
        # pylint: disable-next=protected-access  # it receives and deletes
        return len(world._taken(world.recheck_queue))

    return count


def test_undisturbed_object_is_not_rechecked(world, held, requested_rechecks):
    assert held.requests == []
    world.replicate(world.put("a.txt"), world.tag("a.txt", a="b"), world.delete("a.txt"))
    assert requested_rechecks() == 0


NOTHING_DONE = {
    "no connection": lambda request: raise_(EndpointConnectionError(endpoint_url=request.url)),
    "connection timed out": lambda request: raise_(ConnectTimeoutError(endpoint_url=request.url)),
    "slow down": refusal(503, "SlowDown"),
    "conflict": refusal(409, "ConditionalRequestConflict"),
    "damaged": refusal(400, "BadDigest"),
}


@pytest.mark.parametrize("answer", NOTHING_DONE.values(), ids=NOTHING_DONE)
def test_request_that_no_server_accepted_requests_no_recheck(world, held, requested_rechecks, answer):
    held.hold_next("PutObject", answer)
    assert world.replicate(world.put("a.txt")) == []
    assert world.mirrored("a.txt") == b"bytes"
    assert requested_rechecks() == 0


def test_read_whose_answer_is_lost_requests_no_recheck(world, held, requested_rechecks):
    event = world.put("a.txt")
    world.replicate(event)
    held.hold_next("HeadObject")
    assert world.replicate(event) == []
    assert held.requests
    assert requested_rechecks() == 0


def test_message_of_a_killed_worker_requests_a_recheck_when_it_is_done(world, requested_rechecks, capsys):
    assert world.replicate(world.put("a.txt"), receives=2) == []
    assert requested_rechecks() == 1
    said = [line for line in capsys.readouterr().out.splitlines() if '"replicated"' in line]
    assert '"recheck":true' in said[-1]


def test_message_that_comes_back_requests_a_recheck_when_it_is_done(world, held, wire, requested_rechecks):
    event = world.put("a.txt")
    held.hold_next("PutObject")
    wire.fail("HeadObject", (403, "AccessDenied"), times=9)
    wire.fail("ListObjectVersions", (403, "AccessDenied"), times=9)
    assert world.replicate(event) == [0]
    assert requested_rechecks() == 0
    wire.faults.clear()
    assert world.replicate(event, receives=2) == []
    assert requested_rechecks() == 1


def test_message_that_can_never_succeed_requests_a_recheck(world, held, wire, requested_rechecks):
    held.hold_next("PutObject", lambda request: fail_and_then_lose(wire, request))
    assert world.replicate(world.put("a.txt")) == []
    assert len(world.dead_letters()) == 1
    assert requested_rechecks() == 1


def fail_and_then_lose(wire, request):
    wire.fail("PutObject", (400, "InvalidArgument"), times=9)
    wire.fail("ListObjectVersions", (400, "InvalidArgument"), times=9)
    lose_the_answer(request)


def test_message_comes_back_while_no_recheck_can_be_requested(world, held, environment, requested_rechecks):
    environment(RECHECK_QUEUE="https://sqs.eu-west-1.amazonaws.com/123456789012/no-such-queue")
    event = world.put("a.txt")
    held.hold_next("PutObject")
    assert world.replicate(event) == [0]
    environment(RECHECK_QUEUE=world.recheck_queue)
    assert world.replicate(event, receives=2) == []
    assert requested_rechecks() == 1


def test_task_of_batch_operations_whose_answer_is_lost_requests_a_recheck(world, held, requested_rechecks):
    world.put("a.txt")
    held.hold_next("PutObject")
    backfill()
    assert world.mirrored("a.txt") == b"bytes"
    assert requested_rechecks() == 1


def test_disturbed_recheck_requests_another_one(world, held, clock):
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
