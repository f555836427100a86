"""Bytes written to S3 so that the server refuses what was damaged on the way, and the old object stays.

Every request that carries bytes carries their CRC32. What goes up in parts is published by a last request that names
the CRC32 of the whole, put together from the parts', and the size: S3 holds its own against them and refuses to
publish anything else. Whatever fails, no upload is left open; if the process is killed, the next upload of the key in
parts aborts it, as `open_uploads` says.
"""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.object_clerk import checksums
from tasks.object_clerk.bodies import BytesBody
from tasks.object_clerk.errors import (
    DeadlineException,
    ObjectChangedException,
    ObjectClerkException,
    ObjectNotFoundException,
    ObjectSaveException,
    ObjectVerificationException,
)
from tasks.object_clerk.open_uploads import abort_abandoned
from tasks.object_clerk.parts import MAX_PARTS, MIB, plan
from tasks.object_clerk.s3_requests import S3Requests, head, request
from tasks.object_clerk.transfers import Transfer
from tasks.utils.s3_object import S3Object

LOGGER = logging.getLogger("bucket_brigade")

# What each of a stream's parts costs in memory, once for each that is on its way and once for the next.
STREAM_PART = 16 * MIB


def upload(  # pylint: disable=too-many-arguments
    requests, body, destination, *, headers, transfer, verify=True
):
    """Writes an object whole or not at all; what was there before stays until the new one is complete.

    Args:
        requests: an `S3Requests`.
        body: what `bodies.opened` yields.
        destination: the `S3Object` to write.
        headers: what boto3's writes take besides: `ContentType`, `Metadata`, `StorageClass`.
        transfer: a `Transfer`: where parts begin, their size, how many go at once.
        verify: hold what the server says it has stored against what was sent.

    Raises:
        ObjectSaveException: there is nothing to write, or it is too long, or it changed meanwhile.
        ObjectVerificationException: the server received other bytes than were sent, again and again.
        ObjectClerkException: anything else that S3 refuses.
    """
    given = {name: value for name, value in headers.items() if value}
    _Upload(requests, body, destination, given, transfer, verify).run()


