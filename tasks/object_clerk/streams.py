"""Bytes carried from one S3 to another: through bounded memory, never to a disk, and never torn.

Every read is pinned to one version or ETag of the source. An object of up to one part is one GET and one PUT. A larger
one goes in parts, a few at a time, each read by its range and sent with its CRC32. The last request has the CRC32 of
the whole, combined from those of the parts, so the server publishes exactly the bytes that were read. The server keeps
the parts until the upload is completed or aborted: the next worker lists them and carries only the missing ones.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.object_clerk import checksums
from tasks.object_clerk.bodies import BytesBody
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.errors import (
    DeadlineException,
    ObjectClerkException,
    ObjectClerkServerInternalException,
    ObjectVerificationException,
)
from tasks.object_clerk.failures import BODY_ERRORS, translated
from tasks.object_clerk.flow import Flow
from tasks.object_clerk.parts import MIB, Part, plan
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.s3_requests import S3Requests, request
from tasks.object_clerk.sent_parts import SentPart
from tasks.utils.deadline import Deadline
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from tasks.object_clerk.checksums import Buffer
    from tasks.object_clerk.errors import Places

# Bytes of one read of a body. Between two reads the time is checked.
PIECE = MIB // 4


@dataclass(frozen=True)
class StreamLimits:
    """The sizes of parts, and the bounds of the bytes under way.

    Attributes:
        buffers: the pool that holds the bytes.
        threshold: an object of so many bytes or more goes in parts.
        part_size: bytes of a part; it grows if 10,000 parts would not suffice.
        workers: parts of one object carried at once.
        flow: the flow of all parts.
    """

    buffers: BufferPool
    threshold: int = 16 * MIB
    part_size: int = 16 * MIB
    workers: int = 4
    flow: Flow = field(default_factory=Flow)


def fetch(
    requests: S3Requests, address: S3Object, *, most: int, etag: str | None = None, into: memoryview | None = None
) -> tuple[dict[str, Any], memoryview | None]:
    """Read a whole object in one request, if it is not too large.

    Args:
        requests: for the object.
        address: the object.
        most: the most bytes to read.
        etag: the ETag that the object must have, or None.
        into: a buffer of that many bytes to read into, or None.

    Returns:
        S3's answer and the bytes; None in place of the bytes if there are more.

    Raises:
        ObjectVerificationException: the bytes differed from the source's checksum three times.
        ObjectChangedException: the object has another ETag.
        ObjectClerkException: as `s3_requests.request` says.
    """

    def attempt() -> tuple[dict[str, Any], memoryview | None]:
        answer = request(
            requests.client, "get_object", source=address, ChecksumMode="ENABLED", IfMatch=etag, **address.parameters
        )
        with answer["Body"] as body:
            size = answer["ContentLength"]
            if size > most:
                return answer, None
            data = memoryview(bytearray(size)) if into is None else into[:size]
            _fill(data, body, address, requests.deadline)
        _check(address, answer, data)
        return answer, data

    return requests.run(attempt)


def put(requests: S3Requests, data: Buffer, destination: S3Object, **parameters: Any) -> dict[str, Any]:
    """Write an object in one request that carries its CRC32, and return S3's answer."""
    where = {"Bucket": destination.bucket, "Key": destination.key}
    return _send(requests, "put_object", data, crc32_of(data), destination=destination, **where, **parameters)


def crc32_of(data: Buffer) -> str:
    """Return the CRC32 of bytes as S3 writes it."""
    crc = checksums.Crc32()
    crc.update(data)
    return crc.text()


