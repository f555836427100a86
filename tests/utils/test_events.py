import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.utils.errors import EventError
from tasks.utils.events import (
    Kind,
    ObjectEvent,
    Unreadable,
    decode_json,
    is_batch_operations,
    is_queue_event,
    object_events,
)
from tasks.utils.s3_object import S3Object
from tests.support.events import load, s3_event, s3_record, sqs_event
from tests.support.keys import keys

EVENING = datetime(2026, 6, 17, 18, 54, 6, tzinfo=UTC)


def test_s3_notification_gives_all_its_fields():
    (event,) = object_events(load("s3_restore_completed"))
    assert event == ObjectEvent(
        kind=Kind.RESTORED,
        name="ObjectRestore:Completed",
        object=S3Object("restored-objects", "granules/A2026168.hdf", "096fKKXTRTtl3on89fVO.nfljtsv6qko"),
        size=645,
        etag="d41d8cd98f00b204e9800998ecf8427e",
        time=EVENING.replace(microsecond=686000),
        sequencer="0055AED6DCD90281E5",
    )


def test_notification_in_sqs_gives_the_decoded_key():
    (event,) = object_events(load("sqs_s3_restore_completed"))
    assert event.object == S3Object("restored-objects", "granules/A B.hdf")


def test_notification_in_sns_gives_the_decoded_key():
    (event,) = object_events(load("sns_s3_created"))
    assert (event.kind, event.object) == (Kind.CREATED, S3Object("uploads", "café/a+b c.txt"))


def test_notification_in_sns_in_sqs_is_unpacked_twice():
    notification = load("sns_s3_created")["Records"][0]["Sns"]
    (event,) = object_events(sqs_event(notification))
    assert event.object == S3Object("uploads", "café/a+b c.txt")


