"""The errors of this project, each of which knows whether another try can help.

    BucketBrigadeError
    ├── SettingsError                            a setting is missing or wrong: nothing ran
    ├── EventError                               an event, a record or a message cannot be read
    ├── DeferredError                            its turn did not come, for a failure or for time     (transient)
    ├── StalledError                             one invocation after the other ended before anything of it was done
    └── ObjectClerkException                     a request to S3 failed for good
        ├── ObjectClerkServerInternalException   500, 503, SlowDown, a lost connection, a time-out  (retryable)
        ├── ObjectClerkServerAuthException       401 and 403: who we are, or what we may do          (transient)
        │   └── CredentialsExpiredException      they were good until now: new ones may pass         (transient)
        ├── ObjectNotFoundException              no such key or version
        │   ├── NoSuchBucketException            no such bucket                                      (transient)
        │   └── SourceReplacedException          ... for another object has taken its place
        ├── ObjectArchivedException              the object sleeps in an archive class and is not restored
        ├── ObjectChangedException               somebody else changed it meanwhile: look again      (transient)
        ├── DeadlineException                    Lambda's time is nearly up: to be gone on with       (transient)
        │   └── NotBegunException                no time was left to begin a request                  (transient)
        ├── ObjectVerificationException          what was written or read is not what it should be   (retryable)
        ├── ObjectSaveException                  this can't be written as it was asked for
        └── ConditionNotSupportedException       the server does not know this conditional request

`retryable` says that the same request, made again, may pass: `retry.RetryPolicy` goes by it. `transient` says that
the same event, handled again later, may pass: it decides between "give the message back" and "dead-letter it at once".
What is retryable is transient too, and so is what a person can put right: a permission, a key, a bucket.
"""

from tasks.utils.s3_object import printable


class BucketBrigadeError(Exception):
    """Anything that this project raises on purpose.

    Its text is one line, whatever key or answer it quotes: it is shown on consoles and in plain logs.
    """

    retryable = False
    transient = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.transient = cls.transient or cls.retryable

    def __str__(self):
        return printable(super().__str__())


class SettingsError(BucketBrigadeError):
    """A setting is missing or wrong; the text names every such setting, its shape and an example."""


class EventError(BucketBrigadeError):
    """An event, a record or a queue message cannot be read; another delivery of it will be just as unreadable."""


class DeferredError(BucketBrigadeError):
    """A message did not have its turn: no time was left, or one before it failed and must not be overtaken."""

    transient = True


class StalledError(BucketBrigadeError):
    """Several invocations in a row ended before anything of a message was done: the next one would end so too."""


class ObjectClerkException(BucketBrigadeError):
    """A request to S3 failed.

    Attributes:
        operation: what was being done, in words or as boto3's method name.
        source: the address read from, or None.
        destination: the address written to, or None.
        code: S3's error code (`SlowDown`), or the name of the connection error, or "".
        attempts: how many times it was tried in all.
        answer_lost: the request may have been carried out, or may be yet: its answer did not arrive, or says only that
            something failed within the server.
    """

    answer_lost = False

    def __init__(self, reason, *, operation="", source=None, destination=None, code=""):
        super().__init__(reason)
        self.reason = reason
        self.operation = operation
        self.source = source
        self.destination = destination
        self.code = code
        self.attempts = 1

    def __str__(self):
        places = [str(place) for place in (self.source, self.destination) if place]
        what = " ".join([self.operation] + [" -> ".join(places)] * bool(places)).strip()
        tries = f" (tried {self.attempts} times)" if self.attempts > 1 else ""
        return printable(f"{what}: {self.reason}{tries}" if what else f"{self.reason}{tries}")


class ObjectClerkServerInternalException(ObjectClerkException):
    """The server or the way to it failed: 500, 503, SlowDown, 429, a reset, a time-out."""

    retryable = True


class ObjectClerkServerAuthException(ObjectClerkException):
    """401 or 403: the credentials are wrong or do not allow this, until a person changes that."""

    transient = True


class CredentialsExpiredException(ObjectClerkServerAuthException):
    """The session token has run out; another container, or another assumed role, has new ones."""


class ObjectNotFoundException(ObjectClerkException):
    """There is no such key or version; of a bucket see `NoSuchBucketException`."""


class NoSuchBucketException(ObjectNotFoundException):
    """There is no such bucket, which says nothing about the object: the bucket may be made, or made again."""

    transient = True


class SourceReplacedException(ObjectNotFoundException):
    """The object that was meant is not there any more: another one has taken its place."""


class ObjectArchivedException(ObjectClerkException):
    """The object lies in an archive storage class and has not been restored, or its restored copy has expired."""


class ObjectChangedException(ObjectClerkException):
    """A condition of the request did not hold: the object is no longer what it was when it was looked at."""

    transient = True


class DeadlineException(ObjectClerkException):
    """The time that Lambda gives is nearly used up; the work stopped cleanly and can start again.

    Attributes:
        stalled: whether the work had most of an invocation for itself. Otherwise others had taken the time.
    """

    transient = True
    stalled = True


class NotBegunException(DeadlineException):
    """A request, or a copy, was not begun: the work before it had taken the time."""

    stalled = False


class ObjectVerificationException(ObjectClerkException):
    """The bytes written or read do not have the checksum, or the size, that they should have."""

    retryable = True


class ObjectSaveException(ObjectClerkException):
    """The object cannot be written as asked: nothing to write, too large, too many tags, a bad name."""


class ConditionNotSupportedException(ObjectClerkException):
    """501: this server or partition does not know the conditional form of this request."""
