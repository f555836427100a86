from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from local.patches import cloudwatch as cloudwatch_patches
from tests.local.patching import patched

# Half past a minute, and not at the begin of a period of five.
MOMENT = datetime(2026, 5, 7, 12, 3, 30, tzinfo=UTC)
HOURS = {"StartTime": datetime(2026, 5, 7, 11, 1, 20, tzinfo=UTC), "EndTime": datetime(2026, 5, 7, 13, tzinfo=UTC)}

STAT = {"Period": 60, "Stat": "Sum"}


def put(stage, namespace="Tests", dimensions=None, moment=MOMENT, **values):
    named = [{"Name": key, "Value": value} for key, value in (dimensions or {}).items()]
    datum = {"MetricName": "Lag", "Dimensions": named, "Timestamp": moment, **values}
    stage.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])


def get(stage, stat, dimensions=None, *, period=60, **options):
    """Return the values of a metric by time."""
    named = [{"Name": key, "Value": value} for key, value in (dimensions or {}).items()]
    metric = {"Namespace": "Tests", "MetricName": "Lag", "Dimensions": named}
    query = {"Id": "lag", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}
    answer = stage.client("cloudwatch").get_metric_data(MetricDataQueries=[query], **{**HOURS, **options})
    (result,) = answer["MetricDataResults"]
    return dict(zip(result["Timestamps"], result["Values"], strict=True))


@patched(cloudwatch_patches.store_by_minute)
def test_values_of_a_minute_are_one_point_with_the_time_of_the_minute(stage):
    put(stage, Value=1)
    put(stage, Value=5, moment=MOMENT.replace(second=59))
    points = stage.client("cloudwatch").get_metric_statistics(
        Namespace="Tests", MetricName="Lag", Period=60, Statistics=["Sum", "Maximum", "SampleCount"], **HOURS
    )["Datapoints"]
    assert [point["Timestamp"] for point in points] == [MOMENT.replace(second=0)]
    assert (points[0]["Sum"], points[0]["Maximum"], points[0]["SampleCount"]) == (6, 5, 2)


@patched(cloudwatch_patches.answer_exact_queries, raises=TypeError)
def test_percentile_is_taken_over_all_values_of_a_period(stage):
    put(stage, Values=[1, 2], Counts=[97, 1])
    put(stage, Values=[30, 40], moment=MOMENT.replace(minute=4))
    found = {stat: get(stage, stat, period=300) for stat in ("p50", "p98", "p99", "p99.9", "p100")}
    # 100 values: the 98th is 2, the 99th 30.
    begin = MOMENT.replace(minute=0, second=0)
    assert found == {stat: {begin: value} for stat, value in zip(found, (1, 2, 30, 40, 40), strict=True)}


@patched(cloudwatch_patches.answer_exact_queries)
def test_query_selects_the_exact_dimensions_in_any_order_and_its_own_namespace(stage):
    three = {"service": "a", "function_name": "b", "deployment": "c"}
    put(stage, dimensions=three, Value=1)
    put(stage, dimensions={"service": "a"}, Value=10)
    put(stage, Value=100)
    put(stage, dimensions=three, namespace="Others", Value=1000)
    reordered = {"deployment": "c", "service": "a", "function_name": "b"}
    assert list(get(stage, "Sum", dimensions=reordered).values()) == [1]
    assert list(get(stage, "Sum").values()) == [100]


@patched(cloudwatch_patches.answer_exact_queries)
def test_periods_begin_at_multiples_of_their_length_and_the_newest_is_first(stage):
    put(stage, Value=1)
    put(stage, Value=2, moment=MOMENT.replace(minute=7))
    begins = [MOMENT.replace(minute=minute, second=0) for minute in (5, 0)]
    assert list(get(stage, "Sum", period=300).items()) == [(begins[0], 2), (begins[1], 1)]
    assert list(get(stage, "Sum", period=300, ScanBy="TimestampAscending")) == begins[::-1]


@patched()
def test_statistic_set_keeps_its_statistics(stage):
    put(stage, StatisticValues={"SampleCount": 2, "Sum": 6, "Minimum": 1, "Maximum": 5})
    found = {stat: list(get(stage, stat).values()) for stat in cloudwatch_patches.STATISTICS}
    assert found == {"Sum": [6], "Average": [3], "Minimum": [1], "Maximum": [5], "SampleCount": [2]}


@patched(cloudwatch_patches.list_each_metric_once)
def test_metric_with_values_in_two_minutes_is_listed_once(stage):
    metrics = [{}, {"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "2"}]
    for minute in (3, 4):
        for dimensions in metrics:
            put(stage, dimensions=dimensions, moment=MOMENT.replace(minute=minute), Value=1)
    put(stage, namespace="Others", Value=1)
    pages = stage.client("cloudwatch").get_paginator("list_metrics").paginate(MetricName="Lag")
    listed = [(metric["Namespace"], metric["Dimensions"]) for page in pages for metric in page["Metrics"]]
    found = [(namespace, {each["Name"]: each["Value"] for each in one}) for namespace, one in listed]
    assert found == [*(("Tests", dimensions) for dimensions in metrics), ("Others", {})]


def calculate(stage, expression):
    """Return the value of an expression of the metrics `a` and `b` by the minute."""
    metric = {"Namespace": "Tests", "MetricName": "Lag"}
    queries = [
        {"Id": name, "ReturnData": False, "MetricStat": {"Metric": {**metric, "Dimensions": dimensions}, **STAT}}
        for name, dimensions in {"a": [], "b": [{"Name": "side", "Value": "b"}]}.items()
    ]
    answer = stage.client("cloudwatch").get_metric_data(
        MetricDataQueries=[*queries, {"Id": "c", "Expression": expression}], **HOURS
    )
    (result,) = answer["MetricDataResults"]
    return {time.minute: value for time, value in zip(result["Timestamps"], result["Values"], strict=True)}


@patched(cloudwatch_patches.answer_exact_queries)
def test_expression_has_a_value_where_each_of_its_metrics_has_one(stage):
    for minute, value in {1: 4, 2: 6}.items():
        put(stage, moment=MOMENT.replace(minute=minute), Value=value)
    for minute, value in {2: 3, 3: 5}.items():
        put(stage, moment=MOMENT.replace(minute=minute), dimensions={"side": "b"}, Value=value)
    assert calculate(stage, "(a + 2) * SUM(b) / 4") == {1: 12, 2: 16}
    assert calculate(stage, "a - b") == {2: 3}
    assert calculate(stage, "a / (b - b)") == {}
    assert calculate(stage, "a * (SUM(b) / 0)") == {}


@patched(cloudwatch_patches.answer_exact_queries)
def test_expression_that_is_not_evaluated_is_refused(stage):
    for expression in ("FILL(a, 0)", "a ** 2", "a +", "missing + 1", "1", "SEARCH('x')"):
        with pytest.raises(ClientError, match="evaluates only"):
            calculate(stage, expression)


@patched(cloudwatch_patches.answer_exact_queries, raises=TypeError)
def test_unknown_statistic_is_refused(stage):
    put(stage, Value=1)
    with pytest.raises(ClientError, match="Median"):
        get(stage, "Median")
