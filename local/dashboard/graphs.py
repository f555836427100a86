"""The graphs of a dashboard with their values, as GetMetricData returns them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Period:
    """The time that a picture shows.

    Attributes:
        start: Its begin.
        end: Its end.
        seconds: The distance of two values.
    """

    start: datetime
    end: datetime
    seconds: int


@dataclass(frozen=True)
class Line:
    """One metric of a graph.

    Attributes:
        label: Its name in the legend.
        color: Its color, as CSS has it.
        points: Its values by time, oldest first.
    """

    label: str
    color: str
    points: Sequence[tuple[datetime, float]]


@dataclass(frozen=True)
class Graph:
    """A metric widget.

    Attributes:
        title: Its title.
        unit: The label of its axis.
        lines: Its metrics.
        limits: Its horizontal lines, each with a single point.
    """

    title: str
    unit: str
    lines: Sequence[Line]
    limits: Sequence[tuple[str, float, str]]


def graph_of(cloudwatch: Any, properties: Mapping[str, Any], period: Period) -> Graph:
    """Return the graph of a widget.

    Args:
        cloudwatch: A client of CloudWatch.
        properties: The properties of the widget.
        period: The time to show.
    """
    queries = list(_queries(properties, period.seconds))
    results = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=period.start, EndTime=period.end, ScanBy="TimestampAscending"
    )["MetricDataResults"]
    colors = {f"{_options(row).get('id', f'm{number}')}": _options(row) for number, row in _rows(properties)}
    lines = [
        Line(result["Label"], colors[result["Id"]]["color"], list(zip(result["Timestamps"], result["Values"])))
        for result in results
    ]
    limits = properties.get("annotations", {}).get("horizontal", [])
    return Graph(
        properties["title"],
        properties["yAxis"]["left"]["label"],
        lines,
        [(limit["label"], float(limit["value"]), limit["color"]) for limit in limits],
    )


def _rows(properties: Mapping[str, Any]) -> Iterator[tuple[int, list[Any]]]:
    yield from enumerate(properties["metrics"])


def _options(row: list[Any]) -> dict[str, Any]:
    options: dict[str, Any] = row[-1]
    return options


def _queries(properties: Mapping[str, Any], seconds: int) -> Iterator[dict[str, Any]]:
    for number, row in _rows(properties):
        options = _options(row)
        named = {"Id": options.get("id", f"m{number}"), "Label": options.get("label", "")}
        query = {**named, "ReturnData": options.get("visible", True)}
        if "expression" in options:
            yield {**query, "Expression": options["expression"]}
        else:
            namespace, name, *pairs = row[:-1]
            dimensions = [{"Name": pairs[at], "Value": pairs[at + 1]} for at in range(0, len(pairs), 2)]
            metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
            yield {**query, "MetricStat": {"Metric": metric, "Period": seconds, "Stat": options["stat"]}}