def test_eventbridge_event_gives_the_key_unchanged():
    (event,) = object_events(load("eventbridge_restore_completed"))
    assert event == ObjectEvent(
        kind=Kind.RESTORED,
        name="Object Restore Completed",
        object=S3Object("restored-objects", "granules/a+b c.hdf", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"),
        size=645,
        etag="b1946ac92492d2347c6235b4d2611184",
        time=EVENING,
    )


def test_eventbridge_event_in_sqs_is_unpacked():
    (event,) = object_events(sqs_event(load("eventbridge_deleted")))
    assert (event.kind, event.sequencer) == (Kind.REMOVED, "00617F08299329D189")


def test_eventbridge_deletion_by_a_life_cycle_has_a_kind_of_its_own():
    deleted = load("eventbridge_deleted")
    deleted["detail"]["reason"] = "Lifecycle Expiration"
    assert object_events(deleted)[0].kind is Kind.LIFECYCLE_EXPIRED


def test_eventbridge_event_that_aws_did_not_send_is_unreadable():
    forged = {**load("eventbridge_restore_completed"), "source": "my.app"}
    (found,) = object_events(forged)
    assert found.reason == 'an EventBridge event of S3 has the source "aws.s3", this one has another or none'


@pytest.mark.parametrize(
    "name, kind",
    [
        ("ObjectCreated:Put", Kind.CREATED),
        ("s3:ObjectCreated:CompleteMultipartUpload", Kind.CREATED),
        ("ObjectRemoved:DeleteMarkerCreated", Kind.REMOVED),
        ("ObjectRestore:Post", Kind.RESTORE_STARTED),
        ("ObjectRestore:Completed", Kind.RESTORED),
        ("ObjectRestore:Delete", Kind.RESTORE_EXPIRED),
        ("ObjectTagging:Delete", Kind.TAGGED),
        ("LifecycleExpiration:DeleteMarkerCreated", Kind.LIFECYCLE_EXPIRED),
        ("ObjectAcl:Put", Kind.OTHER),
        ("", Kind.UNNAMED),
        (None, Kind.UNNAMED),
        (7, Kind.UNNAMED),
    ],
)
def test_name_of_a_notification_gives_its_kind(name, kind):
    assert object_events(s3_event(s3_record("bucket", "key", name=name)))[0].kind is kind


@pytest.mark.parametrize("schema, version", [("1_0", None), ("2_0", "1")])
def test_batch_operations_give_bucket_key_and_version(schema, version):
    event = load(f"batch_operations_{schema}")
    (found,) = object_events(event)
    key = "granules/a.hdf" if version else "granules/a+b c.hdf"
    assert found.object == S3Object("restored-objects", key, version)
    assert found.kind is Kind.REQUESTED
    assert is_batch_operations(event)


def test_test_event_holds_no_event():
    assert not object_events(load("s3_test_event"))
    assert not object_events(sqs_event(load("s3_test_event")))


def test_events_are_in_the_order_of_their_records():
    event = s3_event(*(s3_record("bucket", str(number)) for number in range(20)))
    assert [found.object.key for found in object_events(event)] == [str(number) for number in range(20)]


def without(*path):
    record = s3_record("bucket", "key")
    place = record
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return record


@pytest.mark.parametrize(
    "record, missing",
    [
        (without("s3", "object", "key"), 'Records["s3"]["object"]["key"]'),
        (without("s3", "object"), 'Records["s3"]["object"]["key"]'),
        (without("s3", "bucket", "name"), 'Records["s3"]["bucket"]["name"]'),
        (without("s3", "bucket"), 'Records["s3"]["bucket"]["name"]'),
        (without("s3"), 'Records["s3"]["bucket"]["name"]'),
        (s3_record("", "key"), 'Records["s3"]["bucket"]["name"]'),
        (s3_record("bucket", ""), 'Records["s3"]["object"]["key"]'),
        ("text", 'Records["s3"]["bucket"]["name"]'),
        (None, 'Records["s3"]["bucket"]["name"]'),
    ],
)
def test_record_without_its_bucket_or_key_says_which(record, missing):
    (found,) = object_events(s3_event(record))
    assert found.reason == f"the event record does not contain a value for {missing}"
    assert found.record == record


@pytest.mark.parametrize(
    "event",
    [
        ["marker"],
        {"marker": 1},
        {"Records": {"marker": 1}},
        {"Records": [{"marker": 1}, "marker", ["marker"]]},
        {"Records": [s3_record("marker\ud800", "key")]},
        {"detail-type": "Object Created", "source": {"marker": 1}},
        {"detail-type": "Object Created", "source": "aws.s3", "detail": {"marker": 1}},
        {"invocationId": "i", "tasks": [{"marker": 1}, {"s3Bucket": "marker"}]},
        {"invocationId": "i", "tasks": "marker"},
    ],
)
def test_reason_is_a_sentence_that_quotes_nothing_of_the_record(event):
    reasons = [found.reason for found in object_events(event)]
    assert reasons
    for reason in reasons:
        assert "marker" not in reason and "{" not in reason
        assert len(reason.split()) > 4


@pytest.mark.parametrize("path", [("bucket", "name"), ("object", "key")])
def test_eventbridge_event_without_its_bucket_or_key_says_which(path):
    event = load("eventbridge_restore_completed")
    del event["detail"][path[0]][path[1]]
    (found,) = object_events(event)
    assert found.reason.endswith(f'does not contain a value for ["detail"]["{path[0]}"]["{path[1]}"]')


def test_task_without_a_bucket_or_key_is_unreadable_in_its_place():
    event = load("batch_operations_2_0")
    event["tasks"] += [{"taskId": "a", "s3Key": "key"}, {"taskId": "b", "s3Bucket": "bucket"}, "text"]
    assert [isinstance(found, Unreadable) for found in object_events(event)] == [False, True, True, True]


@pytest.mark.parametrize("key", ["%FF", "%C3", "a%ED%A0%80"])
def test_key_that_is_not_utf_8_is_unreadable(key):
    record = s3_record("bucket", "x")
    record["s3"]["object"]["key"] = key
    (found,) = object_events(s3_event(record))
    assert found.reason == f"the key {key!r} is not URL-encoded UTF-8"


def test_one_unreadable_record_does_not_hide_the_others():
    event = s3_event(s3_record("bucket", "a"), {"s3": {}}, s3_record("bucket", "b"))
    assert [isinstance(found, Unreadable) for found in object_events(event)] == [False, True, False]


@pytest.mark.parametrize("value", ["645", -1, True, None, 1.5])
def test_invalid_size_is_unknown(value):
    assert object_events(s3_event(s3_record("bucket", "key", size=value)))[0].size is None


@pytest.mark.parametrize("value", ["yesterday", "", None, 7])
def test_invalid_time_is_unknown(value):
    record = s3_record("bucket", "key")
    record["eventTime"] = value
    assert object_events(s3_event(record))[0].time is None


def test_batch_of_sqs_differs_from_every_other_event():
    assert is_queue_event(load("sqs_s3_restore_completed"))
    others = ["s3_restore_completed", "sns_s3_created", "eventbridge_deleted", "batch_operations_1_0", "s3_test_event"]
    assert not any(is_queue_event(load(name)) for name in others)
    damaged = (None, [], {}, {"Records": []}, {"Records": "x"}, {"Records": [1]})
    assert not any(is_queue_event(event) for event in damaged)


@pytest.mark.parametrize("text", ["", "{", None, 7, "[" * 100_000])
def test_message_that_is_not_json_says_so(text):
    with pytest.raises(EventError, match="the message is not JSON"):
        decode_json(text)


ENVELOPES = {
    "s3": lambda key: s3_event(s3_record("bucket", key)),
    "sqs": lambda key: sqs_event(s3_event(s3_record("bucket", key))),
    "sns in sqs": lambda key: sqs_event(
        {"Type": "Notification", "Message": json.dumps(s3_event(s3_record("bucket", key)))}
    ),
}


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
@given(key=keys())
def test_key_is_the_same_after_every_envelope(envelope, key):
    (event,) = object_events(envelope(key))
    assert event.object == S3Object("bucket", key)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(event=json_values)
def test_any_json_at_all_gives_a_list(event):
    assert all(isinstance(found, (ObjectEvent, Unreadable)) for found in object_events(event))


@given(data=st.data())
def test_any_damage_to_a_real_event_gives_a_list(data):
    names = [
        "s3_restore_completed",
        "sqs_s3_restore_completed",
        "sns_s3_created",
        "eventbridge_deleted",
        "batch_operations_1_0",
        "batch_operations_2_0",
        "s3_test_event",
    ]
    event = copy.deepcopy(load(data.draw(st.sampled_from(names))))
    damaged = damage(event, data)
    assert all(isinstance(found, (ObjectEvent, Unreadable)) for found in object_events(damaged))


def damage(value, data):
    """Replace a value anywhere in the tree by any other value."""
    if isinstance(value, (dict, list)) and value and data.draw(st.integers(0, 9)):
        place = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        value[place] = damage(value[place], data)
        return value
    return data.draw(json_values)
