"""Writes that other writers can get ahead of: a condition on each write, and another round after a lost race.

A worker observes an object and writes it on the condition that it is still what was observed. If another writer was
faster, S3 refuses the write, and the worker observes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from tasks.object_clerk.errors import (
    ConditionNotSupportedException,
    KeyNotFoundException,
    ObjectChangedException,
)

if TYPE_CHECKING:
    from tasks.object_clerk.errors import ObjectClerkException, Places
    from tasks.object_clerk.s3_requests import S3Requests

Result = TypeVar("Result")

LOGGER = logging.getLogger("bucket_brigade")


class ObserveAgain(Exception):
    """Ends a round of `retry_lost_races` whose change has no condition in S3, so that both sides are observed again."""


def retry_lost_races(
    attempt: Callable[[], Result],
    *,
    requests: S3Requests,
    rounds: int,
    lost: type[ObjectClerkException] | tuple[()] = ObjectChangedException,
    reason: str = "other writers got in between",
    **places: Unpack[Places],
) -> Result:
    """Call an attempt until it returns: at most `rounds` times.

    Args:
        attempt: observes, writes, and returns the result. It raises `ObserveAgain` for another round.
        requests: their `retries` count the lost races.
        rounds: the most calls.
        lost: the error that means a lost race; () if only `ObserveAgain` does.
        reason: the beginning of the error's text.
        places: operation, source and destination for the error's text.

    Returns:
        What the attempt returned.

    Raises:
        ObjectChangedException: no attempt returned.
    """
    last: ObjectClerkException | None = None
    for _ in range(rounds):
        try:
            return attempt()
        except ObserveAgain:
            pass
        except lost as error:
            requests.retries += 1
            last = error
    seen = f": {last.reason}" if last else ""
    raise ObjectChangedException(f"{reason} {rounds} times in a row{seen}", **places) from last


def conditional_write(write: Callable[[Mapping[str, Any]], Result], condition: Mapping[str, str]) -> Result:
    """Write on a condition, and without it on a server that does not know conditional requests (501).

    The caller has observed the object before, so the second write is not blind.

    Args:
        write: makes the request with the parameters of the condition, or with {}.
        condition: `precondition(...)`.

    Returns:
        S3's answer.

    Raises:
        ObjectChangedException: the condition does not hold.
        ObjectClerkException: as `s3_requests.request` says.
    """
    try:
        return write(condition)
    except KeyNotFoundException as error:
        # S3 answers 404, and not 412, to If-Match if the object was deleted after it was observed.
        if "IfMatch" not in condition:
            raise
        raise ObjectChangedException(error.reason, code=error.code, **error.places) from error
    except ConditionNotSupportedException:
        _log_unknown_conditions()
        return write({})


def precondition(etag: str | None) -> dict[str, str]:
    """Return the condition that an object still has this ETag, or that there is no object if it is None or ""."""
    return {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}


@cache
def _log_unknown_conditions() -> None:
    LOGGER.warning("this server does not know conditional writes: each write observes first and then writes")
