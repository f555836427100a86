"""Draw the dashboard: `python -m local.dashboard FILE`, after `make dist`.

It deploys all tasks to the embedded AWS, gives them work for some minutes, and draws the dashboard that Terraform made
from the metrics of that time. CloudWatch has a value for each minute, and this picture one for every five seconds.
"""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.dashboard.graphs import Period
from local.dashboard.load import Load
from local.dashboard.picture import draw
from local.demo import archive_copy, packages, partition_replicate, upload_validate
from local.demo.external_services import KEYS, external_services
from local.embedded_aws import EmbeddedAws
from local.stack import running
from local.terraform import DeploymentError
from scripts.errors import ScriptError

ROOT = Path(__file__).parents[2]
NAME = "bucket-brigade"

SECONDS = 170
RESOLUTION_SECONDS = 5

# Limits close to the values, so that the picture shows both.
LIMITS = {
    "archive_copy_timeout_seconds": 20,
    "archive_copy_memory_mb": 256,
    "partition_replicate_timeout_seconds": 60,
    "partition_replicate_memory_mb": 512,
    "partition_replicate_maximum_concurrency": 4,
    "partition_replicate_lag_alarm_seconds": 60,
    "upload_validate_timeout_seconds": 60,
    "upload_validate_memory_mb": 256,
    "upload_validate_settle_seconds": 5,
}


def main() -> int:
    """Draw the dashboard.

    Returns:
        The exit status: 1 if the stack could not be deployed.
    """
    parser = argparse.ArgumentParser(prog="python -m local.dashboard", description=__doc__)
    parser.add_argument("file", type=Path, help="the picture, as SVG")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long the tasks work")
    options = parser.parse_args()
    try:
        options.file.write_text(_picture(options.seconds), encoding="utf-8")
    except (DeploymentError, ScriptError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(options.file)
    return 0


def _picture(seconds: int) -> str:
    with external_services() as services, TemporaryDirectory() as folder:
        variables = {
            **archive_copy.VARIABLES,
            **partition_replicate.VARIABLES,
            **upload_validate.variables(services),
            **LIMITS,
        }
        with running(variables, folder=Path(folder) / "terraform", prepare=_prepare) as stack:
            start = datetime.now(UTC)
            Load(stack).run(seconds)
            cloudwatch = stack.aws.client("cloudwatch")
            body = cloudwatch.get_dashboard(DashboardName=NAME)["DashboardBody"]
            end = start + timedelta(seconds=seconds)
            return draw(cloudwatch, json.loads(body), Period(start, end, RESOLUTION_SECONDS))


def _prepare(aws: EmbeddedAws) -> dict[str, Any]:
    aws.hooks.metric_seconds = RESOLUTION_SECONDS
    for name, value in KEYS.items():
        aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    return {**packages.prepare(aws, ROOT / "dist"), **partition_replicate.prepare(aws)}


if __name__ == "__main__":
    sys.exit(main())
