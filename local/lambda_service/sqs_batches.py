"""Batches of messages: the records that a function gets, and the failures that it reports.

See https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any

from moto.awslambda.models import EventSourceMapping
from moto.events.models import EventPattern
from moto.sqs.models import Message


def sqs_record(message: Message, mapping: EventSourceMapping) -> dict[str, Any]:
    """Return the record of a message in the event of a function."""
    attributes = {
        "ApproximateReceiveCount": message.approximate_receive_count,
        "SentTimestamp": message.sent_timestamp,
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": message.approximate_first_receive_timestamp,
        "SequenceNumber": message.sequence_number,
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
        "AWSTraceHeader": message.system_attributes.get("AWSTraceHeader", {}).get("StringValue"),
    }
    record = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {name: str(value) for name, value in attributes.items() if value is not None},
        "messageAttributes": {name: _message_attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.event_source_arn,
        "awsRegion": mapping.region,
    }
    if message.message_attributes:
        record["md5OfMessageAttributes"] = message.attribute_md5
    return record


def trace_of(record: dict[str, Any]) -> str | None:
    """Return the trace header of a message, if any."""
    attributes: dict[str, str] = record["attributes"]
    return attributes.get("AWSTraceHeader")


def _message_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    lower: dict[str, Any] = {name[0].lower() + name[1:]: value for name, value in attribute.items()}
    if isinstance(lower.get("binaryValue"), bytes):
        lower["binaryValue"] = base64.b64encode(lower["binaryValue"]).decode()
    return {**lower, "stringListValues": [], "binaryListValues": []}


def matches_filter(record: dict[str, Any], criteria: dict[str, Any] | None) -> bool:
    """Return whether a record matches any pattern of a mapping's filter, or the mapping has none."""
    patterns = [json.loads(entry["Pattern"]) for entry in (criteria or {}).get("Filters") or []]
    try:
        body = json.loads(record["body"])
    except ValueError:
        body = record["body"]
    parsed: Any = {**record, "body": body}
    matches = [EventPattern(None, pattern).matches_event(parsed) for pattern in patterns]
    return any(matches) or not matches


def reported_failures(payload: bytes, message_ids: Collection[str]) -> Collection[str]:
    """Return the ids of the failed messages from the answer of a function that reports them.

    An empty answer and one without failures mean success; an invalid answer means that all messages failed.
    See https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    try:
        answer = json.loads(payload)
        failures = None if answer is None else answer.get("batchItemFailures")
        reported = [failure["itemIdentifier"] for failure in ([] if failures is None else failures)]
        is_valid = failures is None or isinstance(failures, list) and set(reported) <= set(message_ids)
        return reported if is_valid else message_ids
    except (ValueError, AttributeError, TypeError, KeyError):
        return message_ids
