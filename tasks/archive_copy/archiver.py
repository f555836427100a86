"""Copies the object of an event to its archive bucket, and says what came of it."""

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tasks.archive_copy.older_versions import REFUSE, refuse_older
from tasks.archive_copy.settings import Settings
from tasks.object_clerk.copies import Copied, CopyLimits, copy_object
from tasks.object_clerk.errors import NotBegunException
from tasks.object_clerk.pacer import Pacer
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.errors import BucketBrigadeError, EventError
from tasks.utils.events import Kind, ObjectEvent, Unreadable, check_source
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

# What an event that asks for no copy means for whoever reads the answer.
NOTHING_TO_DO = {
    Kind.RESTORE_STARTED: "not yet: the restore has begun, and its end will be told by ObjectRestore:Completed",
    Kind.RESTORE_EXPIRED: "nothing to do: the restored copy has expired",
    Kind.REMOVED: "nothing to do: the object was removed",
    Kind.LIFECYCLE_EXPIRED: "nothing to do: the object has expired",
    Kind.TAGGED: "nothing to do: only the tags changed",
    Kind.ANNOTATED: "nothing to do: only the annotations changed",
    Kind.OTHER: "nothing to do: this event asks for no copy",
}


@dataclass(frozen=True)
class Outcome:
    """What came of one event.

    Attributes:
        event: the `ObjectEvent`, or the `Unreadable` that stood in its place.
        destination: where its object belongs, or None where that is not known.
        copied: the `Copied`, or None.
        error: why it was not copied, or None.
        skipped: why there was nothing to copy, or "".
        seconds: how long it took.
    """

    event: ObjectEvent | Unreadable
    destination: S3Object | None = None
    copied: Copied | None = None
    error: Exception | None = None
    skipped: str = ""
    seconds: float = 0.0

    @property
    def attempts(self):
        """How often the copy was tried."""
        if self.copied:
            return self.copied.attempts
        return getattr(self.error, "attempts", 0)


@dataclass(frozen=True)
class Archiver:
    """Archives one object after the other.

    Attributes:
        s3: one of `versions.in_order`'s S3 clients; it may read the source and write the archives.
        settings: the `Settings` of the deployment.
        policy: how often a copy is tried.
        limits: where a copy turns into a copy in parts.
        pacer: the `Pacer` of all requests.
    """

    s3: Any
    settings: Settings
    policy: RetryPolicy
    limits: CopyLimits = CopyLimits()
    pacer: Pacer = field(default_factory=Pacer)

    def archive(self, event, *, deadline, durations):
        """Copies the object of one event to where its extension belongs, under its own key.

        Args:
            event: an `ObjectEvent`; one of another bucket than the source comes back as a failure, and so does an
                `Unreadable`.
            deadline: the `Deadline` of the invocation.
            durations: the `Durations` of its copies: no copy is begun that would not end in time, as far as they tell.

        Returns:
            An `Outcome`; what this project raises on purpose is in its `error` and is not raised.
        """
        started = time.monotonic()
        try:
            self._check_source(event)
        except EventError as error:
            return Outcome(event, error=error)
        if event.kind in NOTHING_TO_DO:
            return Outcome(event, skipped=NOTHING_TO_DO[event.kind])
        destination = None
        try:
            destination = S3Object(self.settings.bucket_map.bucket_for(event.object.key), event.object.key)
            copied, error = self._copy(event, destination, deadline, durations), None
        except BucketBrigadeError as raised:
            copied, error = None, raised
        seconds = time.monotonic() - started
        durations.add(seconds, size=_size(event))
        return Outcome(event, destination, copied, error, seconds=seconds)

    def _check_source(self, event):
        # The function's role reads the archives too, and a message may name any bucket.
        check_source(event, self.settings.source_bucket)
        if event.object.bucket in self.settings.bucket_map.archives:
            raise EventError(f"{event.object} is in an archive: objects are copied to archives, not from them")

    def _copy(self, event, destination, deadline, durations):
        if not durations.fits(deadline, size=_size(event)):
            places = {"operation": "copy_object", "source": event.object, "destination": destination}
            raise NotBegunException("no time was left to begin", **places)
        requests = S3Requests(self.s3, self.policy, deadline, pacer=self.pacer)
        check = None
        if self.settings.older_versions == REFUSE:
            check = partial(refuse_older, requests, event.object, destination)
        return copy_object(
            requests,
            event.object,
            destination,
            etag=event.etag,
            size=event.size,
            storage_class=self.settings.bucket_map.storage_class_for(event.object.key),
            limits=self.limits,
            annotations=self.settings.annotations,
            before_change=check,
        )


def _size(event):
    # One of unknown size is taken for the largest.
    return float("inf") if event.size is None else event.size


def first_failure(outcomes):
    """Returns the error by which a message with these outcomes is judged, or None where all went well.

    One that may pass on another delivery comes before one that cannot: the message is then given another try.
    """
    errors = [outcome.error for outcome in outcomes if outcome.error]
    return min(errors, key=lambda error: not error.transient, default=None)
