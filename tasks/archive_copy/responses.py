"""The answers to direct events and to S3 Batch Operations."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.archive_copy.archiver import Outcome
from tasks.archive_copy.bucket_map import UnmappedExtensionError
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import ObjectEvent, Unreadable
from tasks.utils.s3_object import printable

# The beginning of the reason of a record without a value, which the answer to a direct event replaces.
RECORD = "the event record "


class CopyRequestError(BucketBrigadeError):
    """A file of a direct event was not copied. The text holds the answer as JSON, for all files of the event."""


def to_direct_event(outcomes: Sequence[Outcome]) -> dict[str, list[dict[str, Any]]]:
    """Return the answer to a direct invocation.

    Returns:
        `{"files": [...]}` in record order. Events that ask for no copy are under `skipped`, if there are any.

    Raises:
        CopyRequestError: a file was not copied.
    """
    answer = {"files": [_file(outcome) for outcome in outcomes if not outcome.skipped]}
    skipped = [_skipped(outcome) for outcome in outcomes if outcome.skipped]
    if skipped:
        answer["skipped"] = skipped
    if any(outcome.error for outcome in outcomes):
        raise CopyRequestError(f"File copy failed. {json.dumps(answer)}")
    return answer


def results(outcomes: Iterable[Outcome]) -> list[Exception | str]:
    """Return the results for S3 Batch Operations: for each outcome its error, or the text for the report."""
    return [outcome.error or str(outcome.destination or outcome.skipped) for outcome in outcomes]


def _file(outcome: Outcome) -> dict[str, Any]:
    return {
        "success": outcome.error is None,
        **_source(outcome),
        "target_bucket": outcome.destination.bucket if outcome.destination else "",
        "err_msg": _err_msg(outcome),
    }


def _err_msg(outcome: Outcome) -> str:
    """Return the text of a failure, which quotes an incomplete map or record: programs compare these texts."""
    event, error = outcome.event, outcome.error
    if isinstance(error, UnmappedExtensionError):
        return printable(f"bucket_map: {error.buckets} {error.lacks}")
    if isinstance(event, Unreadable) and event.reason.startswith(RECORD):
        return printable(f'event record: "{event.record}" {event.reason.removeprefix(RECORD)}')
    return str(error) if error else ""


def _skipped(outcome: Outcome) -> dict[str, Any]:
    return {**_source(outcome), "reason": outcome.skipped}


def _source(outcome: Outcome) -> dict[str, str]:
    source = outcome.event.object if isinstance(outcome.event, ObjectEvent) else None
    return {"source_bucket": source.bucket if source else "", "source_key": source.key if source else ""}
