"""The answers to direct events and to S3 Batch Operations."""

import json

from tasks.utils.errors import BucketBrigadeError
from tasks.utils.events import ObjectEvent


class CopyRequestError(BucketBrigadeError):
    """Some file of a direct event was not copied. The text holds the answer as JSON, for every file of the event."""


def to_direct_event(outcomes):
    """Returns the answer to an event that Lambda was invoked with directly.

    Returns:
        `{"files": [...]}` in record order; events that asked for no copy stand under `skipped`, if there are any.

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


def _file(outcome):
    source = outcome.event.object if isinstance(outcome.event, ObjectEvent) else None
    return {
        "success": outcome.error is None,
        "source_bucket": source.bucket if source else "",
        "source_key": source.key if source else "",
        "target_bucket": outcome.destination.bucket if outcome.destination else "",
        "err_msg": str(outcome.error) if outcome.error else "",
    }


def _skipped(outcome):
    source = outcome.event.object
    return {"source_bucket": source.bucket, "source_key": source.key, "reason": outcome.skipped}


def results(outcomes):
    """Return the results for S3 Batch Operations: for each outcome its error, or the text for the report."""
    return [outcome.error or str(outcome.destination or outcome.skipped) for outcome in outcomes]
