"""Log lines and metrics: JSON on standard output, from which Lambda and CloudWatch take both.

Work modules log through `logging.getLogger("bucket_brigade")` and do not import this module; their `extra` becomes
fields of the line. Metrics are in CloudWatch's embedded metric format (EMF).

Only handlers import this module, because the import keeps the DEBUG lines of libraries out of the log of the process.
"""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from tasks.utils.settings import TelemetrySettings

NAME = "bucket_brigade"
NAMESPACE = "BucketBrigade"

# The unit of a metric that is no count.
UNITS = {"Bytes": MetricUnit.Bytes, "EventAge": MetricUnit.Seconds, "MemoryUsed": MetricUnit.Megabytes}

# The values of these metrics do not add up: CloudWatch gets each one, for percentiles and the highest.
DISTRIBUTIONS = ("EventAge",)

# The peak of this process alone. `ru_maxrss` would also count the process that started it (getrusage(2), proc(5)).
PROCESS_STATUS = Path("/proc/self/status")
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


# All of these log requests or answers at DEBUG.
LIBRARIES = (
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "requests",
    "s3transfer",
    "sentry_sdk",
    "tenacity",
    "urllib3",
)


def keep_debug_lines_of_libraries_out() -> None:
    """Raise the level of each library's loggers to INFO where it is lower.

    At DEBUG, botocore logs the body of each answer, and so the value of each secret that is read; urllib3 logs the path
    of each request. AWS's runtime client gives the root logger the log level of the function before it imports the
    handler (`awslambdaric.bootstrap.run`), and each other logger inherits it. The loggers of the task have levels of
    their own, which `Telemetry.set_up` sets.
    """
    # The root logger covers libraries that are not listed. The listed ones stay quiet if its level is lowered later.
    for name in ("", *LIBRARIES):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))


# At the import, because a container reads secrets before it has read its settings, and both may fail.
keep_debug_lines_of_libraries_out()


@dataclass(frozen=True)
class Telemetry:
    """The logger and the metrics of one task, created once per container.

    Attributes:
        service: the task's name: the `service` of each line and each metric. The other dimensions of a metric are the
            names of the deployment and of the function.
        logger: Powertools' logger; `extra` becomes fields of the line.
        deployment: the name of the deployment, or "".
    """

    service: str
    logger: Logger
    deployment: str = ""

    @classmethod
    def set_up(cls, service: str, settings: TelemetrySettings) -> Self:
        """Set up the loggers of a task, also the one of the work modules, and return its telemetry.

        Args:
            service: the task's name.
            settings: the level of the lines, and the name of the deployment.
        """
        level = settings.level
        # ASCII only: a key may hold line separators, direction marks or half a surrogate pair, and a log line may not.
        serializer = partial(json.dumps, default=str, separators=(",", ":"))
        logger = Logger(service=service, level=level, utc=True, json_serializer=serializer)
        # If Lambda's own log level is set, Powertools prefers it to its argument.
        logging.getLogger(service).setLevel(level)
        shared = logging.getLogger(NAME)
        shared.handlers, shared.propagate = [logger.logger_handler], False
        shared.setLevel(level)
        return cls(service, logger, settings.deployment)

    @contextmanager
    def invocation(self, context: Any) -> Iterator[Callable[[str, float], None]]:
        """Put the id of the request on each line of this invocation, and write the metrics at its end.

        Args:
            context: Lambda's context object, or None.

        Yields:
            A function `count(metric, value)`. The values of a metric add up, except for those of `DISTRIBUTIONS`.
        """
        counts: defaultdict[str, list[float]] = defaultdict(list)

        def count(metric: str, value: float) -> None:
            values = counts[metric]
            if values and metric not in DISTRIBUTIONS:
                value += values.pop()
            values.append(value)

        function = getattr(context, "function_name", None)
        self.logger.append_keys(function_request_id=getattr(context, "aws_request_id", None))
        try:
            yield count
        finally:
            self._write(counts, function)

    def _write(self, counts: Mapping[str, Sequence[float]], function: str | None) -> None:
        if not counts:
            return
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self.service)
        for name, value in {"deployment": self.deployment, "function_name": function}.items():
            if value:
                metrics.add_dimension(name=name, value=value)
        for metric, values in {**counts, "MemoryUsed": _peak_memory()}.items():
            # After 100 values of a metric, the limit of a line, Powertools begins another line.
            for each in values:
                metrics.add_metric(name=metric, unit=UNITS.get(metric, MetricUnit.Count), value=each)
        metrics.flush_metrics()


def _peak_memory() -> list[float]:
    """Return the most memory that this process has used, in MiB, as Lambda counts the limit; none outside Linux."""
    try:
        status = PROCESS_STATUS.read_text(encoding="ascii")
    except OSError:
        return []
    return [round(int(kilobytes) / 1024, 1) for kilobytes in PEAK.findall(status)]
