"""Pylint's answers as JUnit XML: `python -m scripts.pylint_junit REPORT.xml ANSWER.json...`."""

import json
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree


def junit(answers: list[dict]) -> ElementTree.ElementTree:
    """Turn pylint's answers into a report: a failed case for each file with messages, a passed one for all the others.

    Args:
        answers: the parsed output of pylint runs, in its `json2` format.
    """
    messages = defaultdict(list)
    for message in (message for answer in answers for message in answer["messages"]):
        place, name = f"{message['line']}:{message['column']}", f"{message['messageId']} ({message['symbol']})"
        messages[message["path"]].append(f"{place}: {name} {message['message']}")
    suite = ElementTree.Element("testsuite", name="pylint", tests=str(len(messages) + 1), failures=str(len(messages)))
    ElementTree.SubElement(suite, "testcase", classname="pylint", name="all other files")
    for path, texts in sorted(messages.items()):
        case = ElementTree.SubElement(suite, "testcase", classname="pylint", name=path, file=path)
        ElementTree.SubElement(case, "failure", message=texts[0]).text = "\n".join(texts)
    return ElementTree.ElementTree(suite)


def main() -> None:
    """Read the answers, write the report."""
    report, *answers = map(Path, sys.argv[1:])
    parsed = [json.loads(answer.read_text(encoding="utf-8")) for answer in answers]
    junit(parsed).write(report, encoding="utf-8", xml_declaration=True)


if __name__ == "__main__":
    main()
