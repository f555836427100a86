"""docs/operations.md names each alarm that Terraform creates, once."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TERRAFORM = sorted(path for path in (ROOT / "terraform").rglob("*.tf") if ".terraform" not in path.parts)
NAME = re.compile(r"`([a-z.-]+)`")


def endings_in_terraform():
    """The last literal part of each alarm's name: the ending in `alarm_name`, or the key in the map of a module."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in TERRAFORM)
    endings = set(re.findall(r'alarm_name += "[^"]*?\}-([a-z]+)', text))
    return endings | set(re.findall(r"^ +(\w+) = \{\n +metric +=", text, re.MULTILINE))


def alarms_on_the_page():
    """The names of all alarms in the table, without the prefix of the deployment, as often as they occur."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = re.search(r"^## When an alarm goes off$(.*?)^## ", page, re.MULTILINE | re.DOTALL)[1]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for cell in cells for name in NAME.findall(cell)]


def ending_of(name):
    # The rest of this name comes from `failures.of` of each task.
    return "failed" if "-failed-" in name else re.split(r"[-.]", name)[-1]


# The deployed demo has exactly the alarms of the table: tests/local/documentation.py compares the whole names.
def test_each_kind_of_alarm_is_in_the_table_and_no_name_twice():
    names = alarms_on_the_page()
    assert {ending_of(name) for name in names} == endings_in_terraform()
    assert len(names) == len(set(names))


def test_alarms_on_a_fifo_queue_have_its_ending():
    on_queues = {
        name for name in alarms_on_the_page() if re.fullmatch(r"partition-replicate(-dead-letters)?[.].*", name)
    }
    assert on_queues == {"partition-replicate.fifo-age", "partition-replicate-dead-letters.fifo-present"}


def test_alarms_are_found_in_terraform():
    assert {"age", "present", "failed", "errors", "throttles", "recursion", "lag"} <= endings_in_terraform()
