"""Replicates one key: every version of it or only the newest state, as the buckets and the settings ask."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from tasks.object_clerk.annotations import IGNORE
from tasks.object_clerk.pacer import Pacer
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.streams import StreamLimits
from tasks.partition_replicate.outcome import Action, Outcome
from tasks.partition_replicate.reconcile.loop import reconcile
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.reconcile.tools import Sides, Tools
from tasks.partition_replicate.table import Table
from tasks.partition_replicate.versions import Versioning
from tasks.utils.deadline import Deadline
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The requests on which a key's state depends, or which leave an upload open. A part that arrives late is of an upload
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


class Mirror(NamedTuple):
    """Where objects are mirrored to.

    Attributes:
        bucket: the destination's bucket.
        kms_key: the key that encrypts what is written, or "".
    """

    bucket: str
    kms_key: str = ""


@dataclass(frozen=True)
class Pace:
    """How requests are repeated and slowed down, for all keys of a container.

    Attributes:
        retries: how often and how patiently a request to S3 is repeated.
        reading: the pacer of all requests to the source.
        writing: the pacer of all requests to the destination.
    """

    retries: RetryPolicy
    reading: Pacer = field(default_factory=Pacer)
    writing: Pacer = field(default_factory=Pacer)


@dataclass(frozen=True)
class Replicator:
    """Replicates one key after the other.

    Attributes:
        source: a boto3 S3 client that may read the source.
        table: the rows of the deployment.
        mirror: where objects are mirrored to.
        limits: how objects are cut, and how much of them is on its way.
        pace: how requests are repeated and slowed down.
        versioning: whether every version is mirrored.
        policy: what else the settings ask for.
    """

    source: S3Client
    table: Table
    mirror: Mirror
    limits: StreamLimits
    pace: Pace
    versioning: Versioning
    policy: Policy = Policy()

    def replicate(
        self, event: ObjectEvent, *, destination: S3Client, deadline: Deadline, unanswered: list[str]
    ) -> Outcome:
        """Make the destination equal to the source for the key of one event.

        Args:
            event: what happened.
            destination: a boto3 S3 client that may read and write the destination.
            deadline: the deadline of the invocation.
            unanswered: gets the name of each write whose answer was lost, also if an error is raised. A server may
                still hold such a request, so the key has to be rechecked.

        Raises:
            Unfinished: time ran out; another message about the key goes on.
            ObjectClerkException: S3 refuses something, or others kept writing to the destination.
            TableError: the table did not answer.
            VersionsNotKept: the settings ask for every version, and a bucket keeps none.
        """
        started = time.monotonic()
        reason = self._reason_to_ignore(event)
        if reason:
            return Outcome(event, Action.NOTHING, reason=reason)
        reading = S3Requests(self.source, self.pace.retries, deadline, pacer=self.pace.reading)
        writing = S3Requests(destination, self.pace.retries, deadline, pacer=self.pace.writing)
        try:
            outcome = reconcile(event, self._policy(event, reading, writing), self._tools(event, reading, writing))
        finally:
            unanswered += [operation for operation in writing.unanswered if operation in DECISIVE]
        attempts = 1 + reading.retries + writing.retries
        return replace(outcome, effort=outcome.effort._replace(attempts=attempts, seconds=time.monotonic() - started))

    def _reason_to_ignore(self, event: ObjectEvent) -> str:
        if event.kind is Kind.ANNOTATED and self.policy.annotations == IGNORE:
            return "annotations are not mirrored"
        return IGNORED.get(event.kind, "")

    def _policy(self, event: ObjectEvent, reading: S3Requests, writing: S3Requests) -> Policy:
        every_version = self.versioning.is_kept(reading, event.object.bucket, writing, self.mirror.bucket)
        return self.policy._replace(every_version=every_version)

    def _tools(self, event: ObjectEvent, reading: S3Requests, writing: S3Requests) -> Tools:
        sides = Sides(
            reading,
            writing,
            S3Object(event.object.bucket, event.object.key),
            S3Object(self.mirror.bucket, event.object.key),
            self.limits,
            self.mirror.kms_key,
        )
        return Tools(sides, replace(self.table, deadline=writing.deadline))
