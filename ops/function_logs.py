"""Log lines of functions, from CloudWatch Logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tasks.utils.s3_object import S3Object

ERRORS = '{ $.level = "ERROR" }'

# What a pattern takes as it is; any other character becomes a wildcard. The pattern only saves reading: each line is
# compared with the whole key. (Amazon CloudWatch Logs User Guide, "Using filter patterns to match terms in JSON log
# events".)
PLAIN = re.compile(r"[^A-Za-z0-9_./-]+")
# A pattern has 1,024 characters at most, and this one holds the key three times.
KEY_IN_PATTERN = 250


@dataclass(frozen=True)
class LogLine:
    """A line of a function's log.

    Attributes:
        function: the name of the function.
        time: when it was written.
        fields: its JSON.
    """

    function: str
    time: datetime
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a field as a text, "" if it is missing."""
        value = self.fields.get(name)
        return "" if value is None else str(value)

    @property
    def about(self) -> str:
        """The key or the file set that it names, or ""."""
        return self.text("key") or self.text("set")


def log_lines(logs: Any, function: str, *, pattern: str, since: datetime) -> Iterator[LogLine]:
    """Yield the lines of a function that are JSON objects; none if it has no log group yet.

    Args:
        logs: a boto3 CloudWatch Logs client.
        function: the name of the function.
        pattern: a filter pattern, which saves reading; the answer may hold other lines.
        since: the time of the first line.
    """
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}", filterPattern=pattern, startTime=round(since.timestamp() * 1000)
    )
    try:
        for page in pages:
            yield from (line for event in page["events"] if (line := _line(function, event)))
    except ClientError as error:
        # The classes in `logs.exceptions` are made on first use, and two threads may make two of each.
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def last_error(logs: Any, function: str, since: datetime) -> LogLine | None:
    """Return the newest ERROR line of a function, or None."""
    lines = log_lines(logs, function, pattern=ERRORS, since=since)
    return max((line for line in lines if line.text("level") == "ERROR"), key=lambda line: line.time, default=None)


def lines_about(logs: Any, function: str, key: str, prefix: str, since: datetime) -> list[LogLine]:
    """Return the lines of a function about a key, or about the file set with this prefix, in the order of time."""
    set_pattern = f' || ($.set = "{_plain(prefix)}")' if prefix else ""
    pattern = f'{{ ($.key = "{_plain(key)}") || ($.object = "*{_plain(key)}*"){set_pattern} }}'
    lines = log_lines(logs, function, pattern=pattern, since=since)
    return sorted((line for line in lines if _is_about(line, key, prefix)), key=lambda line: line.time)


def _is_about(line: LogLine, key: str, prefix: str) -> bool:
    named = line.text("object").partition("?versionId=")[0].partition("//")[2].partition("/")[2]
    is_in_set = bool(prefix) and line.text("set") == prefix
    return line.fields.get("key") == key or is_in_set or named == str(S3Object("", key)).removeprefix("s3:///")


def _plain(text: str) -> str:
    plain = PLAIN.sub("*", text)
    return plain if len(plain) <= KEY_IN_PATTERN else plain[:KEY_IN_PATTERN] + "*"


def _line(function: str, event: dict[str, Any]) -> LogLine | None:
    try:
        fields = json.loads(event["message"])
    except ValueError:
        return None
    time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return LogLine(function, time, fields) if isinstance(fields, dict) else None