@dataclass
class _Progress:
    """What the threads of one stream share."""

    sent: int = 0
    had_time: bool = False
    upload_id: Future[str] = field(default_factory=Future)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class PartStream:
    """Carries one pinned source into one multipart upload.

    Attributes:
        reading: for the source.
        writing: for the destination; its deadline counts.
        source: the state of the source that is carried.
        destination: the address to write.
        upload_id: the upload; "" if `run` begins it.
        limits: the sizes of parts, and the bounds of the bytes under way.
    """

    reading: S3Requests
    writing: S3Requests
    source: Pinned
    destination: S3Object
    upload_id: str
    limits: StreamLimits
    _progress: _Progress = field(default_factory=_Progress, repr=False)

    @property
    def sent(self) -> int:
        """Parts that this stream has uploaded so far."""
        return self._progress.sent

    def run(self, there: Mapping[int, Mapping[str, Any]], begin: Callable[[], str] | None = None) -> list[SentPart]:
        """Carry the missing parts.

        Args:
            there: the result of `open_uploads.parts_there`; {} for an upload that is yet to begin.
            begin: begins the upload and returns its id, while the first parts are read; None if the upload exists.

        Returns:
            All parts in order.

        Raises:
            DeadlineException: time ran out, or the next part would not arrive; the carried parts stay.
            ObjectChangedException: the source is no longer what was pinned.
            ObjectClerkException: as `s3_requests.request` says.
        """
        parts = plan(self.source.size, part_size=self.limits.part_size)
        with ThreadPoolExecutor(self.limits.workers) as pool:
            carrying = [pool.submit(self._carry, part, there.get(part.number)) for part in parts]
            try:
                self._begin(begin)
                return [one.result() for one in carrying]
            except BaseException as error:
                pool.shutdown(wait=True, cancel_futures=True)
                if isinstance(error, DeadlineException):
                    error.stalled = self._progress.had_time
                raise

    def complete(self, parts: list[SentPart], **conditions: Any) -> dict[str, Any]:
        """Publish the object, if the server has the same CRC32 of all parts; return S3's answer."""
        return self.writing(
            "complete_multipart_upload",
            source=self.source.address,
            destination=self.destination,
            MultipartUpload={"Parts": [part.named for part in parts]},
            ChecksumType="FULL_OBJECT",
            ChecksumCRC32=whole_crc32(parts),
            MpuObjectSize=self.source.size,
            **self._upload(),
            **conditions,
        )

    def _begin(self, begin: Callable[[], str] | None) -> None:
        try:
            self._progress.upload_id.set_result(begin() if begin else self.upload_id)
        except BaseException as error:
            self._progress.upload_id.set_exception(error)
            raise

    def _carry(self, part: Part, there: Mapping[str, Any] | None) -> SentPart:
        if there and there["Size"] != part.size:
            there = None
        if there and there.get("ChecksumCRC32"):
            return SentPart(part.number, there["ETag"], _number(there["ChecksumCRC32"]), part.size)
        if self.writing.deadline.has_passed():
            raise DeadlineException(f"time ran out before part {part.number}", **self._places())
        try:
            return self._carried(part, there)
        except ObjectClerkServerInternalException as error:
            if not self.writing.deadline.has_passed():
                raise
            # Both sides have answered in this invocation, so none is down: time ran out while the part was under way.
            reason = f"time ran out with part {part.number}: {error.reason}"
            raise DeadlineException(reason, **self._places()) from error

    def _carried(self, part: Part, there: Mapping[str, Any] | None) -> SentPart:
        deadline, progress = self.writing.deadline, self._progress
        with (
            self.limits.buffers.buffer(part.size) as data,
            self.limits.flow.carrying(part.size, deadline, first=lambda: not progress.sent),
        ):
            progress.had_time = progress.had_time or deadline.is_early()
            self.reading.run(lambda: self._read(part, data))
            crc = checksums.Crc32()
            crc.update(data)
            if there:
                # Some servers list parts without their checksums. Reading the part again is enough.
                return SentPart(part.number, there["ETag"], crc.value, part.size)
            parameters = {"destination": self.destination, "PartNumber": part.number, **self._upload()}
            answer = _send(self.writing, "upload_part", data, crc.text(), **parameters)
            # Within the flow, because a part that waits there asks whether any part was sent.
            with progress.lock:
                progress.sent += 1
        return SentPart(part.number, answer["ETag"], crc.value, part.size)

    def _read(self, part: Part, into: memoryview) -> None:
        answer = request(
            self.reading.client,
            "get_object",
            source=self.source.address,
            Range=part.range_header,
            IfMatch=self.source.etag,
            **self.source.address.parameters,
        )
        with answer["Body"] as body:
            if answer["ContentLength"] != part.size:
                reason = f"{answer['ContentLength']} bytes came for a request for {part.size}"
                raise ObjectClerkException(reason, operation="get_object", source=self.source.address)
            _fill(into, body, self.source.address, self.writing.deadline)

    def _upload(self) -> dict[str, str]:
        upload_id = self._progress.upload_id.result()
        return {"Bucket": self.destination.bucket, "Key": self.destination.key, "UploadId": upload_id}

    def _places(self) -> Places:
        return {"operation": "replicate", "source": self.source.address, "destination": self.destination}


def whole_crc32(parts: Iterable[SentPart]) -> str:
    """Return the combined CRC32 of all parts, as S3 writes it."""
    return checksums.crc32_text(checksums.crc32_combined((part.crc, part.size) for part in parts))


def _send(requests: S3Requests, operation: str, data: Buffer, crc32: str, **parameters: Any) -> dict[str, Any]:
    # Some servers store the checksum only if its algorithm is named too.
    checksum = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": crc32}
    body = BytesBody(data)

    def attempt() -> dict[str, Any]:
        return request(requests.client, operation, Body=body.section(0, body.size), **checksum, **parameters)

    return requests.run(attempt)


def _number(crc: str) -> int:
    return int.from_bytes(base64.b64decode(crc), "big")


def _fill(memory: memoryview, body: Any, address: S3Object, deadline: Deadline) -> None:
    """Read a body into memory directly, without blocks that are joined later."""
    size, position = len(memory), 0
    places: Places = {"operation": "get_object", "source": address}
    try:
        while position < size:
            if not deadline.remaining():
                raise DeadlineException(f"time ran out after {position} of {size} bytes", **places)
            read = body.readinto(memory[position : position + PIECE])
            if not read:
                raise ObjectClerkServerInternalException(f"the body ended after {position} of {size} bytes", **places)
            position += read
    except BODY_ERRORS as error:
        raise translated(error, **places) from error


def _check(address: S3Object, answer: dict[str, Any], data: memoryview) -> None:
    proof = checksums.proof_of(answer)
    # The ETag of an encrypted object may look like an MD5 without being one.
    if proof is None or (proof[0] == "MD5" and checksums.has_opaque_etag(answer)):
        return
    name, expected = proof
    counter = checksums.counter(name)
    counter.update(data)
    if counter.text() != expected:
        reason = f"the bytes read have {name} {counter.text()}, the object has {expected}"
        raise ObjectVerificationException(reason, operation="get_object", source=address)
