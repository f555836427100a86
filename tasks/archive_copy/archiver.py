"""Copies the object of an event to its archive bucket, and returns the outcome."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tasks.archive_copy.older_versions import REFUSE, refuse_older
from tasks.archive_copy.settings import Settings
from tasks.object_clerk.copies import Copied, copy_object
from tasks.object_clerk.errors import NotBegunException, ObjectArchivedException
from tasks.object_clerk.pacer import Pacer
from tasks.object_clerk.part_copies import CopyLimits
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.deadline import Deadline, Durations
from tasks.utils.errors import BucketBrigadeError, EventError
from tasks.utils.events import Kind, ObjectEvent, Unreadable, check_source
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The answer to an event that asks for no copy.
NOTHING_TO_DO = {
    Kind.RESTORE_STARTED: "not yet: the restore has begun, and ObjectRestore:Completed will report its end",
    Kind.RESTORE_EXPIRED: "nothing to do: the restored copy has expired",
    Kind.REMOVED: "nothing to do: the object was removed",
    Kind.LIFECYCLE_EXPIRED: "nothing to do: the object has expired",
    Kind.TAGGED: "nothing to do: only the tags changed",
    Kind.ANNOTATED: "nothing to do: only the annotations changed",
    Kind.OTHER: "nothing to do: this event asks for no copy",
}

# A backfill names all objects of the source, most of which may be archived.
NOT_RESTORED = "nothing to do: the object is archived and not restored"


@dataclass(frozen=True)
class Outcome:
    """The outcome of an event.

    Attributes:
        event: the event, or the `Unreadable` in its place.
        destination: the address of the copy, or None if it is not known.
        copied: the result of the copy, or None.
        error: why the object was not copied, or None.
        skipped: why there was nothing to copy, or "".
        seconds: how long it took.
    """

    event: ObjectEvent | Unreadable
    destination: S3Object | None = None
    copied: Copied | None = None
    error: BucketBrigadeError | None = None
    skipped: str = ""
    seconds: float = 0.0

    @property
    def attempts(self) -> int:
        """The number of attempts to copy the object."""
        attempts: int = self.copied.attempts if self.copied else getattr(self.error, "attempts", 0)
        return attempts


@dataclass(frozen=True)
class Archiver:
    """Archives the objects of events.

    Attributes:
        s3: a client of `versions.in_order` that may read the source and write the archives.
        settings: the settings of the deployment.
        policy: how often a copy is tried.
        limits: the size above which an object is copied in parts.
        pacer: paces all requests.
    """

    s3: S3Client
    settings: Settings
    policy: RetryPolicy
    limits: CopyLimits = CopyLimits()
    pacer: Pacer = field(default_factory=Pacer)

    def archive(self, event: ObjectEvent | Unreadable, *, deadline: Deadline, durations: Durations) -> Outcome:
        """Copy the object of an event to the archive of its extension, under its own key.

        Args:
            event: the event.
            deadline: the deadline of the invocation.
            durations: the durations of its copies. No copy begins that is not expected to end by the deadline.

        Returns:
            The outcome. An error that this project raises on purpose is in its `error`.
        """
        started = time.monotonic()
        try:
            checked = self._check_source(event)
        except EventError as error:
            return Outcome(event, error=error)
        if checked.kind in NOTHING_TO_DO:
            return Outcome(event, skipped=NOTHING_TO_DO[checked.kind])
        destination, copied, failure = None, None, None
        try:
            destination = S3Object(self.settings.bucket_map.bucket_for(checked.object.key), checked.object.key)
            copied = self._copy(checked, destination, deadline, durations)
        except BucketBrigadeError as error:
            if checked.kind is Kind.REQUESTED and isinstance(error, ObjectArchivedException):
                return Outcome(event, skipped=NOT_RESTORED)
            failure = error
        seconds = time.monotonic() - started
        durations.add(seconds, size=_size(checked))
        return Outcome(event, destination, copied, failure, seconds=seconds)

    def _check_source(self, event: ObjectEvent | Unreadable) -> ObjectEvent:
        # The function's role reads the archives too, and a message may name any bucket.
        checked = check_source(event, self.settings.source_bucket)
        if checked.object.bucket in self.settings.bucket_map.archives:
            raise EventError(f"{checked.object} is in an archive: objects are copied to archives, not from them")
        return checked

    def _copy(self, event: ObjectEvent, destination: S3Object, deadline: Deadline, durations: Durations) -> Copied:
        if not durations.fits(deadline, size=_size(event)):
            reason = "no time was left to begin"
            raise NotBegunException(reason, operation="copy_object", source=event.object, destination=destination)
        requests = S3Requests(self.s3, self.policy, deadline, pacer=self.pacer)
        check = None
        if self.settings.copying.older_versions == REFUSE:
            check = partial(refuse_older, requests, event.object, destination)
        return copy_object(
            requests,
            event.object,
            destination,
            etag=event.etag,
            size=event.size,
            storage_class=self.settings.bucket_map.storage_class_for(event.object.key),
            limits=self.limits,
            annotations=self.settings.copying.annotations,
            before_change=check,
        )


def _size(event: ObjectEvent) -> float:
    # An object of unknown size counts as the largest.
    return float("inf") if event.size is None else event.size


def first_failure(outcomes: Iterable[Outcome]) -> BucketBrigadeError | None:
    """Return the error that decides how a message with these outcomes ends, or None if all of them are good.

    A transient error comes first, so that the message gets another try.
    """
    errors = [outcome.error for outcome in outcomes if outcome.error]
    return min(errors, key=lambda error: not error.transient, default=None)
