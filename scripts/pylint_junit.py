"""Pylint's output as JUnit XML: `python -m scripts.pylint_junit REPORT.xml OUTPUT.json...`."""

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict
from xml.etree import ElementTree


class Message(TypedDict):
    """The fields of a message that the report uses."""

    path: str
    line: int
    column: int
    messageId: str
    symbol: str
    message: str


class Output(TypedDict):
    """The output of a pylint run, in its `json2` format."""

    messages: list[Message]


def junit(outputs: Sequence[Output]) -> "ElementTree.ElementTree[ElementTree.Element]":
    """Return a report with a failed case for each file with messages, and a passed case for all other files.

    Args:
        outputs: The parsed output of pylint runs.
    """
    messages = defaultdict(list)
    for message in (message for output in outputs for message in output["messages"]):
        place, name = f"{message['line']}:{message['column']}", f"{message['messageId']} ({message['symbol']})"
        messages[message["path"]].append(f"{place}: {name} {message['message']}")
    suite = ElementTree.Element("testsuite", name="pylint", tests=str(len(messages) + 1), failures=str(len(messages)))
    ElementTree.SubElement(suite, "testcase", classname="pylint", name="all other files")
    for path, texts in sorted(messages.items()):
        case = ElementTree.SubElement(suite, "testcase", classname="pylint", name=path, file=path)
        ElementTree.SubElement(case, "failure", message=texts[0]).text = "\n".join(texts)
    return ElementTree.ElementTree(suite)


def main() -> None:
    """Read pylint's output and write the report."""
    report, *outputs = map(Path, sys.argv[1:])
    parsed = [json.loads(output.read_text(encoding="utf-8")) for output in outputs]
    junit(parsed).write(report, encoding="utf-8", xml_declaration=True)


if __name__ == "__main__":
    main()
