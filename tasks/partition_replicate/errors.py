"""What can go wrong here besides S3.

    BucketBrigadeError
    ├── TableError                  the table did not answer: it may at the next delivery               (transient)
    │   └── TableThrottled              it throttles, or another request held the row just then          (retryable)
    ├── RowRefused                  the table takes no such row, however often it is asked
    ├── RowChanged                  somebody else wrote the row meanwhile: look again                    (transient)
    ├── NoProgress                  a bucket's listing and its other answers contradict each other      (transient)
    ├── VersionsNotKept             every version is asked for, and a bucket keeps none              (transient)
    ├── SecretError                 the secret cannot be read, or is not what it should be               (transient)
    ├── FederationError             STS gives no token, or no credentials of the role for it             (transient)
    │   └── TokenRefused            ... for the token itself is not accepted                             (transient)
    └── CredentialsRefused          the destination refuses the credentials, and there are no others     (transient)

What is set up wrong for an hour must not turn every message of that hour into a dead letter, hence transient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.utils.errors import BucketBrigadeError


class TableError(BucketBrigadeError):
    """DynamoDB did not do what it was asked."""

    transient = True


class TableThrottled(TableError):
    """DynamoDB throttles the table, or another request to the same row was under way: the same request may pass."""

    retryable = True


class RowRefused(BucketBrigadeError):
    """DynamoDB refuses this row for what it is: a value that is not valid, or too many bytes."""


class RowChanged(BucketBrigadeError):
    """The row is no longer what it was when it was read.

    Attributes:
        found: the item that is there, where the table said so, else None.
    """

    transient = True

    def __init__(self, reason: str, *, found: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.found = found


class LostRace(BucketBrigadeError):
    """A precondition of a step did not hold: another worker was faster, or an object is gone.

    Attributes:
        error: what the server answered, as an error.
        of_row: the precondition was that of the key row.
    """

    transient = True

    def __init__(self, error: BucketBrigadeError) -> None:
        super().__init__(str(error))
        self.error = error
        self.of_row = isinstance(error, RowChanged)


class NoProgress(BucketBrigadeError):
    """What was done to a key changed nothing: a bucket's listing and its other answers contradict each other."""

    transient = True


class VersionsNotKept(BucketBrigadeError):
    """The settings ask for every version to be mirrored, and one of the buckets does not keep versions."""

    transient = True


class SecretError(BucketBrigadeError):
    """The credentials of the destination cannot be had from Secrets Manager."""

    transient = True


class FederationError(BucketBrigadeError):
    """STS gives no token for this function, or no credentials of the destination's role for that token."""

    transient = True


class TokenRefused(FederationError):
    """STS of the destination's partition does not accept the token: it is expired, or its claims are refused."""


class CredentialsRefused(BucketBrigadeError):
    """The destination refuses the credentials, and there are no others."""

    transient = True
