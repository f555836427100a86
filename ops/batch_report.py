"""The completion report of a job of S3 Batch Operations.

Amazon S3 User Guide, "Examples: S3 Batch Operations completion reports".
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from tasks.utils.s3_object import printable

# Keys that are shown for a reason.
EXAMPLES = 3

# Reasons that are told apart. A report may have a reason for each of a billion objects.
REASONS = 100
OTHERS = "other reasons"


class Row(NamedTuple):
    """What a report says of one object.

    Attributes:
        key: the key.
        succeeded: whether the job succeeded for it.
        code: the HTTP status or the code of the error.
        message: the result, or why the job failed for it.
    """

    key: str
    succeeded: bool
    code: str
    message: str


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
    for row in rows_in(s3, bucket, folder, succeeded=False):
        # A reason often names the object.
        text = row.message.replace(f"/{printable(row.key)}", "/KEY") or row.code
        if text not in found and len(found) >= REASONS:
            text = OTHERS
        reason = found.setdefault(text, Reason(text))
        reason.count += 1
        if len(reason.examples) < EXAMPLES:
            reason.examples.append(row.key)
    return sorted(found.values(), key=lambda one: -one.count)


def rows_in(s3: Any, bucket: str, folder: str, *, succeeded: bool) -> Iterator[Row]:
    """Yield the rows of a report, in any order; none if there is no report.

    Args:
        s3: an S3 client.
        bucket: the bucket of the report.
        folder: the folder of the job in it.
        succeeded: whether the rows are of objects for which the job succeeded, or of those for which it failed.
    """
    try:
        manifest = json.load(s3.get_object(Bucket=bucket, Key=f"{folder}/manifest.json")["Body"])
    except ClientError as error:
        # A job that invoked nothing has no report.
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return
    for part in manifest["Results"]:
        if (part["TaskExecutionStatus"] == "succeeded") == succeeded:
            body = s3.get_object(Bucket=part["Bucket"], Key=part["Key"])["Body"]
            rows = csv.reader(io.TextIOWrapper(body, encoding="utf-8", newline=""))
            yield from (Row(unquote_plus(row[1]), succeeded, row[-2] or row[-3], row[-1]) for row in rows)
