"""What was done already is not done again: one verdict for each content of a set, one telling for each outcome.

Powertools' Idempotency keeps a record for each in DynamoDB, which is written before the work begins and completed
after it. A verdict's record is a lock as well: while one invocation holds it no other judges the same content, and when
its invocation is over without having completed it, the next one may take it.

That leaves the moment between a call to the outside and the note that it was made. A reporter that can ask whether it
was heard (`repeatable`) is simply run again. Of an e-mail nobody can ask that: it is not sent again, and the message
goes to a person, as an `UncertainError`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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

# Far longer than a dead letter can wait for its redrive (14 days), so that nothing is told again because time passed.
REMEMBERED = 365 * 24 * 60 * 60

# Half a minute in all: files that came together are told of by several messages, which several invocations may have,
# and a verdict takes seconds. A message that is handed back comes again much later.
PATIENCE = RetryPolicy(tries=8, delay=1.0, backoff=1.5, jitter=(0.0, 0.5), max_delay=10.0)

# Lambda's longest invocation, where there is no context that knows better.
LONGEST_INVOCATION = 900_000


@dataclass(frozen=True)
class Outcomes:
    """The memory of what was done.

    Attributes:
        dynamodb: returns a boto3 DynamoDB client.
        table: the table's name; its hash key is `id`.
    """

    dynamodb: Callable[[], Any]
    table: str

    def judge(self, digest, call, *, context, deadline=Deadline()):
        """Calls `call()` if this content was not judged yet, and returns what it returned, now or then.

        Args:
            digest: stands for the content.
            call: judges and tells, and returns what fits into JSON.
            context: Lambda's context object, which knows how long this invocation may hold the lock; or None.
            deadline: another invocation that is at it is not waited for beyond this.

        Raises:
            BusyError: another invocation is at it, and stays so.
        """
        attempt = 0
        while True:
            attempt += 1
            remaining = context.get_remaining_time_in_millis() if context else LONGEST_INVOCATION
            try:
                return self._run("verdict", digest, call, remaining)
            except IdempotencyAlreadyInProgressError as error:
                wait = PATIENCE.wait(attempt)
                if attempt == PATIENCE.tries or wait >= deadline.remaining():
                    raise BusyError("another invocation is judging this set") from error
            time.sleep(wait)

    def tell(self, effect, digest, call, *, repeatable=False):
        """Calls `call()` if this outcome was not told that way yet, and returns what it returned, now or then.

        It is to be called from within `judge` only: nobody else is telling the same at the same time then.

        Args:
            effect: what is done: `issue`, `email`, `webhook`.
            digest: stands for the outcome.
            call: does it; what it returns fits into JSON.
            repeatable: whether `call` finds out by itself what an earlier try has done.

        Raises:
            ReporterError: it was not done.
            UncertainError: it may have been done, and is not tried again.
        """
        if repeatable:
            # A record whose time is over at once can be taken by the next try.
            return self._run(effect, digest, call, 0)
        begun = []

        def tell():
            begun.append(True)
            return _certain(call)

        try:
            kept = self._run(effect, digest, tell, REMEMBERED * 1000)
        except IdempotencyAlreadyInProgressError:
            kept = {"uncertain": "an earlier try was cut off in the middle of it"}
            self._layer(effect).save_success(data=digest, result=kept)
            begun = [True]
        if begun and "uncertain" in kept:
            reason = f"it may or may not have been done, and is not tried again ({kept['uncertain']})"
            raise UncertainError(f"{effect}: {reason}")
        return kept.get("result")

    def _run(self, effect, digest, call, remaining):
        # `outcome` is what Powertools takes for the key.
        def run(*, outcome):  # pylint: disable=unused-argument
            return call()

        once = idempotent_function(
            run,
            data_keyword_argument="outcome",
            persistence_store=DynamoDBPersistenceLayer(self.table, key_attr="id", boto3_client=self.dynamodb()),
            config=_config(_Remaining(remaining)),
            key_prefix=effect,
        )
        return once(outcome=digest)

    def _layer(self, effect):
        layer = DynamoDBPersistenceLayer(self.table, key_attr="id", boto3_client=self.dynamodb())
        layer.configure(config=_config(None), function_name="", key_prefix=effect)
        return layer


@dataclass(frozen=True)
class _Remaining:
    """The part of Lambda's context that Powertools asks for."""

    milliseconds: int

    def get_remaining_time_in_millis(self):
        """Returns for how long a record is taken to be in progress."""
        return self.milliseconds


def _config(context):
    return IdempotencyConfig(expires_after_seconds=REMEMBERED, hash_function="sha256", lambda_context=context)


def _certain(call):
    """Calls `call()`, and turns every failure that may have come after the deed into a result, so that it is kept."""
    try:
        return {"result": call()}
    except AnswerLostError as error:
        return {"uncertain": str(error)}
    except BucketBrigadeError:
        raise
    except Exception as error:  # pylint: disable=broad-exception-caught  # nobody knows how far it came
        return {"uncertain": f"{type(error).__name__}: {error}"}
