"""The answers to direct events and to S3 Batch Operations."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.archive_copy.archiver import Outcome
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import ObjectEvent


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
        "err_msg": str(outcome.error) if outcome.error else "",
    }


def _skipped(outcome: Outcome) -> dict[str, Any]:
    return {**_source(outcome), "reason": outcome.skipped}


def _source(outcome: Outcome) -> dict[str, str]:
    source = outcome.event.object if isinstance(outcome.event, ObjectEvent) else None
    return {"source_bucket": source.bucket if source else "", "source_key": source.key if source else ""}
