"""One request to S3: its retries, its deadline and its error."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tasks.object_clerk.errors import (
    KeyNotFoundException,
    ObjectClerkException,
    ObjectClerkServerInternalException,
    ObjectVerificationException,
)
from tasks.object_clerk.failures import THROTTLING_CODES, UNREADABLE, translated, unreadable
from tasks.object_clerk.pacer import Pacer
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

if TYPE_CHECKING:
    from tasks.object_clerk.errors import Place, Places
    from tasks.utils.s3_object import S3Object

Result = TypeVar("Result")

# The members of S3's answers that this package relies on.
OBJECT_MEMBERS = ("ETag", "ContentLength")
NEEDED = {
    "head_object": OBJECT_MEMBERS,
    "get_object": OBJECT_MEMBERS,
    "put_object": ("ETag",),
    "upload_part": ("ETag",),
    "create_multipart_upload": ("UploadId",),
    "complete_multipart_upload": ("ETag",),
}

# Seconds. S3 sends white space while a large copy runs, so a minute of silence is a lost connection.
READ_TIMEOUT = 60

# Bytes that were damaged three times in a row are damaged by the network or the disk. Then no policy tries again, not
# even one that tries for ever.
SOUND_TRIES = 3


def client_config(**overrides: Any) -> Config:
    """Return the botocore configuration of every S3 client of this project.

    `RetryPolicy` counts all retries, so botocore makes each request once.
    """
    # 3 s: a host that does not accept a connection by then is down. It is less than what a deadline keeps back.
    settings = {"connect_timeout": 3, "read_timeout": READ_TIMEOUT, "retries": {"total_max_attempts": 1}}
    return Config(**{**settings, **overrides})


@dataclass
class S3Requests:
    """An S3 client whose requests are retried by the type of their error, within a deadline.

    Attributes:
        client: an S3 client of `transport.clients`, or boto3's, made with `client_config()`.
        policy: the number of attempts, and the waits between them.
        deadline: no request is begun after it, and no wait that would end after it; see `deadline`.
        retries: requests that were repeated so far; one `S3Requests` serves one piece of work.
        pacer: slows down if the server throttles; all threads share it for one server.
        unanswered: the operation of each attempt whose answer was lost, as `ObjectClerkException.answer_lost` says,
            even if its repetition passed.
    """

    client: Any
    policy: RetryPolicy = RetryPolicy()
    deadline: Deadline = Deadline()
    retries: int = 0
    pacer: Pacer = field(default_factory=Pacer)
    unanswered: list[str] = field(default_factory=list)

    def __call__(
        self, operation: str, *, source: Place = None, destination: Place = None, **parameters: Any
    ) -> dict[str, Any]:
        """Send a request, as `request` does, until it passes or the policy ends the attempts."""
        return self.run(lambda: request(self.client, operation, source=source, destination=destination, **parameters))

    def closing(self) -> S3Requests:
        """Return requests that end the work, such as an abort; `Deadline.closing` is their deadline."""
        return replace(self, deadline=self.deadline.closing())

    def run(self, call: Callable[[], Result]) -> Result:
        """Call `call()`, which sends a request and may read its answer, until it passes or the attempts end."""
        damaged = 0

        def attempt() -> Result:
            nonlocal damaged
            try:
                return self._paced(call)
            except ObjectVerificationException as error:
                damaged += 1
                error.retryable = damaged < SOUND_TRIES
                raise

        result: Result
        result, attempts = self.policy.run(attempt, deadline=self.deadline)
        self.retries += attempts - 1
        return result

    def _paced(self, call: Callable[[], Result]) -> Result:
        moment = self.pacer.wait(self.deadline)
        if moment is None:
            reason = "requests are throttled, and no time is left to wait"
            raise ObjectClerkServerInternalException(reason, code="SlowDown")
        try:
            result: Result = self.deadline.limit(call)
        except ObjectClerkException as error:
            if error.code in THROTTLING_CODES:
                self.pacer.throttled(moment)
            if error.answer_lost:
                self.unanswered.append(error.operation)
            raise
        self.pacer.passed()
        return result

    def until_sound(self, call: Callable[[], Result]) -> Result:
        """Call `call()`, whose own requests are retried, again if its bytes were damaged."""
        tries = min(self.policy.tries, SOUND_TRIES) if self.policy.tries > 0 else SOUND_TRIES
        for attempt in range(1, tries):
            try:
                return call()
            except ObjectVerificationException:
                wait = self.policy.wait(attempt)
                if wait >= self.deadline.remaining():
                    raise
                self.retries += 1
                time.sleep(wait)
        try:
            return call()
        except ObjectVerificationException as error:
            error.attempts = tries
            raise


def head(requests: S3Requests | Callable[..., dict[str, Any]], address: S3Object) -> dict[str, Any] | None:
    """Return the HEAD answer of an object, checksums included, or None if there is no such object."""
    try:
        return requests("head_object", source=address, ChecksumMode="ENABLED", **address.parameters)
    except KeyNotFoundException:
        return None


def request(
    client: Any, operation: str, *, source: Place = None, destination: Place = None, **parameters: Any
) -> dict[str, Any]:
    """Call one method of an S3 client, once.

    Args:
        client: the client.
        operation: the name of the client's method, e.g. `copy_object`.
        source: the address read from, for the error's text.
        destination: the address written to, for the error's text.
        **parameters: the method's parameters; None leaves a parameter out.

    Returns:
        S3's answer.

    Raises:
        ObjectClerkException: of the type that fits, with operation, source and destination in its text.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    places: Places = {"operation": operation, "source": source, "destination": destination}
    try:
        answer: dict[str, Any] = getattr(client, operation)(**given)
    except (ClientError, BotoCoreError) as error:
        raise translated(error, **places) from error
    except UNREADABLE as error:
        raise unreadable(f"the answer cannot be read: {error}", places) from error
    lacking = [name for name in NEEDED.get(operation, ()) if answer.get(name) is None]
    if lacking or answer.get("ContentLength", 0) < 0:
        if operation == "get_object":
            answer["Body"].close()
        raise unreadable(f"the answer has no {' and no '.join(lacking or ['length'])}", places)
    return answer
