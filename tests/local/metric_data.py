"""Metrics of CloudWatch as a test reads them."""

from datetime import UTC, datetime, timedelta


def values_of(cloudwatch, namespace, metric, stat="Sum", *, period=3600, **dimensions):
    """Return the values of a metric in the last and the next hour, oldest first."""
    now = datetime.now(UTC)
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    wanted = {"Namespace": namespace, "MetricName": metric, "Dimensions": named}
    query = {"Id": "a", "MetricStat": {"Metric": wanted, "Period": period, "Stat": stat}}
    (result,) = cloudwatch.get_metric_data(
        MetricDataQueries=[query],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    return result["Values"]


def total_of(cloudwatch, namespace, metric, **dimensions):
    """Return the sum of a metric in the last and the next hour."""
    return sum(values_of(cloudwatch, namespace, metric, **dimensions))
