"""Metrics from CloudWatch: those of the functions and of SQS in the last hour, and the number of a bucket's objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# The namespace of the functions' own metrics, and the dimension that names the function: `docs/reference.md`.
OURS = "BucketBrigade"
FUNCTION = "function_name"
SQS = "AWS/SQS"
S3 = "AWS/S3"

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# The end of the time span is exclusive, and CloudWatch dates a value by its minute.
MINUTE = timedelta(minutes=1)
PERIOD_SECONDS = 300
# What GetMetricData takes in one request.
QUERIES = 500


@dataclass(frozen=True)
class Series:
    """The values of a metric in the last hour, one for five minutes.

    Attributes:
        namespace: its namespace.
        name: its name.
        dimensions: its dimensions, as CloudWatch has them.
        values: the values, the newest first; a time without values has none.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    values: Sequence[float] = ()


def of_functions(cloudwatch: Any, functions: Iterable[str], names: Sequence[str]) -> list[Series]:
    """Return the functions' own metrics, without values.

    CloudWatch selects a metric by all of its dimensions, so they are read from CloudWatch.
    """
    pages = cloudwatch.get_paginator("list_metrics")
    return [
        Series(OURS, metric["MetricName"], tuple((each["Name"], each["Value"]) for each in metric["Dimensions"]))
        for function in functions
        for page in pages.paginate(Namespace=OURS, Dimensions=[{"Name": FUNCTION, "Value": function}])
        for metric in page["Metrics"]
        if metric["MetricName"] in names
    ]


def of_queues(queues: Iterable[str], name: str) -> list[Series]:
    """Return a metric of SQS for each queue, without values."""
    return [Series(SQS, name, (("QueueName", queue),)) for queue in queues]


def with_values(cloudwatch: Any, series: Sequence[Series], *, sums: Iterable[str]) -> list[Series]:
    """Return the series with the values of the last hour: sums of the metrics in `sums`, else maxima."""
    found: list[Series] = []
    now, summed = datetime.now(UTC), frozenset(sums)
    for start in range(0, len(series), QUERIES):
        part = series[start : start + QUERIES]
        queries = [
            _query(number, each, "Sum" if each.name in summed else "Maximum") for number, each in enumerate(part)
        ]
        values: dict[str, list[float]] = {query["Id"]: [] for query in queries}
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=now - HOUR, EndTime=now + MINUTE, ScanBy="TimestampDescending"
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                values[result["Id"]] += result["Values"]
        found += [
            Series(each.namespace, each.name, each.dimensions, values[f"m{number}"]) for number, each in enumerate(part)
        ]
    return found


def objects_in(cloudwatch: Any, bucket: str) -> int | None:
    """Return the number of objects in a bucket, as S3 counts them once a day; None if it has not counted them yet.

    Older versions, delete markers and the parts of open uploads count too.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
    """
    dimensions = {"BucketName": bucket, "StorageType": "AllStorageTypes"}
    now = datetime.now(UTC)
    points = cloudwatch.get_metric_statistics(
        Namespace=S3,
        MetricName="NumberOfObjects",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        # The number of a day may come a day later.
        StartTime=now - 3 * DAY,
        EndTime=now,
        Period=int(DAY.total_seconds()),
        Statistics=["Average"],
    )["Datapoints"]
    newest = max(points, key=lambda point: point["Timestamp"], default=None)
    return int(newest["Average"]) if newest else None


def _query(number: int, series: Series, statistic: str) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in series.dimensions]
    metric = {"Namespace": series.namespace, "MetricName": series.name, "Dimensions": dimensions}
    return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": PERIOD_SECONDS, "Stat": statistic}}
