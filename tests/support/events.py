"""Events as AWS sends them, built from the real ones in tests/events."""

import copy
import json
from pathlib import Path
from urllib.parse import quote_plus

EVENTS = Path(__file__).parent.parent / "events"


def load(name):
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def s3_record(bucket, key, *, name="ObjectRestore:Completed", version_id=None, **about):
    """Return a record of an S3 notification, with the key encoded as by S3."""
    record = copy.deepcopy(load("s3_restore_completed")["Records"][0])
    record["eventName"] = name
    record["s3"]["bucket"]["name"] = bucket
    record["s3"]["object"] = {"key": quote_plus(key, safe="/"), **about}
    if version_id:
        record["s3"]["object"]["versionId"] = version_id
    return record


def s3_event(*records):
    return {"Records": list(records)}


def sqs_event(*bodies, groups=None):
    """Return a batch of SQS messages with the ids `message-0` and so on; a body that is no text becomes JSON."""
    template = load("sqs_s3_restore_completed")["Records"][0]
    records = []
    for number, body in enumerate(bodies):
        record = copy.deepcopy(template)
        record["messageId"] = f"message-{number}"
        record["body"] = body if isinstance(body, str) else json.dumps(body)
        if groups:
            record["attributes"]["MessageGroupId"] = groups[number]
        records.append(record)
    return {"Records": records}


def created_event(bucket, key, **about):
    """Return an event of EventBridge for a new object; `about` are further fields of the object."""
    event = copy.deepcopy(load("eventbridge_deleted"))
    event["detail-type"] = "Object Created"
    detail = event["detail"]
    del detail["deletion-type"]
    detail |= {"reason": "PutObject", "bucket": {"name": bucket}, "object": {"key": key, **about}}
    return event
