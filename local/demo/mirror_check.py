"""The part of the demo for mirror_check: another writer changes the mirror, and the next check counts it."""

import time
from typing import Any

from local.demo.lines import fields
from local.demo.mirror import TIMEOUT_SECONDS, Mirror
from local.demo.result import Result
from local.demo.screen import Headings, Screen
from local.embedded_aws import EmbeddedAws
from local.stack import Stack
from tasks.utils.s3_object import printable

VARIABLES = {"mirror_check_enabled": True, "mirror_check_lag_seconds": 0}

# What another writer puts into the mirror.
FOREIGN = "reports/written by another.csv"

HEADINGS: Headings = {"key": "left", "sides": "left", "cause": "left", "how it is known": "left"}

POLL_SECONDS = 0.05


def prepare(_aws: EmbeddedAws) -> None:
    """Create nothing: the task uses what the mirror has."""


def run(stack: Stack, screen: Screen) -> Result:
    """Put a foreign object into the mirror and remove it again, and show what a check says of each state.

    Args:
        stack: The running stack.
        screen: The output.
    """
    mirror = Mirror.of(stack)
    where = {"Bucket": mirror.outputs["destination_bucket"], "Key": FOREIGN}
    screen.title(f"mirror_check: checks of {mirror.outputs['source_bucket']} and {where['Bucket']}")
    foreign = mirror.destination.put_object(**where, Body=b"not from here")
    planted = check(stack)
    with screen.table(HEADINGS) as show:
        for line in planted:
            if line["message"] == "different":
                cells = (printable(line["key"]), line["result"], line["cause"], line["detail"])
                show(cells, colour="yellow")
    # The version itself, so that no delete marker stays.
    mirror.destination.delete_object(**where, VersionId=foreign["VersionId"])
    found, left = (lines[-1]["different"] for lines in (planted, check(stack)))
    sentence = f"{found} difference planted in the mirror and named by its check, {left} found after its removal"
    return Result({"planted_found": found, "planted_left": left}, sentence, passed=(found, left) == (1, 0))


def check(stack: Stack) -> list[dict[str, Any]]:
    """Start a check as the schedule does; return its log lines about keys and its end.

    Raises:
        TimeoutError: It did not end.
    """
    outputs = stack.outputs["mirror_check"]
    name, before = outputs["function_name"], len(stack.functions.logs(outputs["function_name"]))
    stack.scheduler.send(outputs["schedule"], group=outputs["schedule_group"])
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        lines = [fields(line) for line in stack.functions.logs(name)[before:]]
        if any(line.get("message") == "a run is over" for line in lines):
            return [line for line in lines if line.get("message") in ("different", "a run is over")]
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"the check did not end within {TIMEOUT_SECONDS} s")
