"""Bytes carried from one S3 to another: through memory that is bounded, never to a disk, and never torn.

Every read is pinned to one version or ETag of the source. What fits into one part is one GET and one PUT. The rest
goes in parts, each read by its range and sent with its CRC32, a few at a time; the last request names the CRC32 of the
whole, put together from the parts', so that the server publishes exactly what was read. What was carried stays with the
server until the upload is completed or aborted: whoever goes on asks it, and carries only what is missing.
"""

import base64
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tasks.object_clerk import checksums
from tasks.object_clerk.bodies import BytesBody
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.errors import (
    DeadlineException,
    ObjectClerkException,
    ObjectClerkServerInternalException,
    ObjectVerificationException,
)
from tasks.object_clerk.parts import MIB, Part, plan
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.s3_requests import BODY_ERRORS, S3Requests, request, translated
from tasks.utils.deadline import Deadline
from tasks.utils.s3_object import S3Object

# A body is read in pieces of so many bytes. Between two of them it is seen whether time is left.
PIECE = MIB // 4

# What a link is taken to carry in a second until a part has arrived: a slow one.
FIRST_RATE = MIB


class Flow:  # pylint: disable=too-few-public-methods  # parts are carried in it, and nothing else
    """How fast parts arrive, and whether another one would arrive before time is up.

    All streams of a container share it, for they share the link. What it has learnt stays for the next invocation.

    Args:
        clock: returns seconds, of which only differences count.
    """

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._rate = FIRST_RATE
        self._began = 0.0
        self._arrived = self._in_flight = 0
        self._changed = threading.Condition()

    @contextmanager
    def carrying(self, size, deadline, *, first):
        """Waits until a part fits into the time that is left; the block carries it.

        Args:
            size: bytes.
            deadline: the `Deadline` by which it has to have arrived.
            first: returns whether no part of its stream has arrived yet. Then, if nothing else is in flight, it is
                begun even where it does not seem to fit, because the link may be faster than it was.

        Raises:
            DeadlineException: it would not arrive in time.
        """
        with self._changed:
            while not self._fits(size, deadline) and (self._in_flight or not first() or deadline.has_passed()):
                # What is in flight may arrive sooner than expected.
                if not self._in_flight or deadline.has_passed():
                    raise DeadlineException(f"a part of {size} bytes would not arrive in the time that is left")
                self._changed.wait()
            if not self._in_flight:
                self._began, self._arrived = self._clock(), 0
            self._in_flight += size
        arrived = False
        try:
            yield
            arrived = True
        finally:
            with self._changed:
                self._in_flight -= size
                self._learn(size, arrived, deadline)
                self._changed.notify_all()

    def _fits(self, size, deadline):
        left = deadline.remaining()
        return left == float("inf") or (left > 0 and self._in_flight + size <= left * self._rate)

    def _learn(self, size, arrived, deadline):
        # A clock may not have gone on between two looks.
        seconds = max(self._clock() - self._began, 0.001)
        if arrived:
            self._arrived += size
            self._rate = self._arrived / seconds
        elif deadline.has_passed():
            # It was too slow for what was in flight; alone, one part may fit.
            self._rate = min(self._rate, max(self._arrived, size) / seconds)


@dataclass(frozen=True)
class StreamLimits:
    """How objects are cut and how much of them is on its way.

    Attributes:
        buffers: the `BufferPool` that holds the bytes.
        threshold: an object of so many bytes or more is carried in parts.
        part_size: bytes of a part; it grows where 10,000 parts would not reach.
        workers: parts of one object carried at once.
        flow: the `Flow` of all parts.
    """

    buffers: BufferPool
    threshold: int = 16 * MIB
    part_size: int = 16 * MIB
    workers: int = 4
    flow: Flow = field(default_factory=Flow)


@dataclass(frozen=True)
class Carried:
    """A part that lies at the destination.

    Attributes:
        number: from 1.
        etag: what the destination calls it.
        crc: its CRC32 as a number.
        size: bytes.
    """

    number: int
    etag: str
    crc: int
    size: int

    @property
    def named(self):
        """The part as CompleteMultipartUpload takes it."""
        return {"PartNumber": self.number, "ETag": self.etag, "ChecksumCRC32": checksums.crc32_text(self.crc)}


def fetch(requests, address, *, most, etag=None, into=None):
    """Reads an object whole in one request, if it is not too large.

    Args:
        requests: an `S3Requests`.
        address: the `S3Object`.
        most: bytes to read at most.
        etag: the ETag that it has to have, or None.
        into: a memoryview of that many bytes to read it into, or None.

    Returns:
        S3's answer and the bytes, as a buffer; None in their place where there are more.

    Raises:
        ObjectVerificationException: the bytes are not those that the source has a checksum of, again and again.
        ObjectChangedException: it has another ETag.
        ObjectClerkException: as `s3_requests.request` says.
    """

    def attempt():
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


def put(requests, data, destination, **parameters):
    """Writes an object in one request that carries its CRC32, and returns S3's answer."""
    where = {"Bucket": destination.bucket, "Key": destination.key}
    return _send(requests, "put_object", data, crc32_of(data), destination=destination, **where, **parameters)


def crc32_of(data):
    """Returns the CRC32 of bytes as S3 writes it."""
    crc = checksums.Crc32()
    crc.update(data)
    return crc.text()


