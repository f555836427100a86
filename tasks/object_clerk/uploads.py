"""Uploads to S3: the server refuses bytes that were damaged on the way, and the old object stays until the new one is
complete.

Every request that carries bytes carries their CRC32. An upload in parts is published by a last request with the CRC32
of the whole, combined from the parts' CRC32, and the size: S3 compares both and refuses to publish anything else.
After a failure no upload stays open. If the process is killed, the next upload of the key in parts aborts the old one,
as `open_uploads` says.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.object_clerk import checksums
from tasks.object_clerk.bodies import BytesBody, Section, StreamBody
from tasks.object_clerk.errors import (
    DeadlineException,
    KeyNotFoundException,
    ObjectChangedException,
    ObjectClerkException,
    ObjectSaveException,
    ObjectVerificationException,
)
from tasks.object_clerk.open_uploads import abort_abandoned
from tasks.object_clerk.parts import MAX_PARTS, MIB, plan
from tasks.object_clerk.s3_requests import S3Requests, head, request
from tasks.object_clerk.sent_parts import SentPart
from tasks.object_clerk.transfers import Transfer
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from tasks.object_clerk.bodies import Body, FileBody

LOGGER = logging.getLogger("bucket_brigade")

# Bytes of a stream's part. Each part that is under way is in memory, and so is the next one.
STREAM_PART = 16 * MIB


@dataclass(frozen=True)
class Manner:
    """How an object is written.

    Attributes:
        headers: parameters of boto3's writes: `ContentType`, `Metadata`, `StorageClass`.
        transfer: from which size on in parts, their size, the number of parts at once.
        verify: compare the checksum that the server says it stored with ours.
    """

    headers: dict[str, Any]
    transfer: Transfer
    verify: bool = True


def upload(requests: S3Requests, body: Body, destination: S3Object, manner: Manner) -> None:
    """Write an object whole or not at all. The old object stays until the new one is complete.

    Args:
        requests: for the bucket.
        body: from `bodies.opened`.
        destination: the address to write.
        manner: how.

    Raises:
        ObjectSaveException: there is nothing to write, or it is too long, or it changed meanwhile.
        ObjectVerificationException: the server received other bytes than were sent, three times.
        ObjectClerkException: S3 refuses it for another reason.
    """
    given = {name: value for name, value in manner.headers.items() if value}
    _Upload(requests, body, destination, replace(manner, headers=given)).run()


@dataclass
class _Upload:
    requests: S3Requests
    body: Body
    destination: S3Object
    manner: Manner

    def run(self) -> None:
        """Send the object in the way that suits its size, and complete the places of an error."""
        try:
            if isinstance(self.body, StreamBody):
                self._send_stream(self.body)
            else:
                self._send_sized(self.body)
        except ObjectClerkException as error:
            error.operation = error.operation or "upload_object"
            error.source = error.source or self.body.name
            error.destination = error.destination or self.destination
            raise

    def _send_stream(self, stream: StreamBody) -> None:
        size = min(self.manner.transfer.part_size, STREAM_PART)
        first = stream.take(size)
        if len(first) < size:
            # The whole stream is in memory now, and can be sent again.
            whole = BytesBody(first)
            replace(self, body=whole)._send_sized(whole)  # pylint: disable=protected-access  # of this class
            return
        self._send_parts(_cut_stream(stream, first, size))

    def _send_sized(self, body: BytesBody | FileBody) -> None:
        if body.size == 0:
            raise ObjectSaveException("there is nothing to upload: it has no bytes")
        if body.size < self.manner.transfer.threshold:
            self._send_whole(body)
            return
        try:
            parts = plan(body.size, part_size=self.manner.transfer.part_size)
        except ValueError as error:
            raise ObjectSaveException(str(error)) from error
        self._send_parts((part.number, body.section(part.first, part.size)) for part in parts)

    def _send_whole(self, body: BytesBody | FileBody) -> None:
        answer, crc = self._send("put_object", body.section(0, body.size), self.manner.headers)
        if self.manner.verify:
            self._check_stored(answer, checksums.crc32_text(crc))

    def _send_parts(self, sections: Iterable[tuple[int, Section]]) -> None:
        abort_abandoned(self.requests, self.destination, quiet_seconds=self.manner.transfer.quiet_seconds)
        upload_id = self._request(
            "create_multipart_upload", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT", **self.manner.headers
        )["UploadId"]
        try:
            sent = self._send_all(upload_id, sections)
            self.body.check_unchanged()
            self._complete(upload_id, sent)
        except BaseException:
            self._abort(upload_id)
            raise

    def _send_all(self, upload_id: str, sections: Iterable[tuple[int, Section]]) -> list[SentPart]:
        sent: list[SentPart] = []
        waiting: deque[Future[SentPart]] = deque()
        workers = self.manner.transfer.workers
        with ThreadPoolExecutor(workers) as pool:
            try:
                for number, section in sections:
                    if len(waiting) == workers:
                        sent.append(waiting.popleft().result())
                    waiting.append(pool.submit(self._send_part, upload_id, number, section))
                return sent + [part.result() for part in waiting]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send_part(self, upload_id: str, number: int, section: Section) -> SentPart:
        answer, crc = self._send("upload_part", section, {"UploadId": upload_id, "PartNumber": number})
        return SentPart(number, answer["ETag"], crc, section.size)

    def _send(self, operation: str, section: Section, parameters: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Send bytes with their CRC32, which each attempt computes, and return the answer and the CRC32."""

        def attempt() -> tuple[dict[str, Any], int]:
            if self.requests.deadline.has_passed():
                raise DeadlineException("time ran out; nothing was written")
            crc = section.crc32()
            answer = request(
                self.requests.client,
                operation,
                source=self.body.name,
                destination=self.destination,
                Body=section,
                # Some servers store the checksum only if its algorithm is named too.
                ChecksumAlgorithm="CRC32",
                ChecksumCRC32=checksums.crc32_text(crc),
                **self._place(),
                **parameters,
            )
            return answer, crc

        return self.requests.run(attempt)

    def _complete(self, upload_id: str, sent: list[SentPart]) -> None:
        crc = checksums.crc32_text(checksums.crc32_combined((part.crc, part.size) for part in sent))
        size = sum(part.size for part in sent)
        try:
            answer = self._request(
                "complete_multipart_upload",
                UploadId=upload_id,
                MultipartUpload={"Parts": [part.named for part in sent]},
                ChecksumType="FULL_OBJECT",
                ChecksumCRC32=crc,
                MpuObjectSize=size,
            )
        except KeyNotFoundException as error:
            self._settle_lost_answer(error, crc, size)
        else:
            if self.manner.verify:
                self._check_stored(answer, crc)

    def _settle_lost_answer(self, error: ObjectClerkException, crc: str, size: int) -> None:
        """Check that an attempt whose answer was lost published the object, since the upload is gone."""
        found = head(self.requests, self.destination)
        stored = checksums.full_object_checksums(found or {}).get("CRC32")
        if found is None or (found["ContentLength"], stored) != (size, crc):
            raise ObjectChangedException(f"the upload is gone, and another object is there: {error.reason}") from error

    def _check_stored(self, answer: dict[str, Any], crc: str) -> None:
        """Compare the checksum that the server computed with ours, or its ETag if it has no checksums."""
        stored = checksums.full_object_checksums(answer).get("CRC32")
        if stored not in (None, crc):
            raise ObjectVerificationException(f"the server has stored bytes with CRC32 {stored}; ours have {crc}")
        if stored is None and checksums.looks_like_md5(answer["ETag"]) and not checksums.has_opaque_etag(answer):
            self._check_md5(checksums.bare(answer["ETag"]))

    def _check_md5(self, etag: str) -> None:
        # Only an object that was sent whole has such an ETag, so it is no stream.
        body: Any = self.body
        digest = checksums.Digest("MD5")
        section = body.section(0, body.size)
        while block := section.read(MIB):
            digest.update(block)
        if digest.text() != etag:
            raise ObjectVerificationException(f"the server has stored bytes with MD5 {etag}; ours have {digest.text()}")

    def _abort(self, upload_id: str) -> None:
        try:
            self._request("abort_multipart_upload", by=self.requests.closing(), UploadId=upload_id)
        except KeyNotFoundException:
            pass
        except ObjectClerkException as error:
            # The error before this one is the one to report. The bucket's life cycle clears the upload.
            LOGGER.warning("a multipart upload could not be aborted", extra={"upload": upload_id, "reason": str(error)})

    def _request(self, operation: str, *, by: S3Requests | None = None, **parameters: Any) -> dict[str, Any]:
        send = by or self.requests
        return send(operation, source=self.body.name, destination=self.destination, **self._place(), **parameters)

    def _place(self) -> dict[str, str]:
        return {"Bucket": self.destination.bucket, "Key": self.destination.key}


def _cut_stream(stream: StreamBody, first: bytes, size: int) -> Iterator[tuple[int, Section]]:
    block = first
    for number in range(1, MAX_PARTS + 1):
        if not block:
            return
        yield number, BytesBody(block).section(0, len(block))
        block = stream.take(size)
    if block:
        raise ObjectSaveException(
            f"a stream may have at most {MAX_PARTS} parts of {size} bytes: write it to a file first"
        )
