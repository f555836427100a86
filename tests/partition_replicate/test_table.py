"""What the table refuses, and what is in it from before: no copy at the destination suffers for it."""

import pytest
from moto.s3.models import FakeKey, s3_backends

from local.patches.hooks import HOOKS
from tasks.partition_replicate import handler as handler_module
from tasks.partition_replicate.errors import RowChanged
from tasks.partition_replicate.table import Table
from tasks.utils.key_state import KeyState
from tasks.utils.retry import RetryPolicy
from tests.partition_replicate.conftest import MIRROR, TABLE

EVERY_VERSION = pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids=["Enabled-Enabled"], indirect=True)
TRIES = 8


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(handler_module, "TABLE_POLICY", RetryPolicy(tries=TRIES))
    # botocore's own.
    monkeypatch.setattr("time.sleep", lambda _: None)


def refuse(*reasons, times=1):
    how = {"status": 400, "code": "TransactionCanceledException", "reasons": reasons}
    HOOKS.faults.add("TransactWriteItems", bucket=TABLE, times=times, **how)


def history(key="a.txt"):
    versions = s3_backends["123456789012"]["aws-us-gov"].buckets[MIRROR].keys.getlist(key, default=[])
    return [version.value if isinstance(version, FakeKey) else None for version in versions]


@EVERY_VERSION
@pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"])
@pytest.mark.parametrize("where", ["row of the key", "row of the version", "both"])
def test_transaction_cancelled_by_throttling_costs_no_copy(world, wire, reason, where):
    world.replicate(world.put("a.txt", b"1"))
    wire.sent.clear()
    reasons = {"row of the key": (reason, "None"), "row of the version": ("None", reason), "both": (reason, reason)}
    refuse(*reasons[where], times=TRIES - 1)
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert (wire.count("PutObject"), wire.count("DeleteObject")) == (1, 0)
    assert history() == [b"1", b"2"]


@EVERY_VERSION
@pytest.mark.parametrize("change", ["put", "the same bytes", "delete"])
def test_table_that_throttles_for_long_gives_the_message_back_and_no_copy_is_lost(world, capsys, change):
    world.replicate(world.put("a.txt", b"1", Metadata={"of": "first"}))
    event = {
        "put": lambda: world.put("a.txt", b"2"),
        "the same bytes": lambda: world.put("a.txt", b"1", Metadata={"of": "second"}),
        "delete": lambda: world.delete("a.txt"),
    }[change]()
    refuse("ThrottlingError", "None", times=TRIES)
    assert world.replicate(event) == [0]
    assert "ThrottlingError of this item" in capsys.readouterr().out
    written = history()
    assert len(written) == 2
    assert world.replicate(event) == []
    assert (history(), world.dead_letters()) == (written, [])


@EVERY_VERSION
@pytest.mark.parametrize("reason", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
def test_row_that_the_table_never_takes_is_a_dead_letter_with_its_reason(world, reason):
    refuse("None", reason)
    assert world.replicate(world.put("a.txt", b"1")) == []
    (letter,) = world.dead_letters()
    attributes = {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()}
    assert attributes["ErrorType"] == "RowRefused"
    assert f"{reason} of this item" in attributes["Reason"]
    assert history() == [b"1"]


@EVERY_VERSION
def test_transaction_whose_answer_is_lost_is_repeated_and_counts_once(world, wire):
    HOOKS.faults.add("TransactWriteItems", times=5, status=500, code="InternalServerError", done=True)
    assert world.replicate(world.put("a.txt", b"1")) == []
    assert history() == [b"1"]
    assert (wire.count("PutObject"), wire.count("DeleteObject")) == (1, 0)


@EVERY_VERSION
def test_reasons_are_not_mixed_up_where_a_condition_fails_beside_throttling(world):
    world.replicate(world.put("a.txt", b"1"))
    refuse("ConditionalCheckFailed", "ThrottlingError")
    event = world.put("a.txt", b"2")
    assert world.replicate(event) == []
    assert history() == [b"1", b"2"]


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
)
@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_throttled_request_is_repeated(world, wire, operation, code):
    HOOKS.faults.add(operation, bucket=TABLE, times=2 * TRIES, status=400, code=code)
    assert world.replicate(world.put("a.txt", b"1")) == []
    assert world.mirrored("a.txt") == b"1"
    assert wire.count("PutObject") == 1


def test_conflict_with_a_transaction_is_repeated(world):
    HOOKS.faults.add("PutItem", bucket=TABLE, times=2, status=400, code="TransactionConflictException")
    assert world.replicate(world.put("a.txt", b"1")) == []
    assert world.row("a.txt")["Revision"] == {"N": "1"}


def test_write_of_the_row_whose_answer_is_lost_is_not_taken_for_a_lost_race(world, wire, monkeypatch):
    limits = handler_module.StreamLimits
    monkeypatch.setattr(
        handler_module, "StreamLimits", lambda memory: limits(memory, threshold=5 << 20, part_size=5 << 20)
    )
    HOOKS.faults.add("PutItem", bucket=TABLE, times=1, status=500, code="InternalServerError", done=True)
    assert world.replicate(world.put("a.txt", bytes(5 << 20))) == []
    # The upload is noted in the row before its first part is sent.
    assert (wire.count("CreateMultipartUpload"), wire.count("AbortMultipartUpload")) == (1, 0)
    assert world.uploads() == []


@EVERY_VERSION
def test_row_of_a_removed_version_replaces_only_the_record_that_was_read(world):
    world.replicate(world.put("a.txt", b"1"))
    version = world.row("a.txt")["SourceVersionId"]["S"]
    table = Table(world.dynamodb, TABLE)
    recorded = table.read_replica("a.txt", version).version
    for read in ("", "another"):
        with pytest.raises(RowChanged):
            table.write_gone("a.txt", version, '"etag"', read)
        assert table.read_replica("a.txt", version).version == recorded
    # A request whose answer was lost is repeated.
    for _ in range(2):
        table.write_gone("a.txt", version, '"etag"', recorded)
    assert table.read_all("a.txt")[1].gone == {"etag"}


@EVERY_VERSION
def test_tags_are_recorded_only_of_the_replica_that_the_row_names(world):
    world.replicate(world.put("a.txt", b"1"))
    version = world.row("a.txt")["SourceVersionId"]["S"]
    table = Table(world.dynamodb, TABLE)
    recorded = table.read_replica("a.txt", version)
    # A request whose answer was lost is repeated.
    for _ in range(2):
        table.write_tags("a.txt", version, recorded, {"a": "b"})
    with pytest.raises(RowChanged):
        table.write_tags("a.txt", version, recorded._replace(version="another"), {"c": "d"})
    assert world.row("a.txt", version)["DestObjectTags"] == {"M": {"a": {"S": "b"}}}

    table.write_gone("a.txt", version, '"etag"', recorded.version)
    with pytest.raises(RowChanged):
        table.write_tags("a.txt", version, recorded, {"c": "d"})
    assert table.read_all("a.txt")[1].gone == {"etag"}


@EVERY_VERSION
def test_key_row_is_deleted_only_in_the_state_that_was_read(world):
    world.replicate(world.put("a.txt", b"1"))
    table = Table(world.dynamodb, TABLE)
    before = table.read_state("a.txt")
    now = table.write_state("a.txt", before, before._replace(removed=True))
    with pytest.raises(RowChanged):
        table.forget_state("a.txt", before)
    assert table.read_state("a.txt") == now
    # A request whose answer was lost is repeated.
    for _ in range(2):
        table.forget_state("a.txt", now)
    assert table.read_state("a.txt") == KeyState()
