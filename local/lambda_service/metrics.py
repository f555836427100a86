"""The metrics that Lambda writes for each function, in the namespace `AWS/Lambda`.

Source: AWS Lambda Developer Guide, "Types of metrics for Lambda functions".
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.cloudwatch.models import cloudwatch_backends

NAMESPACE = "AWS/Lambda"
UNITS = {"Duration": "Milliseconds"}


def write_metrics(function: LambdaFunction, values: Mapping[str, float], time: datetime | None = None) -> None:
    """Write values of a function's metrics.

    Args:
        function: The function.
        values: The value of each metric.
        time: The time of the values, now by default. Lambda uses the start of the invocation.
    """
    metrics: list[dict[str, Any]] = [
        {
            "MetricName": name,
            "Value": value,
            "Unit": UNITS.get(name, "Count"),
            "Dimensions": [{"Name": "FunctionName", "Value": function.function_name}],
            "Timestamp": time,
        }
        for name, value in values.items()
    ]
    cloudwatch_backends[function.account_id][function.region].put_metric_data(NAMESPACE, metrics)
