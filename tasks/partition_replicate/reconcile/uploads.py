"""Multipart uploads: begun, recorded, resumed by a later worker, completed, abandoned.

The key state holds the intent before an upload begins and its id after that. So a worker that is killed at any moment
leaves an upload that a later one either resumes or aborts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tasks.object_clerk.errors import (
    DeadlineException,
    KeyNotFoundException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
)
from tasks.object_clerk.open_uploads import parts_there
from tasks.object_clerk.parts import plan
from tasks.object_clerk.races import conditional_write, precondition
from tasks.object_clerk.streams import PartStream, whole_crc32
from tasks.partition_replicate.errors import RowChanged
from tasks.partition_replicate.outcome import Unfinished
from tasks.partition_replicate.reconcile.destination import Answer, send_with_headers
from tasks.partition_replicate.reconcile.key_row import KeyRow
from tasks.partition_replicate.reconcile.object_snapshot import ObjectSnapshot
from tasks.partition_replicate.reconcile.tools import Sides
from tasks.utils.key_state import Upload

LOGGER = logging.getLogger("bucket_brigade")

# S3 may take a while to put many parts together. An invocation that has carried some leaves that to the next one if it
# has less time than this.
COMPLETION_SECONDS = 20.0


def write_in_parts(sides: Sides, row: KeyRow, source: ObjectSnapshot, replaces: str) -> Answer:
    """Write a large source in parts, and go on with the upload that the key state names.

    Args:
        sides: both sides.
        row: the key row, which records the upload.
        source: what was observed of the source.
        replaces: the ETag that the destination must have, or "" for nothing there.

    Raises:
        Unfinished: time ran out; the parts that were carried stay.
        RowChanged: another worker wrote the row.
        ObjectClerkException: as `s3_requests.request` says.
    """
    upload = row.state.open.upload
    if upload and not upload.is_of(source.stamp):
        abandon(sides, row)
        upload = None
    return _PartWrite(sides, row, source, upload or _record_intent(sides, row, source)).run(replaces)


def abandon(sides: Sides, row: KeyRow) -> None:
    """Abort the upload that the key state names, and forget it; one whose id was not recorded is looked for."""
    upload = row.state.open.upload
    if upload is None:
        return
    if upload.id:
        abort(sides, upload.id)
    else:
        abort_unrecorded(sides)
    row.write_open(upload=None)


def abort_unrecorded(sides: Sides, keep: str = "") -> None:
    """Abort all uploads of the key but one: their worker was killed, or lost the answer, before it recorded them."""
    place = sides.destination
    answer = sides.writing("list_multipart_uploads", destination=place, Bucket=place.bucket, Prefix=place.key)
    for upload in answer.get("Uploads", []):
        if upload["Key"] == place.key and upload["UploadId"] != keep:
            abort(sides, upload["UploadId"])


def abort(sides: Sides, upload_id: str) -> None:
    """Abort an upload. If that is refused, the life cycle of the bucket removes it."""
    try:
        sides.writing("abort_multipart_upload", destination=sides.destination, UploadId=upload_id, **sides.place)
    except KeyNotFoundException:
        pass
    except ObjectClerkException as error:
        LOGGER.warning("a multipart upload could not be aborted", extra={"upload": upload_id, "reason": str(error)})


def _record_intent(sides: Sides, row: KeyRow, source: ObjectSnapshot) -> Upload:
    """Record that an upload is about to begin, so that a worker that is killed before it has the id leaves a trace."""
    part_size = plan(source.head["ContentLength"], part_size=sides.limits.part_size)[0].size
    upload = Upload("", source.stamp, part_size)
    row.write_open(upload=upload)
    return upload


class _PartWrite(NamedTuple):
    """One attempt to carry the missing parts of an upload and to complete it."""

    sides: Sides
    row: KeyRow
    source: ObjectSnapshot
    upload: Upload

    def run(self, replaces: str) -> Answer:
        """Carry the missing parts, and publish the object by one conditional request."""
        sides, upload = self.sides, self.upload
        limits = replace(sides.limits, part_size=upload.part_size)
        stream = PartStream(sides.reading, sides.writing, self.source.pinned, sides.destination, upload.id, limits)
        try:
            return self._complete(stream, self._carry(stream), replaces)
        except DeadlineException as error:
            raise Unfinished(
                error.reason,
                carried=stream.sent,
                stalled=error.stalled,
                operation="replicate",
                source=self.source.address,
                destination=sides.destination,
            ) from error
        except KeyNotFoundException:
            # It was completed by a request whose answer was lost, or the source is another one by now. The next
            # observation finds out.
            raise
        except ObjectClerkException as error:
            if not error.transient:
                abandon(sides, self.row)
            raise

    def _carry(self, stream: PartStream) -> list[Any]:
        parts: list[Any]
        if self.upload.id:
            parts = stream.run(self._parts_there())
        else:
            parts = stream.run({}, begin=self._begin)
        if stream.sent and self.sides.writing.deadline.remaining() < COMPLETION_SECONDS:
            raise DeadlineException("all parts are there, and no time is left to put them together")
        return parts

    def _complete(self, stream: PartStream, parts: list[Any], replaces: str) -> Answer:
        # Recorded first, so that the object is recognized if the answer is lost.
        upload = self.row.state.open.upload or self.upload
        self.row.write_open(upload=upload._replace(crc32=whole_crc32(parts)))
        answer: Answer = conditional_write(lambda more: stream.complete(parts, **more), precondition(replaces))
        return answer

    def _begin(self) -> str:
        """Begin the intended upload, record it, and return its id."""
        sides = self.sides

        def create(headers: Mapping[str, Any]) -> Answer:
            parameters = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT", **sides.place, **headers}
            answer: Answer = sides.writing("create_multipart_upload", destination=sides.destination, **parameters)
            return answer

        try:
            upload_id: str = send_with_headers(create, sides, self.source, {})["UploadId"]
        except ObjectClerkException as error:
            if not error.transient or isinstance(error, ObjectClerkServerAuthException):
                # It was refused, so there is none.
                self.row.write_open(upload=None)
            raise
        try:
            self.row.write_open(upload=self.upload._replace(id=upload_id))
        except RowChanged:
            abort(sides, upload_id)
            raise
        return upload_id

    def _parts_there(self) -> Mapping[int, Any]:
        try:
            found: Mapping[int, Any] = parts_there(self.sides.writing, self.sides.destination, self.upload.id)
            return found
        except KeyNotFoundException:
            # The destination was observed before and is not what this upload would have made, so it was aborted.
            self.row.write_open(upload=None)
            raise
