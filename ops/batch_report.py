"""The completion report of a job of S3 Batch Operations, summed up.

Amazon S3 User Guide, "Examples: S3 Batch Operations completion reports".
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from tasks.utils.s3_object import printable

# Keys that are shown for a reason.
EXAMPLES = 3

# Reasons that are told apart. A report may have a reason for each of a billion objects.
REASONS = 100
OTHERS = "other reasons"


@dataclass
class Reason:
    """Why objects failed.

    Attributes:
        text: the reason; it has KEY in place of the object's key.
        count: the number of objects.
        examples: the keys of some of them.
    """

    text: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


def failures_in(s3: Any, bucket: str, folder: str) -> list[Reason]:
    """Return the reasons in a report, the most frequent first; none if there is no report.

    Args:
        s3: an S3 client.
        bucket: the bucket of the report.
        folder: the folder of the job in it.
    """
    found: dict[str, Reason] = {}
    for row in _failed_rows(s3, bucket, folder):
        key, message = unquote(row[1]), row[-1]
        # A reason often names the object.
        text = message.replace(f"/{printable(key)}", "/KEY") or row[-2] or row[-3]
        if text not in found and len(found) >= REASONS:
            text = OTHERS
        reason = found.setdefault(text, Reason(text))
        reason.count += 1
        if len(reason.examples) < EXAMPLES:
            reason.examples.append(key)
    return sorted(found.values(), key=lambda one: -one.count)


def _failed_rows(s3: Any, bucket: str, folder: str) -> Iterator[list[str]]:
    try:
        manifest = json.load(s3.get_object(Bucket=bucket, Key=f"{folder}/manifest.json")["Body"])
    except ClientError as error:
        # A job that invoked nothing has no report.
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return
    for part in manifest["Results"]:
        if part["TaskExecutionStatus"] == "failed":
            body = s3.get_object(Bucket=part["Bucket"], Key=part["Key"])["Body"]
            yield from csv.reader(io.TextIOWrapper(body, encoding="utf-8", newline=""))
