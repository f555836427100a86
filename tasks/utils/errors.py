"""The errors of this project. The type of an error says whether another try can help.

    BucketBrigadeError
    ├── SettingsError          a setting is missing or wrong: nothing ran
    ├── EventError             an event, a record or a message cannot be read
    ├── DeferredError          work on a message did not begin: no time was left, or its group failed  (transient)
    ├── StalledError           several invocations in a row ended before any part of a message was done
    ├── UnfinishedError        the time of the invocation is nearly over; another one continues        (transient)
    ├── SecretError            the destination's secret cannot be read, or has another shape           (transient)
    ├── FederationError        STS gives no token, or no credentials of the destination's role for it  (transient)
    │   └── TokenRefused       STS refuses the token itself                                            (transient)
    ├── CredentialsRefused     the destination refuses the credentials, and there are no others        (transient)
    └── ObjectClerkException   a request to S3 failed: see `tasks.object_clerk.errors`

`retryable`: the same request may pass if it is repeated; `retry.RetryPolicy` goes by it.
`transient`: the same event may pass if it is handled later. A transient error returns the message to its queue; any
other error sends it to the dead-letter queue at once. Each retryable error is transient. So is an error that a person
can fix: a permission, an encryption key, a bucket.
"""

from typing import Any

from tasks.utils.s3_object import printable


class BucketBrigadeError(Exception):
    """The base of the errors that this project raises on purpose.

    Its text is one line, whatever key or answer it quotes: consoles and plain logs show it.
    """

    retryable: bool = False
    transient: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.transient = cls.transient or cls.retryable

    def __str__(self) -> str:
        return printable(super().__str__())


def reason_of(error: Exception) -> str:
    """Return the text of an error as a reason: the text of a bug may be a bare value, so its type comes first."""
    return str(error) if isinstance(error, BucketBrigadeError) else f"unexpected {type(error).__name__}: {error}"


class SettingsError(BucketBrigadeError):
    """A setting is missing or wrong. The text names every such setting, its shape and an example."""


class EventError(BucketBrigadeError):
    """An event, a record or a message cannot be read. No other delivery of it can be read either."""


class DeferredError(BucketBrigadeError):
    """Work on a message did not begin: no time was left, or an earlier message of its group failed and comes first."""

    transient = True


class StalledError(BucketBrigadeError):
    """Several invocations in a row ended before any part of a message was done. The next one would end so too."""


class UnfinishedError(BucketBrigadeError):
    """The time that Lambda gives is nearly over. The work stopped cleanly and can start again.

    Attributes:
        stalled: whether the work had most of an invocation to itself. If not, other work took the time.
    """

    transient = True
    stalled: bool = True


class SecretError(BucketBrigadeError):
    """Secrets Manager does not give the credentials of the destination, or gives them in another shape."""

    transient = True


class FederationError(BucketBrigadeError):
    """STS gives no token for this function, or no credentials of the destination's role for that token."""

    transient = True


class TokenRefused(FederationError):
    """STS of the destination's partition refuses the token: it has expired, or its claims are refused."""


class CredentialsRefused(BucketBrigadeError):
    """The destination refuses the credentials, and there are no others."""

    transient = True
