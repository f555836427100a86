"""A dashboard as SVG, in the places that its widgets have in CloudWatch."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Any

from local.dashboard.graphs import Graph, Line, Period, graph_of

# Pixels of a column and of a row of CloudWatch's grid.
COLUMN, ROW = 62, 38
GAP = 4

# The edges of the plot within its widget. The legend is below it.
LEFT, TOP, RIGHT = 52, 46, 14
AXIS = 18
LEGEND_ROW = 14

# Pixels of a character of the legend, at its font size.
CHARACTER = 5.5

STYLE = """
text { font-family: "DejaVu Sans", Helvetica, Arial, sans-serif; font-size: 10px; fill: #545b64; }
.task { font-size: 20px; font-weight: bold; fill: #16191f; }
.title { font-size: 12px; font-weight: bold; fill: #16191f; }
.card { fill: #ffffff; stroke: #d5dbdb; }
.grid { stroke: #eaeded; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
"""


def draw(cloudwatch: Any, body: Mapping[str, Any], period: Period) -> str:
    """Return the picture of a dashboard.

    Args:
        cloudwatch: A client of CloudWatch.
        body: The dashboard, from its JSON.
        period: The time to show.
    """
    widgets = body["widgets"]
    width = max(widget["x"] + widget["width"] for widget in widgets) * COLUMN
    height = max(widget["y"] + widget["height"] for widget in widgets) * ROW
    parts = [part for widget in widgets for part in _widget(cloudwatch, widget, period)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    background = f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", background, *parts, "</svg>", ""])


def _widget(cloudwatch: Any, widget: Mapping[str, Any], period: Period) -> Iterator[str]:
    x, y = widget["x"] * COLUMN + GAP, widget["y"] * ROW + GAP
    size = (widget["width"] * COLUMN - 2 * GAP, widget["height"] * ROW - 2 * GAP)
    yield f'<g transform="translate({x} {y})">'
    if widget["type"] == "text":
        yield _text(widget["properties"]["markdown"].lstrip("# "), (6, 24), "task")
    else:
        yield from _graph(graph_of(cloudwatch, widget["properties"], period), size, period)
    yield "</g>"


def _graph(graph: Graph, size: tuple[int, int], period: Period) -> Iterator[str]:
    width, height = size
    legend = list(_legend(graph, width))
    plot = _Plot(width - LEFT - RIGHT, height - TOP - AXIS - LEGEND_ROW * (legend[-1][1] + 1) - 4, graph, period)
    yield f'<rect class="card" width="{width}" height="{height}" rx="2"/>'
    yield _text(graph.title, (10, 18), "title")
    yield _text(graph.unit, (10, 34))
    yield f'<g transform="translate({LEFT} {TOP})">'
    yield from plot.axes()
    yield from plot.limits()
    for line in graph.lines:
        yield from plot.line(line)
    yield "</g>"
    for left, row, label, color in legend:
        y = TOP + plot.height + AXIS + LEGEND_ROW * row + 12
        yield f'<rect x="{left}" y="{y - 8}" width="9" height="9" fill="{escape(color)}"/>'
        yield _text(label, (left + 13, y))


def _legend(graph: Graph, width: int) -> Iterator[tuple[float, int, str, str]]:
    """Yield place, row, label and color of each entry."""
    left, row = 10.0, 0
    for line in graph.lines:
        needed = 13 + CHARACTER * len(line.label) + 10
        if left > 10 and left + needed > width:
            left, row = 10.0, row + 1
        yield left, row, line.label, line.color
        left += needed


class _Plot:
    """The plane of a graph.

    Args:
        width: Its width in pixels.
        height: Its height in pixels.
        graph: The graph.
        period: The time that its width shows.
    """

    def __init__(self, width: float, height: float, graph: Graph, period: Period):
        self.height = height
        self._width = width
        self._graph = graph
        self._period = period
        values = [value for line in graph.lines for _, value in line.points]
        self._top = _round_up(max([*values, *(value for _, value, _ in graph.limits), 1]))

    def axes(self) -> Iterator[str]:
        """Yield both axes, with a line and a number at each half of the values, and with times."""
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
            y = self.height * (1 - share)
            yield f'<line class="grid" x1="0" y1="{y:.1f}" x2="{self._width}" y2="{y:.1f}"/>'
            yield _text(_short(self._top * share), (-6, y + 3), anchor="end")
            moment = self._period.start + (self._period.end - self._period.start) * share
            yield _text(f"{moment:%H:%M:%S}", (self._width * share, self.height + 13), anchor=anchor)

    def limits(self) -> Iterator[str]:
        """Yield the horizontal lines with their names."""
        for label, value, color in self._graph.limits:
            y = self._y(value)
            yield (
                f'<line x1="0" y1="{y:.1f}" x2="{self._width}" y2="{y:.1f}" stroke="{escape(color)}"'
                ' stroke-dasharray="5 3"/>'
            )
            yield _text(f"{label} {_short(value)}", (self._width, y - 4), anchor="end")

    def line(self, line: Line) -> Iterator[str]:
        """Yield a line through the values of neighboring periods, and a dot for each value that has no neighbor."""
        for run in self._runs(line.points):
            places = [(self._x(time), self._y(value)) for time, value in run]
            if len(places) == 1:
                yield f'<circle cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="2.2" fill="{escape(line.color)}"/>'
            else:
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
                yield f'<polyline class="line" stroke="{escape(line.color)}" points="{path}"/>'

    def _runs(self, points: Iterable[tuple[datetime, float]]) -> Iterator[list[tuple[datetime, float]]]:
        run: list[tuple[datetime, float]] = []
        for time, value in points:
            if run and time - run[-1][0] > timedelta(seconds=self._period.seconds):
                yield run
                run = []
            run.append((time, value))
        if run:
            yield run

    def _x(self, time: datetime) -> float:
        return self._width * ((time - self._period.start) / (self._period.end - self._period.start))

    def _y(self, value: float) -> float:
        return self.height * (1 - value / self._top)


def _text(text: str, place: tuple[float, float], kind: str = "", anchor: str = "start") -> str:
    x, y = place
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _round_up(value: float) -> float:
    """Return the next number of the form 1, 2, 3, 4, 5, 6 or 8 times a power of ten, with some room above the value."""
    power: float = 10.0 ** math.floor(math.log10(value * 1.05))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 1.05)


def _short(value: float) -> str:
    """Return a number with a suffix for thousands, millions or billions."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"
