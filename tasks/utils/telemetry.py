"""Log lines and metrics: JSON on standard output, from which Lambda and CloudWatch take both.

Work modules log through `logging.getLogger("bucket_brigade")` and do not import this module; their `extra` becomes
fields of the line. Metrics are in CloudWatch's embedded metric format (EMF).

Only handlers import this module, because the import keeps the DEBUG lines of libraries out of the log of the process.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAME = "bucket_brigade"
NAMESPACE = "BucketBrigade"
FUNCTION = "function_name"

# The unit of a metric that is no count.
UNITS = {"Bytes": MetricUnit.Bytes, "EventAge": MetricUnit.Seconds}


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
        service: the task's name: the `service` of each line and each metric. The other dimension of a metric is the
            name of the function.
        logger: Powertools' logger; `extra` becomes fields of the line.
    """

    service: str
    logger: Logger

    @classmethod
    def set_up(cls, service: str, level: str = "INFO") -> Self:
        """Set up the loggers of a task, also the one of the work modules, and return its telemetry.

        Args:
            service: the task's name.
            level: the least level that is logged.
        """
        # ASCII only: a key may hold line separators, direction marks or half a surrogate pair, and a log line may not.
        serializer = partial(json.dumps, default=str, separators=(",", ":"))
        logger = Logger(service=service, level=level, utc=True, json_serializer=serializer)
        # If Lambda's own log level is set, Powertools prefers it to its argument.
        logging.getLogger(service).setLevel(level)
        shared = logging.getLogger(NAME)
        shared.handlers, shared.propagate = [logger.logger_handler], False
        shared.setLevel(level)
        return cls(service, logger)

    @contextmanager
    def invocation(self, context: Any) -> Iterator[Callable[[str, float], None]]:
        """Put the id of the request on each line of this invocation, and write the metrics at its end.

        Args:
            context: Lambda's context object, or None.

        Yields:
            A function `count(metric, value)`. The values of a metric add up, except for `EventAge`, which is the age of
            the oldest event.
        """
        counts: defaultdict[str, float] = defaultdict(float)

        def count(metric: str, value: float) -> None:
            counts[metric] = max(counts[metric], value) if metric == "EventAge" else counts[metric] + value

        function = getattr(context, "function_name", None)
        self.logger.append_keys(function_request_id=getattr(context, "aws_request_id", None))
        try:
            yield count
        finally:
            self._write(counts, function)

    def _write(self, counts: Mapping[str, float], function: str | None) -> None:
        if not counts:
            return
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self.service)
        if function:
            # Two deployments in one account and region have metrics of their own.
            metrics.add_dimension(name=FUNCTION, value=function)
        for metric, value in counts.items():
            metrics.add_metric(name=metric, unit=UNITS.get(metric, MetricUnit.Count), value=value)
        metrics.flush_metrics()
