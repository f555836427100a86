"""The sandboxes of the functions: each invocation reuses an idle one or starts one."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends

from local.lambda_service.configuration import fingerprint
from local.lambda_service.errors import Refused, Stopped
from local.lambda_service.instance import Instance, Result
from local.lambda_service.metrics import write_metrics
from local.lambda_service.runtime_api import new_trace


class Functions:
    """All functions, each with as many sandboxes as it had concurrent invocations.

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
        """Run a function on an event and wait for its answer.

        Args:
            function: The function.
            payload: The event, as JSON.
            request_id: The id of the invocation; a new one by default.
            trace: The trace header; by default that of a new chain.

        Raises:
            Refused: The function's concurrency is used up, its role cannot be assumed, or its code is not a zip.
            Stopped: The service was stopped during the invocation.
        """
        started = datetime.now(UTC)
        instance = self._begin(function)
        try:
            instance = instance or self._start_counted(function)
            result = instance.invoke(payload, request_id=request_id or str(uuid4()), trace=trace or new_trace())
        finally:
            self._end(function, instance)
        if self._stopped:
            raise Stopped
        outcome = {"Invocations": 1, "Errors": int(result.failed), "Throttles": 0, "Duration": result.milliseconds}
        write_metrics(function, outcome, started)
        return result

    def crash(self, function_name: str) -> int:
        """Kill the busy processes of a function, as a crash would, and return their number."""
        return self._for_busy(function_name, Instance.kill)

    def freeze(self, function_name: str) -> int:
        """Suspend the busy processes of a function until they time out, and return their number."""
        return self._for_busy(function_name, Instance.freeze)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop all sandboxes, and refuse invocations until the block ends."""
        self.stop()
        try:
            yield
        finally:
            with self._changed:
                self._stopped = False

    def retire(self) -> None:
        """Stop the idle sandboxes of deleted functions."""
        with self._changed:
            deleted = [arn for arn in self._idle if not _exists(arn)]
            instances = [instance for arn in deleted for instance in self._idle.pop(arn)]
        _stop(instances)

    def stop(self) -> None:
        """Stop all sandboxes and wait until all invocations have ended."""
        with self._changed:
            self._stopped = True
            idle = [instance for instances in self._idle.values() for instance in instances]
            self._idle.clear()
            for instance in self._busy:
                instance.kill()
        _stop(idle)
        with self._changed:
            self._changed.wait_for(lambda: not self._running.total())

    def _for_busy(self, function_name: str, act: Callable[[Instance], None]) -> int:
        with self._changed:
            busy = [instance for instance in self._busy if instance.function_name == function_name]
            for instance in busy:
                act(instance)
        return len(busy)

    def _begin(self, function: LambdaFunction) -> Instance | None:
        """Count an invocation as running, and take an idle sandbox for it if there is one."""
        usable: list[Instance] = []
        unusable: list[Instance] = []
        with self._changed:
            if self._stopped:
                raise Stopped
            limit = function.reserved_concurrency
            if limit is not None and self._running[_unversioned_arn(function)] >= int(limit):
                write_metrics(function, {"Throttles": 1})
                raise Refused(429, "TooManyRequestsException", "Rate Exceeded.")
            self._running[_unversioned_arn(function)] += 1
            write_metrics(function, {"ConcurrentExecutions": self._running[_unversioned_arn(function)]})
            current = fingerprint(function)
            for instance in self._idle.pop(function.function_arn, []):
                (usable if instance.fingerprint == current and instance.is_alive else unusable).append(instance)
            instance_taken = usable.pop() if usable else None
            self._idle[function.function_arn] = usable
            self._busy.update([instance_taken] if instance_taken else [])
        _stop(unusable)
        return instance_taken

    def _start_counted(self, function: LambdaFunction) -> Instance:
        instance = self._start(function)
        with self._changed:
            self._busy.add(instance)
            if self._stopped:
                instance.kill()
        return instance

    def _end(self, function: LambdaFunction, instance: Instance | None) -> None:
        """Count an invocation as ended, and keep its sandbox if it is reusable."""
        if instance is not None:
            self._release(function, instance)
        with self._changed:
            self._running[_unversioned_arn(function)] -= 1
            self._changed.notify_all()

    def _release(self, function: LambdaFunction, instance: Instance) -> None:
        with self._changed:
            kept = instance.reusable and not self._stopped
            if kept:
                self._idle[function.function_arn].append(instance)
            self._busy.discard(instance)
        if not kept:
            instance.stop()


def _unversioned_arn(function: LambdaFunction) -> str:
    """Return the ARN under which a concurrency limit counts the invocations of all versions."""
    return str(function.function_arn.removesuffix(f":{function.version}"))


def _exists(arn: str) -> bool:
    _, _, _, region, account_id, _ = arn.split(":", 5)
    try:
        return lambda_backends[account_id][region].get_function(arn) is not None
    except UnknownFunctionException:
        return False


def _stop(instances: Iterable[Instance]) -> None:
    for instance in instances:
        instance.stop()
