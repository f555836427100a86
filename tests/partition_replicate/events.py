"""Events as EventBridge sends them, and batches of the FIFO queue, built from the real ones in tests/events."""

import copy
import itertools

from tasks.utils.events import object_events
from tasks.utils.key_messages import group_of, to_body
from tasks.utils.s3_object import S3Object
from tests.support.events import load

# Grows as S3's own does, from one event of a key to the next.
_sequence = itertools.count(0x617F08299329D189)

SEQUENCED = ("Object Created", "Object Deleted", "Object Annotation Created", "Object Annotation Removed")


def event_of(  # pylint: disable=too-many-arguments  # the fields of an event
    bucket, key, name, *, size=None, etag=None, version_id=None, reason=None
):
    event = copy.deepcopy(load("eventbridge_deleted"))
    number = next(_sequence)
    event |= {"id": f"event-{number}", "detail-type": name}
    about = {"key": key, "size": size, "etag": etag, "version-id": version_id}
    about["sequencer"] = f"{number:018X}" if name in SEQUENCED else None
    detail = event["detail"]
    del detail["deletion-type"], detail["reason"]
    detail["bucket"]["name"] = bucket
    detail["object"] = {name: value for name, value in about.items() if value is not None}
    if reason:
        detail["reason"] = reason
    return event


def sqs_batch(*events, receives=1):
    """A batch of the FIFO queue; message n has the id `message-n`."""
    template = load("sqs_s3_restore_completed")["Records"][0]
    records = []
    for number, event in enumerate(events):
        record = copy.deepcopy(template)
        record["messageId"] = f"message-{number}"
        record["body"] = event if isinstance(event, str) else to_body(object_events(event)[0])
        group = "unreadable" if isinstance(event, str) else group_of(_address(event))
        record["attributes"] |= {"MessageGroupId": group, "ApproximateReceiveCount": str(receives)}
        records.append(record)
    return {"Records": records}


def _address(event):
    return S3Object(event["detail"]["bucket"]["name"], event["detail"]["object"]["key"])
