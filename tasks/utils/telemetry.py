"""Log lines and metrics: JSON on standard output, which is where Lambda and CloudWatch pick both up.

Work modules log through `logging.getLogger("bucket_brigade")` and know nothing of this; what they pass as `extra`
becomes fields of the line. Metrics are written in CloudWatch's embedded metric format (EMF).

Handlers alone import this module: the import keeps what libraries log at DEBUG out of the log of the whole process.
"""

import json
import logging
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAME = "bucket_brigade"
NAMESPACE = "BucketBrigade"
FUNCTION = "function_name"

UNITS = {
    "Copied": MetricUnit.Count,
    "Failed": MetricUnit.Count,
    "DeadLettered": MetricUnit.Count,
    "Published": MetricUnit.Count,
    "Rejected": MetricUnit.Count,
    "Bytes": MetricUnit.Bytes,
    "EventAge": MetricUnit.Seconds,
}


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


def keep_debug_lines_of_libraries_out():
    """Raise the level of each library's loggers to INFO where it is lower.

    At DEBUG botocore logs the body of each answer, and so the value of each secret that is read; urllib3 logs the path
    of each request. AWS's runtime client gives the root logger the log level of the function before it imports the
    handler (`awslambdaric.bootstrap.run`), and every other logger inherits it. The task's own loggers have levels of
    their own, which `Telemetry.of` sets.
    """
    # The root logger for libraries that are not listed; the listed ones stay quiet if its level is lowered later.
    for name in ("", *LIBRARIES):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))


# At the import, because a container reads secrets before it knows its own settings, and may fail at either.
keep_debug_lines_of_libraries_out()


@dataclass(frozen=True)
class Telemetry:
    """The logger and the metrics of one task, made once per container.

    Attributes:
        service: the task's name: the `service` of every line and every metric. The function's name is the other
            dimension of a metric.
        logger: Powertools' logger; what it is given as `extra` becomes fields of the line.
    """

    service: str
    logger: Logger

    @classmethod
    def of(cls, service, level="INFO"):
        """Returns the telemetry of a task, and lets the work modules' logger write through it.

        Args:
            service: the task's name.
            level: the least level that is written.
        """
        # ASCII only: a key may hold line separators, direction marks or half a surrogate pair, and a log line may not.
        serializer = partial(json.dumps, default=str, separators=(",", ":"))
        logger = Logger(service=service, level=level, utc=True, json_serializer=serializer)
        # Where Lambda's own log level is set, Powertools takes that one instead of what it is given.
        logging.getLogger(service).setLevel(level)
        shared = logging.getLogger(NAME)
        shared.handlers, shared.propagate = [logger.logger_handler], False
        shared.setLevel(level)
        return cls(service, logger)

    @contextmanager
    def invocation(self, context):
        """Puts the request's id on every line of this invocation, and writes its metrics at the end.

        Args:
            context: Lambda's context object, or None.

        Yields:
            A function `count(metric, value)`, whose metric is one of `UNITS`; the values of one metric add up,
            but for the age of an event, where the oldest counts.
        """
        counts = defaultdict(float)

        def count(metric, value):
            counts[metric] = max(counts[metric], value) if metric == "EventAge" else counts[metric] + value

        function = getattr(context, "function_name", None)
        self.logger.append_keys(function_request_id=getattr(context, "aws_request_id", None))
        try:
            yield count
        finally:
            self._write(counts, function)

    def _write(self, counts, function):
        if not counts:
            return
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self.service)
        if function:
            # Two deployments in one account and region count apart.
            metrics.add_dimension(name=FUNCTION, value=function)
        for metric, value in counts.items():
            metrics.add_metric(name=metric, unit=UNITS[metric], value=value)
        metrics.flush_metrics()
