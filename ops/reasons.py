"""The shape of a reason: its text without what differs from message to message, so that equal failures are counted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tasks.utils.s3_object import S3Object, printable

LEFT_OUT = "…"

# What a reason may quote of one request: versions, times, identifiers, and numbers.
VERSION = re.compile(r"\?versionId=[^\s:,)]+")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
# UUIDs, digests, and the identifiers of requests, versions and uploads: long, and with a digit in them.
UUID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
IDENTIFIER = re.compile(UUID + r"|\b(?=\w*\d)(?:\w{16,}|[0-9a-f]{8,})\b(?<!\b\d{12})")
# A status of HTTP and the number of an account name the failure; other numbers do not.
NUMBER = re.compile(r"(?<![\w.-])(?!(?:[1-5]\d\d|\d{12})(?![.,]?\d))\d[\d,]*(?:\.\d+)?")


def shape_of(reason: str, addresses: Iterable[S3Object]) -> str:
    """Return a reason with each variable part replaced by an ellipsis.

    Args:
        reason: the reason.
        addresses: the objects that the message is about, whose keys are left out.
    """
    # The longest first: one key may be a part of another.
    for key in sorted({address.key for address in addresses}, key=len, reverse=True):
        for text in (printable(key), repr(key)[1:-1]):
            reason = re.sub(rf"{_before(key)}{re.escape(text)}(?!\w)", LEFT_OUT, reason)
    for pattern in (VERSION, TIME, IDENTIFIER, NUMBER):
        reason = pattern.sub("" if pattern is VERSION else LEFT_OUT, reason)
    return reason


def _before(key: str) -> str:
    """Return what stands before a key: a key of letters only is a word, unless a bucket precedes it."""
    return r"(?<=/)" if key.isalpha() else r"(?<!\w)"
