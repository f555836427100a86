"""The errors of requests to S3.

BucketBrigadeError                           see `tasks.utils.errors`
└── ObjectClerkException                     a request to S3 failed for good
    ├── ObjectClerkServerInternalException   500, 503, SlowDown, a lost connection, a time-out  (retryable)
    ├── ObjectClerkServerAuthException       401 and 403: wrong credentials or permissions       (transient)
    │   └── CredentialsExpiredException      they were valid until now: new ones may pass        (transient)
    ├── ObjectNotFoundException              no such object: either of the next two
    │   ├── BucketNotFoundException          no such bucket                                      (transient)
    │   └── KeyNotFoundException             no such key, version, annotation or upload
    │       └── SourceReplacedException      another object has replaced the one that was asked for
    ├── ObjectArchivedException              the object is in an archive class and is not restored
    ├── ObjectChangedException               another writer changed it meanwhile                 (transient)
    ├── DeadlineException                    the deadline is near; also an UnfinishedError       (transient)
    │   └── NotBegunException                no time was left to begin a request                 (transient)
    ├── ObjectVerificationException          the bytes are not what they should be               (retryable)
    ├── ObjectSaveException                  the object cannot be written as asked
    └── ConditionNotSupportedException       the server does not know this conditional request
"""

from __future__ import annotations

from typing import TypedDict

from tasks.utils.errors import BucketBrigadeError, UnfinishedError
from tasks.utils.s3_object import S3Object, printable

Place = S3Object | str | None


class Places(TypedDict, total=False):
    """The keyword arguments of an error that name its operation and its addresses."""

    operation: str
    source: Place
    destination: Place


class ObjectClerkException(BucketBrigadeError):
    """A request to S3 failed.

    Attributes:
        reason: why, in a sentence.
        operation: boto3's name of the method, or words.
        source: the address read from, or None.
        destination: the address written to, or None.
        code: S3's error code (`SlowDown`), or the name of the connection error, or "".
        attempts: the number of attempts in all.
        answer_lost: the server may have carried out the request, or may yet do so: its answer did not arrive, or says
            only that something failed within the server.
    """

    answer_lost = False

    def __init__(
        self, reason: str, *, operation: str = "", source: Place = None, destination: Place = None, code: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.operation = operation
        self.source = source
        self.destination = destination
        self.code = code
        self.attempts = 1

    @property
    def places(self) -> Places:
        """The operation and the addresses, as keyword arguments of another error."""
        return {"operation": self.operation, "source": self.source, "destination": self.destination}

    def __str__(self) -> str:
        places = [str(place) for place in (self.source, self.destination) if place]
        what = " ".join([self.operation] + [" -> ".join(places)] * bool(places)).strip()
        tries = f" (tried {self.attempts} times)" if self.attempts > 1 else ""
        return printable(f"{what}: {self.reason}{tries}" if what else f"{self.reason}{tries}")


class ObjectClerkServerInternalException(ObjectClerkException):
    """The server or the connection to it failed: 500, 503, SlowDown, 429, a reset, a time-out."""

    retryable = True


class ObjectClerkServerAuthException(ObjectClerkException):
    """401 or 403: the credentials are wrong or do not allow this, until a person changes that."""

    transient = True


class CredentialsExpiredException(ObjectClerkServerAuthException):
    """The session token has expired. Another container, or a role that is assumed again, has a new one."""


class ObjectNotFoundException(ObjectClerkException):
    """There is no such object, because the bucket or the key does not exist."""


class BucketNotFoundException(ObjectNotFoundException):
    """There is no such bucket. An operator may create it, or create it again."""

    transient = True


class KeyNotFoundException(ObjectNotFoundException):
    """The bucket has no such key, version, annotation or multipart upload."""


class SourceReplacedException(KeyNotFoundException):
    """The source is no longer the object that was asked for: another object has replaced it."""


class ObjectArchivedException(ObjectClerkException):
    """The object is in an archive storage class and is not restored, or its restored copy has expired."""


class ObjectChangedException(ObjectClerkException):
    """A condition of the request does not hold: the object is no longer what was observed."""

    transient = True


class DeadlineException(UnfinishedError, ObjectClerkException):
    """The deadline is near. The work stopped cleanly and can start again."""


class NotBegunException(DeadlineException):
    """A request, or a copy, was not begun, because the work before it took the time."""

    stalled = False


class ObjectVerificationException(ObjectClerkException):
    """The bytes written or read do not have the checksum, or the size, that they should have."""

    retryable = True


class ObjectSaveException(ObjectClerkException):
    """The object cannot be written as asked: nothing to write, too large, too many tags, a bad name."""


class ConditionNotSupportedException(ObjectClerkException):
    """501: this server or partition does not know the conditional form of this request."""
