"""The functions and their sandboxes: finds or makes one for each invocation, and keeps it for the next."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from uuid import uuid4

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends

from local.lambda_service.configuration import fingerprint
from local.lambda_service.errors import Refused, Stopped
from local.lambda_service.instance import Instance, Result
from local.lambda_service.runtime_api import new_trace


class Functions:
    """All functions, each with as many sandboxes as it was invoked at a time.

    Args:
        start: Starts a sandbox of a function.
    """

    def __init__(self, start: Callable[[LambdaFunction], Instance]):
        self._start = start
        self._changed = threading.Condition()
        self._idle: dict[str, list[Instance]] = defaultdict(list)
        self._busy: set[Instance] = set()
        self._running: Counter[str] = Counter()
        self._stopped = False

    def invoke(
        self, function: LambdaFunction, payload: bytes, *, request_id: str | None = None, trace: str | None = None
    ) -> Result:
        """Run a function on an event and wait for what it answers.

        Args:
            request_id: The id of the invocation; a new one by default.
            trace: Its trace header; by default that of a chain that begins.

        Raises:
            Refused: The function's concurrency is used up, its role cannot be assumed, or its code is no zip.
            Stopped: The service was stopped meanwhile.
        """
        instance = self._begin(function)
        try:
            instance = instance or self._start_counted(function)
            result = instance.invoke(payload, request_id=request_id or str(uuid4()), trace=trace or new_trace())
        finally:
            self._end(function, instance)
        if self._stopped:
            raise Stopped
        return result

    def crash(self, function_name: str) -> int:
        """End the processes of a function that are at work, as a crash would; returns how many there were."""
        with self._changed:
            hit = [instance for instance in self._busy if instance.function_name == function_name]
            for instance in hit:
                instance.kill()
        return len(hit)

    def retire(self) -> None:
        """Stop the idle sandboxes of functions that do not exist any more."""
        with self._changed:
            gone = [arn for arn in self._idle if not _exists(arn)]
            instances = [instance for arn in gone for instance in self._idle.pop(arn)]
        _stop(instances)

    def stop(self) -> None:
        """Stop all sandboxes; returns when no invocation runs any more."""
        with self._changed:
            self._stopped = True
            idle = [instance for instances in self._idle.values() for instance in instances]
            self._idle.clear()
            for instance in self._busy:
                instance.kill()
        _stop(idle)
        with self._changed:
            self._changed.wait_for(lambda: not self._running.total())

    def _begin(self, function: LambdaFunction) -> Instance | None:
        """Count an invocation in, and take an idle sandbox for it if there is one."""
        usable, unusable = [], []
        with self._changed:
            if self._stopped:
                raise Stopped
            limit = function.reserved_concurrency
            if limit is not None and self._running[_counted_as(function)] >= int(limit):
                raise Refused(429, "TooManyRequestsException", "Rate Exceeded.")
            self._running[_counted_as(function)] += 1
            current = fingerprint(function)
            for instance in self._idle.pop(function.function_arn, []):
                (usable if instance.made_from == current and instance.alive else unusable).append(instance)
            taken = usable.pop() if usable else None
            self._idle[function.function_arn] = usable
            self._busy.update([taken] if taken else [])
        _stop(unusable)
        return taken

    def _start_counted(self, function: LambdaFunction) -> Instance:
        instance = self._start(function)
        with self._changed:
            self._busy.add(instance)
            if self._stopped:
                instance.kill()
        return instance

    def _end(self, function: LambdaFunction, instance: Instance | None) -> None:
        """Count an invocation out, and keep its sandbox for the next one if it is good for that."""
        with self._changed:
            kept = instance is not None and instance.reusable and not self._stopped
            if kept:
                self._idle[function.function_arn].append(instance)
            self._busy.discard(instance)
        if instance is not None and not kept:
            instance.stop()
        with self._changed:
            self._running[_counted_as(function)] -= 1
            self._changed.notify_all()


def _counted_as(function: LambdaFunction) -> str:
    """Name what a concurrency limit counts: all versions of a function together."""
    return function.function_arn.removesuffix(f":{function.version}")


def _exists(arn: str) -> bool:
    _, _, _, region, account_id, _ = arn.split(":", 5)
    try:
        return lambda_backends[account_id][region].get_function(arn) is not None
    except UnknownFunctionException:
        return False


def _stop(instances: Iterable[Instance]) -> None:
    for instance in instances:
        instance.stop()