@dataclass
class PartStream:  # pylint: disable=too-many-instance-attributes  # two sides, and what lies between them
    """Carries one pinned source into one multipart upload.

    Attributes:
        reading: an `S3Requests` for the source.
        writing: an `S3Requests` for the destination; its deadline is the one that counts.
        source: a `Pinned`.
        destination: the `S3Object`.
        upload_id: the upload; "" where `run` begins it.
        limits: a `StreamLimits`.
        sent: parts that this stream has uploaded itself so far.
    """

    reading: S3Requests
    writing: S3Requests
    source: Pinned
    destination: S3Object
    upload_id: str
    limits: StreamLimits
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _had_time: bool = field(default=False, repr=False)
    _begun: Future = field(default_factory=Future, repr=False)

    def run(self, there, begin=None):
        """Carries the parts that are missing.

        Args:
            there: what `open_uploads.parts_there` returned; {} for an upload that is to be begun.
            begin: begins the upload and returns its id, while the first parts are read; None where it is under way.

        Returns:
            All parts in order, as `Carried`.

        Raises:
            DeadlineException: time ran out, or the next part would not arrive; what was carried stays where it is.
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
                    error.stalled = self._had_time
                raise

    def complete(self, parts, **conditions):
        """Publishes the object, whose CRC32 the server compares with that of all parts; returns S3's answer."""
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

    def _begin(self, begin):
        try:
            self._begun.set_result(begin() if begin else self.upload_id)
        except BaseException as error:
            self._begun.set_exception(error)
            raise

    def _carry(self, part, there):
        known = there.get("ChecksumCRC32") if there and there["Size"] == part.size else None
        if known:
            return Carried(part.number, there["ETag"], _number(known), part.size)
        if self.writing.deadline.has_passed():
            raise DeadlineException(f"time ran out before part {part.number}", **self._places())
        try:
            return self._carried(part, there)
        except ObjectClerkServerInternalException as error:
            if not self.writing.deadline.has_passed():
                raise
            # Both sides have answered in this invocation, so none is down: time ran out with the part on its way.
            reason = f"time ran out with part {part.number}: {error.reason}"
            raise DeadlineException(reason, **self._places()) from error

    def _carried(self, part, there):
        deadline = self.writing.deadline
        with (
            self.limits.buffers.buffer(part.size) as data,
            self.limits.flow.carrying(part.size, deadline, first=lambda: not self.sent),
        ):
            self._had_time = self._had_time or deadline.is_early()
            self.reading.run(lambda: self._read(part, data))
            crc = checksums.Crc32()
            crc.update(data)
            if there and there["Size"] == part.size:
                # A server that lists parts without their checksums has it all the same: reading it again is enough.
                return Carried(part.number, there["ETag"], crc.value, part.size)
            parameters = {"destination": self.destination, "PartNumber": part.number, **self._upload()}
            answer = _send(self.writing, "upload_part", data, crc.text(), **parameters)
            # Before it leaves the flow: the part that waits for its place is no first one any more.
            with self._lock:
                self.sent += 1
        return Carried(part.number, answer["ETag"], crc.value, part.size)

    def _read(self, part: Part, into):
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
                reason = f"{answer['ContentLength']} bytes came where {part.size} were asked for"
                raise ObjectClerkException(reason, operation="get_object", source=self.source.address)
            _fill(into, body, self.source.address, self.writing.deadline)

    def _upload(self):
        return {"Bucket": self.destination.bucket, "Key": self.destination.key, "UploadId": self._begun.result()}

    def _places(self):
        return {"operation": "replicate", "source": self.source.address, "destination": self.destination}


def whole_crc32(parts):
    """Returns the CRC32 of all `Carried` parts put together, as S3 writes it."""
    return checksums.crc32_text(checksums.crc32_combined((part.crc, part.size) for part in parts))


def _send(requests, operation, data, crc32, **parameters):
    # The algorithm is named beside the checksum because some servers store it only then.
    checksum = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": crc32}
    body = BytesBody(data)

    def attempt():
        return request(requests.client, operation, Body=body.section(0, body.size), **checksum, **parameters)

    return requests.run(attempt)


def _number(crc):
    return int.from_bytes(base64.b64decode(crc), "big")


def _fill(memory, body, address, deadline: Deadline):
    """Reads a body to where it belongs: once, and not as blocks that are joined."""
    size, position = len(memory), 0
    try:
        while position < size:
            if not deadline.remaining():
                raise DeadlineException(
                    f"time ran out after {position} of {size} bytes", operation="get_object", source=address
                )
            read = body.readinto(memory[position : position + PIECE])
            if not read:
                raise ObjectClerkServerInternalException(
                    f"the body ended after {position} of {size} bytes", operation="get_object", source=address
                )
            position += read
    except BODY_ERRORS as error:
        raise translated(error, operation="get_object", source=address) from error


def _check(address, answer, data):
    proof = checksums.proof_of(answer)
    # The ETag of an encrypted object may look like an MD5 without being one.
    if proof is None or (proof[0] == "MD5" and checksums.has_opaque_etag(answer)):
        return
    name, expected = proof
    counter = checksums.counter(name)
    counter.update(data)
    if counter.text() != expected:
        raise ObjectVerificationException(
            f"the bytes read have {name} {counter.text()}, the object has {expected}",
            operation="get_object",
            source=address,
        )
