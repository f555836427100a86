"""Rows of a table from the log lines of all functions: what became of each object, message and file set."""

from collections.abc import Iterator, Sequence
from typing import Any

from local.demo.external_services import ExternalServices
from local.demo.screen import Headings
from tasks.utils.s3_object import printable

HEADINGS: Headings = {"task": "left", "result": "left", "key": "left", "destination or reason": "left"}

COLOURS = {"INFO": "green", "WARNING": "yellow", "ERROR": "red"}

# The names of the fields that say what a line is about, most telling first.
SUBJECTS = ("set", "key", "object", "record", "message_id")


def rows_of(record: dict[str, Any], services: ExternalServices) -> Iterator[tuple[Sequence[str], str]]:
    """Yield cells and colour of each row for a log line; none for a line about the function itself.

    Args:
        record: The fields of the line.
        services: The services outside AWS, which have the errors of a rejected set.
    """
    subject = next((str(record[name]) for name in SUBJECTS if record.get(name)), None)
    if subject is None or "message" not in record:
        return
    result = str(record["message"])
    colour = "yellow" if result.startswith("rejected") else COLOURS.get(str(record.get("level")), "default")
    details = errors_of(record["set"], services) if result.startswith("rejected") else []
    for number, detail in enumerate(details or [_detail(record)]):
        first = (str(record.get("service")), result, printable(subject)) if number == 0 else ("", "", "")
        yield (*first, printable(detail)), colour


def errors_of(prefix: str, services: ExternalServices) -> list[str]:
    """Return the errors of a rejected set, each with the name of its file, from its latest report."""
    reports = [report for report in services.reports if report["set"] == prefix]
    return [
        f"{entry['key'].removeprefix(prefix)}: {error}"
        for entry in (reports[-1]["file_set"] if reports else [])
        for error in filter(None, entry["errors"].split("\n"))
    ]


def _detail(record: dict[str, Any]) -> str:
    # A failed copy has a destination too, which it did not reach.
    names = ("reason",) if record.get("level") == "ERROR" else ("destination", "reason")
    found = [str(record[name]) for name in names if record.get(name)]
    return ": ".join(found) or (_count(record["files"]) if "files" in record else "")


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"
