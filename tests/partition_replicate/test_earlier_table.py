"""A table that an earlier system filled is taken over as it is: whatever its rows hold, the mirror converges.

Its items are `{Key, VersionId ("$null" if none), DestObject, DestObjectTags, ...}`; what a `DestObject` holds is not
known any further, so any value is tried.
"""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.partition_replicate.conftest import MIRROR, SOURCE, TABLE
from tests.partition_replicate.events import event_of

EXAMPLES = settings(
    max_examples=10,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BOTH_MODES = pytest.mark.parametrize(
    "world", [("unversioned", "unversioned"), ("Enabled", "Enabled")], ids="-".join, indirect=True
)

OURS = (
    "Revision",
    "SourceETag",
    "DestETag",
    "SourceVersionId",
    "DestVersionId",
    "Skipped",
    "Removed",
    "Sequencer",
    "UploadId",
    "UploadSource",
    "UploadPartSize",
    "UploadCRC32",
    "ExpiresAt",
)
TEXTS = st.sampled_from(["", "null", "a.txt", "zz", "d" * 32, '"' + "d" * 32 + '"', "é", "s3://bucket/key"])
NUMBERS = st.sampled_from(["0", "1", "-1", "1.5", "7", "12345678901234567890", "1E+30"])
PLAIN = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda number: {"N": number}),
    st.sampled_from([{"NULL": True}, {"BOOL": False}, {"B": b"\x00\xff"}, {"SS": ["a", "b"]}, {"NS": ["1", "2"]}]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda items: {"L": items}),
        st.dictionaries(st.sampled_from(["Bucket", "Key", "VersionId", "ETag"]), inner, max_size=4).map(
            lambda members: {"M": members}
        ),
    ),
    max_leaves=4,
)
# What says that something was left out or removed is believed, for that is this project's own word: then it is not odd.
ODD = st.dictionaries(st.sampled_from(["DestObject", "DestObjectTags", "LastUpdate", *OURS]), VALUES, max_size=5).map(
    lambda item: {name: value for name, value in item.items() if value != {"BOOL": True}}
)

_keys = (f"{number}/é ü.txt" for number in itertools.count())


def fill(world, key, version, item):
    if item is not None:
        place = {"Key": {"S": key}, "VersionId": {"S": version or "$null"}}
        world.dynamodb.put_item(TableName=TABLE, Item={**item, **place})


@BOTH_MODES
def test_rows_of_an_earlier_system_never_stop_a_key(world):
    @EXAMPLES
    @given(
        state=st.none() | ODD,
        rows=st.lists(st.none() | ODD, min_size=2, max_size=2),
        copied=st.integers(0, 2),
        ends_with=st.sampled_from(["put", "delete"]),
    )
    def take_over(state, rows, copied, ends_with):
        key = next(_keys)
        events = [world.put(key, b"%d" % number, Metadata={"of": str(number)}) for number in range(2)]
        for number in range(copied):
            world.mirror.put_object(Bucket=MIRROR, Key=key, Body=b"%d" % number, Metadata={"of": str(number)})
        for event, item in zip(events, rows):
            version = event["detail"]["object"].get("version-id")
            fill(world, key, version, item if version else None)
        fill(world, key, None, state)
        assert world.replicate(events[-1]) == []
        assert world.mirrored(key) == b"1"
        assert world.row(key)["Revision"]["N"].isdecimal()
        last = world.put(key, b"2") if ends_with == "put" else world.delete(key)
        assert world.replicate(last, *events) == []
        assert world.mirrored(key) == (b"2" if ends_with == "put" else None)
        assert world.dead_letters() == []

    take_over()  # pylint: disable=no-value-for-parameter  # Hypothesis gives them.


@BOTH_MODES
@pytest.mark.parametrize("destination", [{"S": "s3://bucket/key"}, {"NULL": True}, {"M": {}}, None], ids=str)
def test_row_without_a_revision_is_replaced_by_one_that_has_it(world, destination):
    event = world.put("a.txt", b"bytes", Tagging="a=b")
    old = {"DestObjectTags": {"M": {}}, **({"DestObject": destination} if destination else {})}
    fill(world, "a.txt", None, old)
    assert world.replicate(event) == []
    assert (world.mirrored("a.txt"), world.tags("a.txt")) == (b"bytes", {"a": "b"})
    row = world.row("a.txt")
    assert row["Revision"] == {"N": "1"} and "DestObject" not in row


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids="-".join, indirect=True)
@pytest.mark.parametrize("quoted", [True, False])
def test_version_that_an_earlier_system_mirrored_is_not_mirrored_again(world, wire, quoted):
    old = world.put("a.txt", b"1")["detail"]["object"]["version-id"]
    copy = world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"1")
    etag = copy["ETag"] if quoted else copy["ETag"].strip('"')
    made = {"M": {"Bucket": {"S": MIRROR}, "VersionId": {"S": copy["VersionId"]}, "ETag": {"S": etag}}}
    fill(world, "a.txt", old, {"DestObject": made, "DestObjectTags": {"L": []}})
    wire.sent.clear()
    assert world.replicate(event_of(SOURCE, "a.txt", "Object Created", version_id=old)) == []
    assert world.versions("a.txt") == (1, 0)
    assert world.replicate(world.put("a.txt", b"2")) == []
    assert (world.versions("a.txt"), world.mirrored("a.txt")) == ((2, 0), b"2")


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids="-".join, indirect=True)
def test_version_whose_row_cannot_be_read_is_not_taken_for_one_that_was_left_out(world):
    world.mirror.put_object(Bucket=MIRROR, Key="a.txt", Body=b"before the mirror")
    event = world.put("a.txt", b"1")
    fill(world, "a.txt", event["detail"]["object"]["version-id"], {"DestObject": {"NULL": True}, "State": {"S": "x"}})
    assert world.replicate(event) == []
    assert world.mirrored("a.txt") == b"1"


@pytest.mark.parametrize("world", [("Enabled", "Enabled")], ids="-".join, indirect=True)
@pytest.mark.parametrize(
    "destination",
    [{"S": "s3://bucket/key"}, {"M": {}}, {"M": {"VersionId": {"NULL": True}, "ETag": {"S": "d"}}}],
    ids=str,
)
def test_event_of_a_removed_version_whose_row_cannot_be_read_is_done(world, environment, destination):
    environment(VERSION_DELETES="mirror")
    late, newest = world.put("a.txt", b"1"), world.put("a.txt", b"2")
    version = late["detail"]["object"]["version-id"]
    fill(world, "a.txt", version, {"DestObject": destination})
    world.s3.delete_object(Bucket=SOURCE, Key="a.txt", VersionId=version)
    assert world.replicate(newest, late) == []
    assert (world.mirrored("a.txt"), world.dead_letters()) == (b"2", [])
    assert world.row("a.txt", version).keys() == {"Key", "VersionId", "GoneETag", "ExpiresAt"}
