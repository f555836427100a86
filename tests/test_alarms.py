"""docs/operations.md describes each alarm that Terraform creates, once."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TERRAFORM = sorted(path for path in (ROOT / "terraform").rglob("*.tf") if ".terraform" not in path.parts)
# Terraform makes these names from parts: the dead-letter queues, and `failures.of` of each task.
ENDINGS_OF_PARTS = {
    "present": {"dead-letters-present", "dead-letters.fifo-present", "recheck-dead-letters-present"}
    | {"partition-replicate-undelivered-present"},
    "failed": {"failed-objects", "failed-sets"},
    "lag": {"partition-replicate-lag"},
    "depth": {"partition-replicate-depth"},
}


def endings_in_terraform():
    """The last literal part of each alarm's name: the ending in `alarm_name`, or the key in the map of a module."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in TERRAFORM)
    endings = set(re.findall(r'alarm_name += "[^"]*?\}-([a-z]+)', text))
    return endings | set(re.findall(r"^ +(\w+) = \{\n +metric +=", text, re.MULTILINE))


def alarms_on_the_page():
    """The endings of all alarms in the table, as often as they occur."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = re.search(r"^## When an alarm goes off$(.*?)^## ", page, re.MULTILINE | re.DOTALL)[1]
    cells = re.findall(r"^\| (`\.\.\.-.*?) \|", section, re.MULTILINE)
    return [ending for cell in cells for ending in re.findall(r"`\.\.\.-([^`]+)`", cell)]


def test_each_alarm_of_terraform_is_in_the_table_once():
    expected = set()
    for ending in endings_in_terraform():
        expected |= ENDINGS_OF_PARTS.get(ending, {ending})
    assert sorted(alarms_on_the_page()) == sorted(expected)


def test_alarms_are_found_in_terraform():
    assert {"age", "present", "failed", "errors", "throttles", "recursion", "lag"} <= endings_in_terraform()