@dataclass
class _Upload:
    requests: S3Requests
    body: Any
    destination: S3Object
    headers: dict
    transfer: Transfer
    verify: bool

    def run(self):
        """Sends the object the way that its size asks for, and completes what an error says."""
        try:
            if self.body.size is None:
                self._send_stream()
            else:
                self._send_sized()
        except ObjectClerkException as error:
            error.operation = error.operation or "upload_object"
            error.source = error.source or self.body.name
            error.destination = error.destination or self.destination
            raise

    def _send_stream(self):
        size = min(self.transfer.part_size, STREAM_PART)
        first = self.body.take(size)
        if len(first) < size:
            # All of it is in memory by now, and can be sent as often as needed.
            replace(self, body=BytesBody(first))._send_sized()  # pylint: disable=protected-access
            return
        self._send_parts(_cut_stream(self.body, first, size))

    def _send_sized(self):
        if self.body.size == 0:
            raise ObjectSaveException("there is nothing to upload: it has no bytes")
        if self.body.size < self.transfer.threshold:
            self._send_whole()
            return
        try:
            parts = plan(self.body.size, part_size=self.transfer.part_size)
        except ValueError as error:
            raise ObjectSaveException(str(error)) from error
        self._send_parts((part.number, self.body.section(part.first, part.size)) for part in parts)

    def _send_whole(self):
        section = self.body.section(0, self.body.size)
        answer, crc = self._send("put_object", section, self.headers)
        if self.verify:
            self._check_stored(answer, checksums.crc32_text(crc))

    def _send_parts(self, sections):
        abort_abandoned(self.requests, self.destination, quiet_seconds=self.transfer.quiet_seconds)
        upload_id = self._request(
            "create_multipart_upload", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT", **self.headers
        )["UploadId"]
        try:
            sent = self._send_all(upload_id, sections)
            self.body.check_unchanged()
            self._complete(upload_id, sent)
        except BaseException:
            self._abort(upload_id)
            raise

    def _send_all(self, upload_id, sections):
        sent, waiting = [], deque()
        with ThreadPoolExecutor(self.transfer.workers) as pool:
            try:
                for number, section in sections:
                    if len(waiting) == self.transfer.workers:
                        sent.append(waiting.popleft().result())
                    waiting.append(pool.submit(self._send_part, upload_id, number, section))
                return sent + [part.result() for part in waiting]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send_part(self, upload_id, number, section):
        answer, crc = self._send("upload_part", section, {"UploadId": upload_id, "PartNumber": number})
        return _Sent(number, answer["ETag"], crc, section.size)

    def _send(self, operation, section, parameters):
        """Sends bytes with their CRC32, which is computed anew for each try, and returns the answer and the CRC32."""

        def attempt():
            if self.requests.deadline.has_passed():
                raise DeadlineException("time ran out; nothing was written")
            crc = section.crc32()
            answer = request(
                self.requests.client,
                operation,
                source=self.body.name,
                destination=self.destination,
                Body=section,
                # The algorithm is named beside the checksum because some servers store it only then.
                ChecksumAlgorithm="CRC32",
                ChecksumCRC32=checksums.crc32_text(crc),
                **self._place(),
                **parameters,
            )
            return answer, crc

        return self.requests.run(attempt)

    def _complete(self, upload_id, sent):
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
        except ObjectNotFoundException as error:
            self._settle_lost_answer(error, crc, size)
        else:
            if self.verify:
                self._check_stored(answer, crc)

    def _settle_lost_answer(self, error, crc, size):
        """A first try whose answer was lost may have published the object: then the upload is gone, and all is well."""
        found = head(self.requests, self.destination)
        stored = checksums.full_object_checksums(found or {}).get("CRC32")
        if found is None or (found["ContentLength"], stored) != (size, crc):
            raise ObjectChangedException(f"the upload is gone, and another object is there: {error.reason}") from error

    def _check_stored(self, answer, crc):
        """Holds the checksum the server has computed against ours; one without checksums is asked for its ETag."""
        stored = checksums.full_object_checksums(answer).get("CRC32")
        if stored not in (None, crc):
            raise ObjectVerificationException(f"the server has stored bytes with CRC32 {stored}; ours have {crc}")
        if stored is None and checksums.looks_like_md5(answer["ETag"]) and not checksums.has_opaque_etag(answer):
            self._check_md5(checksums.bare(answer["ETag"]))

    def _check_md5(self, etag):
        digest = checksums.Digest("MD5")
        section = self.body.section(0, self.body.size)
        while block := section.read(MIB):
            digest.update(block)
        if digest.text() != etag:
            raise ObjectVerificationException(f"the server has stored bytes with MD5 {etag}; ours have {digest.text()}")

    def _abort(self, upload_id):
        try:
            self._request("abort_multipart_upload", by=self.requests.closing(), UploadId=upload_id)
        except ObjectNotFoundException:
            pass
        except ObjectClerkException as error:
            # The error that led here is the one to report; the bucket's life cycle clears what stays behind.
            LOGGER.warning("a multipart upload could not be aborted", extra={"upload": upload_id, "reason": str(error)})

    def _request(self, operation, *, by=None, **parameters):
        send = by or self.requests
        return send(operation, source=self.body.name, destination=self.destination, **self._place(), **parameters)

    def _place(self):
        return {"Bucket": self.destination.bucket, "Key": self.destination.key}


@dataclass(frozen=True)
class _Sent:
    number: int
    etag: str
    crc: int
    size: int
    named: dict = field(init=False)

    def __post_init__(self):
        named = {"PartNumber": self.number, "ETag": self.etag, "ChecksumCRC32": checksums.crc32_text(self.crc)}
        object.__setattr__(self, "named", named)


def _cut_stream(stream, first, size):
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
