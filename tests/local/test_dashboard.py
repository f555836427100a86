"""The picture of the dashboard, and the metrics that it is drawn from."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from local.dashboard.graphs import Period, graph_of
from local.dashboard.picture import draw
from local.patches import cloudwatch as cloudwatch_patches
from tests.local.patching import client
from tests.support.mocked import patched_aws

START = datetime(2026, 5, 7, 12, tzinfo=UTC)
PERIOD = Period(START, START + timedelta(minutes=10), 60)
SVG = "{http://www.w3.org/2000/svg}"
QUEUE = ["QueueName", "q"]


@pytest.fixture(name="cloudwatch")
def cloudwatch_with_values():
    with patched_aws():
        cloudwatch = client("cloudwatch")
        for minute, value in {1: 10, 2: 40, 5: 20}.items():
            put(cloudwatch, "Waiting", minute, value)
        yield cloudwatch


def put(cloudwatch, name, minute, value):
    datum = {
        "MetricName": name,
        "Dimensions": [{"Name": "QueueName", "Value": "q"}],
        "Timestamp": START + timedelta(minutes=minute),
        "Value": value,
    }
    cloudwatch.put_metric_data(Namespace="Tests", MetricData=[datum])


def row(name="Waiting", **options):
    return ["Tests", name, *QUEUE, {"label": "waiting", "stat": "Maximum", "color": "#1f77b4", **options}]


def properties(*rows, limits=(), title="Objects pending"):
    axis = {"left": {"label": "messages", "min": 0}}
    found = {"title": title, "metrics": list(rows), "yAxis": axis}
    return {**found, "annotations": {"horizontal": list(limits)}} if limits else found


def widget(x, y, **more):
    return {"type": "metric", "x": x, "y": y, "width": 6, "height": 6, **more}


def picture(cloudwatch, *widgets):
    """Return the parsed picture of a dashboard."""
    return ElementTree.fromstring(draw(cloudwatch, {"widgets": list(widgets)}, PERIOD))


def texts(svg):
    return [text.text for text in svg.iter(f"{SVG}text")]


def test_graph_has_the_values_of_its_metrics_and_hides_what_only_an_expression_needs(cloudwatch):
    hidden = row(id="waiting", visible=False)
    doubled = [{"id": "doubled", "expression": "waiting * 2", "label": "doubled", "color": "#ff7f0e"}]
    graph = graph_of(cloudwatch, properties(hidden, doubled), PERIOD)
    ((label, values),) = [(line.label, [value for _, value in line.points]) for line in graph.lines]
    assert (label, values) == ("doubled", [20, 80, 40])


def test_neighboring_values_are_a_line_and_a_lone_value_is_a_dot(cloudwatch):
    svg = picture(cloudwatch, widget(0, 0, properties=properties(row())))
    (line,) = svg.iter(f"{SVG}polyline")
    (_, first), (_, second) = (tuple(map(float, pair.split(","))) for pair in line.get("points").split())
    assert first > second, "40 is higher than 10, and y grows downwards"
    (dot,) = svg.iter(f"{SVG}circle")
    assert second < float(dot.get("cy")) < first


def test_limit_is_inside_the_plot_even_if_all_values_are_lower(cloudwatch):
    limit = {"label": "time-out", "value": 900_000, "color": "#d62728"}
    svg = picture(cloudwatch, widget(0, 0, properties=properties(row(), limits=[limit])))
    assert "time-out 900k" in texts(svg)
    (dashed,) = [line for line in svg.iter(f"{SVG}line") if line.get("stroke-dasharray")]
    assert 0 <= float(dashed.get("y1")) < 60


def test_widgets_have_their_places_and_titles(cloudwatch):
    title = {"type": "text", "x": 0, "y": 0, "width": 24, "height": 1, "properties": {"markdown": "## archive_copy"}}
    graphs = [widget(x, 1, properties=properties(row(), title=f"graph {x}")) for x in (0, 6)]
    svg = picture(cloudwatch, title, *graphs)
    assert {"archive_copy", "graph 0", "graph 6", "messages", "waiting"} <= set(texts(svg))
    places = [group.get("transform") for group in svg.findall(f"{SVG}g")]
    assert len(set(places)) == 3 and all(re.fullmatch(r"translate\(\d+ \d+\)", place) for place in places)


def test_hostile_label_stays_a_text(cloudwatch):
    label = "</text><script>alert(1)</script>"
    svg = picture(cloudwatch, widget(0, 0, properties=properties(row(label=label))))
    assert label in texts(svg)
    assert not list(svg.iter(f"{SVG}script"))


def test_graph_without_values_is_drawn_empty(cloudwatch):
    svg = picture(cloudwatch, widget(0, 0, properties=properties(row(name="Unknown"))))
    assert not list(svg.iter(f"{SVG}polyline"))
    assert "Objects pending" in texts(svg)


def test_resolution_of_metrics_can_be_finer_than_a_minute():
    assert cloudwatch_patches.HOOKS.metric_seconds == 60
    with patched_aws() as hooks:
        hooks.metric_seconds = 5
        cloudwatch = client("cloudwatch")
        for seconds in (0, 4, 5):
            put(cloudwatch, "Waiting", seconds / 60, 1)
        period = Period(START, START + timedelta(seconds=20), 5)
        (line,) = graph_of(cloudwatch, properties(row(stat="Sum")), period).lines
    assert [value for _, value in line.points] == [2, 1]
