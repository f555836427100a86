"""Metrics: stored by minute, and queried by their exact dimensions, in aligned periods, with percentiles.

Sources: Amazon CloudWatch User Guide, "CloudWatch concepts"; Amazon CloudWatch API Reference, GetMetricData and
ListMetrics.
"""

import math
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum, MetricDatumBase, Statistics
from moto.core.utils import utcnow

from local.patches.hooks import HOOKS
from local.patches.metric_math import Series, evaluate
from local.patches.patching import patch

STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")

# Moto's own times have no time zone.
EPOCH = datetime(1970, 1, 1)

_storing = threading.Lock()


class _Minute(MetricAggregatedDatum):
    """The values of one metric in one minute, each with the number of its occurrences."""

    def __init__(self, namespace: str, name: str, dimensions: list[dict[str, str]], timestamp: datetime, unit: Any):
        super().__init__(namespace, name, math.inf, -math.inf, 0, 0, dimensions, timestamp, unit)
        self.values: Counter[float] = Counter()

    def add(self, value: float, count: int) -> None:
        """Add a value that occurred some times."""
        self.values[value] += count
        self.min, self.max = min(self.min, value), max(self.max, value)
        self.sample_count += count
        self.sum += value * count


@patch(CloudWatchBackend, "put_metric_data")
def store_by_minute(original: Any, backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    """CloudWatch stores the values of a metric by minute; moto stores each one apart, with the time to the microsecond.

    Amazon CloudWatch User Guide, "CloudWatch concepts", Resolution.
    """
    # Moto's own validation. Statistic sets have no single values, and moto stores them well.
    original(backend, namespace, [metric for metric in metric_data if "StatisticValues" in metric])
    for number, metric in enumerate(metric_data, 1):
        backend._validate_parameters_put_metric_data(metric, number)  # pylint: disable=protected-access  # no public one
        if "StatisticValues" not in metric:
            with _storing:
                _store(backend, namespace, metric)


def _store(backend: Any, namespace: str, metric: Mapping[str, Any]) -> None:
    timestamp, dimensions = _minute_of(metric.get("Timestamp") or utcnow()), metric.get("Dimensions") or []
    minutes: dict[Any, _Minute] = vars(backend).setdefault("_minutes", {})
    key = (namespace, metric["MetricName"], _pairs(dimensions), metric.get("Unit"), timestamp)
    if key not in minutes:
        minutes[key] = _Minute(namespace, metric["MetricName"], dimensions, timestamp, metric.get("Unit"))
        backend.metric_data.append(minutes[key])
    values = metric.get("Values") or [metric.get("Value", 0)]
    for value, count in zip(values, metric.get("Counts") or [1] * len(values), strict=True):
        minutes[key].add(float(value), int(count))


def _minute_of(time: datetime) -> datetime:
    naive = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    return _begin_of_period(naive, HOOKS.metric_seconds)


def _pairs(dimensions: Iterable[Mapping[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((each["Name"], each["Value"]) for each in dimensions)


@patch(CloudWatchBackend, "get_metric_data")
def answer_exact_queries(
    _original: Any,
    backend: Any,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampDescending",
) -> list[dict[str, Any]]:
    """A query selects one metric, by namespace, name and all dimensions, and its periods begin at multiples of their
    length. An expression is the metric math of other queries. Moto mixes namespaces, confuses sets of three dimensions,
    starts periods at `StartTime`, and knows neither percentiles nor metric math.
    """
    last_moment = timedelta(seconds=HOOKS.metric_seconds) - timedelta(microseconds=1)
    start, end = _minute_of(start_time), _minute_of(end_time + last_moment)
    if start >= end:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    metrics = {
        query["Id"]: _series(backend, query["MetricStat"], start, end) for query in queries if "MetricStat" in query
    }
    newest_first = scan_by == "TimestampDescending"
    return [_answer(query, metrics, newest_first) for query in queries if query.get("ReturnData", True)]


@patch(CloudWatchBackend, "get_filtered_metrics")
def list_each_metric_once(original: Any, *arguments: Any) -> list[MetricDatumBase]:
    """ListMetrics lists each metric once. Moto lists one without dimensions, and one with several, once a minute."""
    metrics = {
        (datum.namespace, datum.name, frozenset((each.name, each.value) for each in datum.dimensions)): datum
        for datum in original(*arguments)
    }
    return list(metrics.values())


def _answer(query: Mapping[str, Any], metrics: Mapping[str, Series], newest_first: bool) -> dict[str, Any]:
    series = _evaluate(query["Expression"], metrics) if "Expression" in query else metrics[query["Id"]]
    timestamps = sorted(series, reverse=newest_first)
    return {
        "id": query["Id"],
        "label": query.get("Label") or query["Id"],
        "values": [series[timestamp] for timestamp in timestamps],
        "timestamps": timestamps,
        "status_code": "Complete",
    }


def _evaluate(expression: str, metrics: Mapping[str, Series]) -> Series:
    try:
        return evaluate(expression, metrics)
    except ValueError as error:
        raise ValidationError(f"The embedded AWS evaluates only + - * / and SUM of metrics: {expression}") from error


def _series(backend: Any, wanted: Mapping[str, Any], start: datetime, end: datetime) -> Series:
    """Return the value of a statistic in each period."""
    by_period: dict[datetime, list[MetricDatumBase]] = {}
    for datum in _data_of(backend, wanted):
        begin = _begin_of_period(datum.timestamp, int(wanted["Period"]))
        if _begin_of_period(start, int(wanted["Period"])) <= begin < end:
            by_period.setdefault(begin, []).append(datum)
    return {begin: _statistic(wanted["Stat"], data) for begin, data in by_period.items()}


def _data_of(backend: Any, wanted: Mapping[str, Any]) -> Iterator[MetricDatumBase]:
    metric, unit = wanted["Metric"], wanted.get("Unit")
    pairs = _pairs(metric.get("Dimensions") or [])
    for datum in backend.get_all_metrics():
        is_named = datum.namespace == metric["Namespace"] and datum.name == metric["MetricName"]
        if is_named and unit in (None, datum.unit) and {(each.name, each.value) for each in datum.dimensions} == pairs:
            yield datum


def _begin_of_period(time: datetime, seconds: int) -> datetime:
    return EPOCH + (time - EPOCH) // timedelta(seconds=seconds) * timedelta(seconds=seconds)


def _statistic(name: str, data: list[MetricDatumBase]) -> float:
    if percentile := PERCENTILE.fullmatch(name):
        return _percentile(float(percentile[1]), data)
    if name not in STATISTICS:
        raise ValidationError(f"The value {name} for parameter MetricStat.Stat is not supported.")
    statistics = Statistics([name], data[0].timestamp)
    statistics.metric_data = data
    value: Any = statistics.get_statistics_for_type(name)
    return float(value)


def _percentile(percentage: float, data: list[MetricDatumBase]) -> float:
    """Return the least value that is not below a percentage of all values."""
    values: Counter[float] = sum((datum.values for datum in data if isinstance(datum, _Minute)), Counter())
    rank = math.ceil(values.total() * percentage / 100)
    for value in sorted(values):
        rank -= values[value]
        if rank <= 0:
            return value
    raise ValidationError("Percentiles need single values, and this metric has statistic sets.")
