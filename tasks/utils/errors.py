"""The errors of this project, each of which says whether another try can help.

    BucketBrigadeError
    ├── SettingsError          a setting is missing or wrong: nothing ran
    ├── EventError             an event, a record or a message cannot be read
    ├── DeferredError          a message had no turn, for a failure before it or for time              (transient)
    ├── StalledError           several invocations in a row ended before any part of it was done
    ├── UnfinishedError        the invocation's time is nearly over; the work goes on in another one   (transient)
    └── ObjectClerkException   a request to S3 failed: see `tasks.object_clerk.errors`

`retryable` says that the same request, made again, may pass: `retry.RetryPolicy` goes by it. `transient` says that
the same event, handled again later, may pass: it decides between "return the message" and "dead-letter it at once".
A retryable error is transient too, and so is one that a person can fix: a permission, a key, a bucket.
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


class UnfinishedError(BucketBrigadeError):
    """The time that Lambda gives is nearly over; the work stopped cleanly and can start again.

    Attributes:
        stalled: whether the work had most of an invocation for itself. Otherwise other work took the time.
    """

    transient = True
    stalled = True
