"""Replicates one key: every version of it or only the newest state, whichever the buckets and the settings ask for."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.object_clerk.annotations import CARRY, IGNORE
from tasks.object_clerk.pacer import Pacer
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate.current import Current
from tasks.partition_replicate.history import History
from tasks.partition_replicate.notes import Notes
from tasks.partition_replicate.outcome import Action, Outcome
from tasks.partition_replicate.settings import KEEP, MIRROR
from tasks.partition_replicate.table import Table
from tasks.partition_replicate.versions import Versioning
from tasks.partition_replicate.writer import Writer
from tasks.utils.events import Kind
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

# The requests that a key's state depends on, or that leave an upload open. A part that arrives late is of an upload
# that has it already.
DECISIVE = frozenset(
    {
        "abort_multipart_upload",
        "complete_multipart_upload",
        "create_multipart_upload",
        "delete_object",
        "delete_object_annotation",
        "put_object",
        "put_object_annotation",
        "put_object_tagging",
    }
)

IGNORED = {
    Kind.RESTORE_STARTED: "a restore changes no object",
    Kind.RESTORED: "a restore changes no object",
    Kind.RESTORE_EXPIRED: "a restore changes no object",
    Kind.OTHER: "this event asks for no replication",
}


@dataclass(frozen=True)
class Replicator:  # pylint: disable=too-many-instance-attributes  # one for each setting that it goes by
    """Replicates one key after the other.

    Attributes:
        source: a boto3 S3 client that may read the source.
        table: a `Table`.
        bucket: the destination's bucket.
        limits: a `StreamLimits`.
        policy: how often a request is tried.
        versioning: a `Versioning`, which knows whether every version is mirrored.
        kms_key: the key that encrypts what is written, or "".
        deletes: what a removal at the source does: `mirror` or `keep`.
        version_deletes: what the removal of a version for good does: `mirror` or `keep`.
        annotations: `carry` or `ignore`.
        reading_pacer: the `Pacer` of all requests to the source.
        writing_pacer: that of all requests to the destination.
    """

    source: Any
    table: Table
    bucket: str
    limits: StreamLimits
    policy: RetryPolicy
    versioning: Versioning
    kms_key: str = ""
    deletes: str = MIRROR
    version_deletes: str = KEEP
    annotations: str = CARRY
    reading_pacer: Pacer = field(default_factory=Pacer)
    writing_pacer: Pacer = field(default_factory=Pacer)

    def replicate(self, event, *, destination, deadline, unanswered):
        """Makes the destination equal to the source for the key of one event.

        Args:
            event: an `ObjectEvent`.
            destination: a boto3 S3 client that may read and write the destination.
            deadline: the `Deadline` of the invocation.
            unanswered: a list that gets the name of each write whose answer was lost, also where an error is raised. A
                server may still hold such a request, so the key has to be looked at again later.

        Returns:
            An `Outcome`.

        Raises:
            Unfinished: time ran out; another message about the key goes on where this one stopped.
            ObjectClerkException: S3 refuses something, or others kept writing to the destination.
            TableError: the table did not answer.
            VersionsNotKept: the settings ask for every version, and a bucket keeps none.
        """
        started = time.monotonic()
        if event.kind in IGNORED:
            return Outcome(event, Action.NOTHING, reason=IGNORED[event.kind])
        if event.kind is Kind.ANNOTATED and self.annotations == IGNORE:
            return Outcome(event, Action.NOTHING, reason="annotations are not mirrored")
        reading = S3Requests(self.source, self.policy, deadline, pacer=self.reading_pacer)
        writing = S3Requests(destination, self.policy, deadline, pacer=self.writing_pacer)
        notes = Notes(replace(self.table, deadline=deadline), event)
        writer = Writer(
            reading,
            writing,
            S3Object(self.bucket, event.object.key),
            notes,
            self.limits,
            self.kms_key,
            self.annotations,
        )
        if self.versioning.is_kept(reading, event.object.bucket, writing, self.bucket):
            work = History(event, notes, writer, self.deletes, self.version_deletes)
        else:
            work = Current(event, notes, writer, self.deletes)
        try:
            outcome = work.run()
            if event.kind is Kind.RECHECK:
                writer.abort_unnamed_uploads()
        finally:
            unanswered += [operation for operation in writing.unanswered if operation in DECISIVE]
        attempts = 1 + reading.retries + writing.retries
        return replace(outcome, attempts=attempts, seconds=time.monotonic() - started)
