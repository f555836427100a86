"""Log lines that hold metrics, in CloudWatch's embedded metric format.

Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import LogsBackend

from local.patches.patching import patch


@patch(LogsBackend, "put_log_events")
def extract_metrics(
    original: Any, backend: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
) -> Any:
    """CloudWatch Logs extracts the metrics of a line in the embedded metric format; moto only stores the line."""
    answer = original(backend, log_group_name, log_stream_name, log_events)
    metrics = cloudwatch_backends[backend.account_id][backend.region_name]
    for event in log_events:
        # A line that breaks the format is a line like any other.
        with suppress(ValueError, TypeError, LookupError, AttributeError, OverflowError):
            for namespace, data in list(_embedded(event["message"])):
                metrics.put_metric_data(namespace, data)
    return answer


def _embedded(message: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Return each namespace of a line, with its metrics as the members of PutMetricData."""
    document = json.loads(message) if '"_aws"' in message else {}
    metadata = document.get("_aws", {})
    for directive in metadata.get("CloudWatchMetrics", []):
        timestamp = datetime.fromtimestamp(metadata["Timestamp"] / 1000, UTC)
        yield (
            directive["Namespace"],
            [
                {**_values(document, metric), "Dimensions": _dimensions(document, names), "Timestamp": timestamp}
                for names in directive["Dimensions"]
                for metric in directive["Metrics"]
            ],
        )


def _values(document: dict[str, Any], metric: dict[str, Any]) -> dict[str, Any]:
    value = document[metric["Name"]]
    values = [float(each) for each in (value if isinstance(value, list) else [value])]
    return {"MetricName": metric["Name"], "Unit": metric.get("Unit"), "Values": values}


def _dimensions(document: dict[str, Any], names: list[str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": str(document[name])} for name in names]
