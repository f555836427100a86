"""Log lines of functions: kept in memory, passed to a callback, and sent to CloudWatch Logs if the role permits it."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from moto.awslambda.models import LambdaFunction
from moto.logs.models import logs_backends

from local.lambda_service.configuration import log_group
from local.lambda_service.roles import permits

# Lines in memory for each function: a few megabytes at most.
KEPT_LINES = 10_000


class Logs:
    """The log lines of all functions.

    Attributes:
        on_log: A callback that gets the function's name and each line; None for no callback.
    """

    def __init__(self) -> None:
        self.on_log: Callable[[str, str], None] | None = None
        self._kept: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT_LINES))

    def of(self, function_name: str) -> list[str]:
        """Return the lines of a function, oldest first."""
        return list(self._kept[function_name])

    def write_once(self, function_name: str, line: str) -> None:
        """Add a line of a function unless the log has it already."""
        if line not in self._kept[function_name]:
            self.write(function_name, line)

    def write(self, function_name: str, line: str) -> None:
        """Add a line of a function."""
        self._kept[function_name].append(line)
        if self.on_log:
            self.on_log(function_name, line)


class LogStream:
    """The log lines of one sandbox, a stream in the log group of its function."""

    def __init__(self, logs: Logs, function: LambdaFunction):
        self._logs = logs
        self._function_name = function.function_name
        self._group = log_group(function)
        day = datetime.now(UTC).strftime("%Y/%m/%d")
        self.name = f"{day}/[{function.version}]{uuid4().hex}"
        self._backend = logs_backends[function.account_id][function.region]
        self._delivers = self._create_stream(function)
        self._recent: list[str] = []

    def write(self, line: str) -> None:
        """Add a line."""
        self._recent.append(line)
        self._logs.write(self._function_name, line)
        if self._delivers and self._group in self._backend.groups:
            event = {"timestamp": int(time.time() * 1000), "message": line}
            self._backend.put_log_events(self._group, self.name, [event])

    def take_recent(self) -> list[str]:
        """Return the lines since the last call."""
        recent, self._recent = self._recent, []
        return recent

    def _create_stream(self, function: LambdaFunction) -> bool:
        """Create the stream, and its group if missing; return whether the role permits it."""
        group = f"arn:{function.partition}:logs:{function.region}:{function.account_id}:log-group:{self._group}"
        stream = f"{group}:log-stream:{self.name}"
        if self._group not in self._backend.groups:
            if not permits(function.role, "logs:CreateLogGroup", f"{group}:*"):
                return False
            self._backend.ensure_log_group(self._group)
        if not all(permits(function.role, action, stream) for action in ("logs:CreateLogStream", "logs:PutLogEvents")):
            return False
        self._backend.create_log_stream(self._group, self.name)
        return True
