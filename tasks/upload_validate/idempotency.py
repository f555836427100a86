"""Each content of a set is handled once, and each of its notifications is sent once.

Powertools' Idempotency keeps a record for each in DynamoDB. It writes the record before the work and completes it after
the work. The record of a verdict is a lock as well: no other invocation handles the same content while one holds it.
After the end of an invocation that did not complete it, the next invocation may take it.

A crash between a call to a service and its record leaves the outcome of the call unknown. A reporter that can ask its
service (`repeatable`) is run again. SES and webhooks cannot be asked, so the call is not repeated: the other effects
follow, and the message becomes a dead letter with an `UncertainError`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

from tasks.upload_validate.errors import AnswerLostError, BusyError, UncertainError
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.retry import RetryPolicy

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient

# Far longer than the 14 days that a dead letter waits for its redrive, so that time alone repeats no notification.
REMEMBERED = 365 * 24 * 60 * 60

# Half a minute in all. Files that were uploaded together are in several messages, which several invocations may
# receive, and a verdict takes seconds. A message that goes back to the queue returns much later.
PATIENCE = RetryPolicy(tries=8, delay=1.0, backoff=1.5, jitter=(0.0, 0.5), max_delay=10.0)

# Milliseconds: Lambda's longest invocation, for a call without a context.
LONGEST_INVOCATION = 900_000


@dataclass(frozen=True)
class Outcomes:
    """The table of outcomes.

    Attributes:
        dynamodb: returns a boto3 DynamoDB client.
        table: the table's name; its hash key is `id`.
        context: Lambda's context object, whose remaining time bounds the lock; or None.
        deadline: the time until which a lock of another invocation is waited for.
    """

    dynamodb: Callable[[], "DynamoDBClient"]
    table: str
    context: "LambdaContext | None" = None
    deadline: Deadline = Deadline()

    def settle_once(self, digest: str, call: Callable[[], Any]) -> Any:
        """Call `call()` unless a record of this content is complete; return its result, or that of the record.

        Args:
            digest: the digest of the set.
            call: checks the set and performs its effects; its result consists of JSON values.

        Raises:
            BusyError: another invocation holds the lock and does not finish in time.
        """
        attempt = 0
        while True:
            attempt += 1
            remaining = self.context.get_remaining_time_in_millis() if self.context else LONGEST_INVOCATION
            try:
                return self._run("verdict", digest, call, remaining)
            except IdempotencyAlreadyInProgressError as error:
                wait = PATIENCE.wait(attempt)
                if attempt == PATIENCE.tries or wait >= self.deadline.remaining():
                    raise BusyError("another invocation is checking this set") from error
            time.sleep(wait)

    def notify_once(self, effect: str, digest: str, call: Callable[[], Any], *, repeatable: bool = False) -> Any:
        """Call `call()` unless its record is complete; return its result, or that of the record.

        Only the holder of the lock of `settle_once` may call this, so no other invocation sends the same notification
        at the same time.

        Args:
            effect: `issue`, `email` or `webhook`.
            digest: the digest of the set.
            call: sends the notification; its result is a JSON value.
            repeatable: whether `call` finds out what an earlier try did.

        Raises:
            ReporterError: the notification was not sent.
            UncertainError: it may have been sent, and is not sent again.
        """
        if repeatable:
            # The next try may take a record that expires at once.
            return self._run(effect, digest, call, 0)
        begun = False

        def send() -> dict[str, Any]:
            nonlocal begun
            begun = True
            return _certain(call)

        try:
            kept = self._run(effect, digest, send, REMEMBERED * 1000)
        except IdempotencyAlreadyInProgressError:
            kept = {"uncertain": "an earlier try was cut off in the middle of it"}
            self._layer(effect).save_success(data=digest, result=kept)  # type: ignore[arg-type]  # as in `_run`
            begun = True
        if begun and "uncertain" in kept:
            reason = f"it may or may not have been done, and is not tried again ({kept['uncertain']})"
            raise UncertainError(f"{effect}: {reason}")
        return kept.get("result")

    def _run(self, effect: str, digest: str, call: Callable[[], Any], remaining: int) -> Any:
        # Powertools takes the key of the record from the argument `outcome`.
        def run(*, outcome: str) -> Any:  # pylint: disable=unused-argument  # see above
            return call()

        once = idempotent_function(
            run,
            data_keyword_argument="outcome",
            persistence_store=DynamoDBPersistenceLayer(self.table, key_attr="id", boto3_client=self.dynamodb()),
            config=_config(_Remaining(remaining)),
            key_prefix=effect,
        )
        return once(outcome=digest)

    def _layer(self, effect: str) -> DynamoDBPersistenceLayer:
        layer = DynamoDBPersistenceLayer(self.table, key_attr="id", boto3_client=self.dynamodb())
        layer.configure(config=_config(None), function_name="", key_prefix=effect)
        return layer


@dataclass(frozen=True)
class _Remaining:
    """A context with a fixed remaining time, after which Powertools lets another invocation take the record."""

    milliseconds: int

    def get_remaining_time_in_millis(self) -> int:
        """Return the fixed time."""
        return self.milliseconds


def _config(context: Any) -> IdempotencyConfig:
    return IdempotencyConfig(expires_after_seconds=REMEMBERED, hash_function="sha256", lambda_context=context)


def _certain(call: Callable[[], Any]) -> dict[str, Any]:
    """Call `call()`; turn each failure that may follow the sending into a result, so that the record keeps it."""
    try:
        return {"result": call()}
    except AnswerLostError as error:
        return {"uncertain": str(error)}
    except BucketBrigadeError:
        raise
    except Exception as error:  # pylint: disable=broad-exception-caught  # it may come before or after the sending
        return {"uncertain": f"{type(error).__name__}: {error}"}
