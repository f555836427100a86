"""The promises of archive_copy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote_plus

from ops.proving.canary import Canary
from ops.proving.promises import Promise, Subject
from ops.proving.side import Side, difference

TASK = "archive_copy"
OTHER = "other"
FROZEN = ("GLACIER", "DEEP_ARCHIVE")
DRESS = {"ContentType": "text/x-canary", "Metadata": {"mission": "canary"}, "Tagging": "project=a%2Bb%20c"}


@dataclass(frozen=True)
class ArchiveProof:
    """What is restored in the source bucket, and what each archive has to hold then.

    Args:
        source: the bucket of the restored objects.
        archives: the archives by the name of their bucket.
        bucket_map: the setting `bucket_map`.
        send: sends a message to the task's queue.
        canary: the run.
    """

    source: Side
    archives: Mapping[str, Side]
    bucket_map: Mapping[str, Any]
    send: Callable[[str], None]
    canary: Canary

    def promises(self) -> list[Promise]:
        """Return the promises, of which nothing is done yet."""
        by_event = "no object is restored: the queue gets an event that names a new object (--restore restores one)"
        by_restore = "restored from GLACIER with the tier Expedited"
        subjects = [self._subject(extension, bucket) for bucket, extension in self._extensions().items()]
        note = by_restore if self.canary.restore else by_event
        return [Promise(TASK, "a restored object is copied to its archive", subjects, note=note)]

    def _extensions(self) -> dict[str, str]:
        """Return an extension for each archive."""
        return {_bucket(entry): extension for extension, entry in self.bucket_map.items()}

    def _subject(self, extension: str, bucket: str) -> Subject:
        ending = ".brigade-prove" if extension == OTHER else extension
        key = f"{self.canary.prefix}restored é+{ending}"
        step = self._restore if self.canary.restore else self._announce
        entry = self.bucket_map[extension]
        readable = not (isinstance(entry, dict) and entry.get("storage_class") in FROZEN)
        return Subject(key, [partial(step, key)], partial(self._difference, key, bucket, readable))

    def _difference(self, key: str, bucket: str, readable: bool) -> str:
        archived = self.archives[bucket].current(key, readable=readable)
        return difference(self.source.current(key, readable=readable), archived)

    def _announce(self, key: str) -> None:
        answer = self.source.put(key, key.encode(), **DRESS)
        item = {"key": quote_plus(key, safe="/"), "size": len(key.encode()), "eTag": answer["ETag"].strip('"')}
        if version := answer.get("VersionId"):
            item["versionId"] = version
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectRestore:Completed",
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "s3": {"bucket": {"name": self.source.bucket}, "object": item},
        }
        self.send(json.dumps({"Records": [record]}))

    def _restore(self, key: str) -> None:
        self.source.put(key, key.encode(), StorageClass="GLACIER", **DRESS)
        request = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
        self.source.s3.restore_object(Bucket=self.source.bucket, Key=key, RestoreRequest=request)


def _bucket(entry: Any) -> str:
    return str(entry if isinstance(entry, str) else entry["bucket"])
