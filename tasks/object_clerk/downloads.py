"""Bytes read from S3, all of one version: pinned, resumed where a read broke, and proven at the end.

What proves them, the first of these that the server offers: its CRC32, SHA-256 or SHA-1 over the whole object, which
we compute as well; or an ETag that equals our MD5. An ETag of another value proves damage only where it must be an MD5,
of an object that was written in one go and is not encrypted. Where nothing can be held against the bytes (checksums
of parts, CRC64NVME, encrypted objects without a checksum) their number alone is verified, and the log says so.
"""

import io
import logging
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tasks.object_clerk import checksums
from tasks.object_clerk.errors import (
    DeadlineException,
    ObjectClerkException,
    ObjectClerkServerInternalException,
    ObjectSaveException,
    ObjectVerificationException,
)
from tasks.object_clerk.parts import Part, plan
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.races import retry_lost_races
from tasks.object_clerk.s3_requests import BODY_ERRORS, READ_TIMEOUT, request, translated
from tasks.object_clerk.transfers import Transfer
from tasks.utils.deadline import LEAST_TIMEOUT

LOGGER = logging.getLogger("bucket_brigade")

# How often a read begins anew because the object was replaced meanwhile; a key that is replaced more often than that
# within the time a read takes is not a thing to wait for.
ROUNDS = 5


def read(requests, address, *, transfer, verify=True):
    """Returns the bytes of an object, held in memory once.

    Args:
        requests: an `S3Requests`.
        address: the `S3Object` to read.
        transfer: a `Transfer`: parts of what size, how many at once.
        verify: prove the bytes, as the module says.

    Raises:
        ObjectNotFoundException: there is no such object.
        ObjectVerificationException: the bytes were not the stored ones, again and again.
        ObjectChangedException: other writers kept replacing the object.
        ObjectClerkException: anything else that S3 refuses.
    """
    return _until_pinned(requests, address, lambda: _read_into(requests, address, _Memory, transfer, verify))


def save(requests, address, path, *, transfer, verify=True):
    """Reads an object into a file, which takes its place at `path` when it is complete and proven.

    Args:
        requests: as for `read`.
        address: as for `read`.
        path: where the file is to be; one that is there stays untouched until then.
        transfer: as for `read`.
        verify: as for `read`.

    Raises:
        ObjectSaveException: the file cannot be written.
        ObjectClerkException: as for `read`.
    """
    # A link is followed, and what is no file, such as /dev/null, is not replaced by one.
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        raise ObjectSaveException("that is not a file", operation="download_object", source=address, destination=path)
    try:
        with _beside(path) as file:
            _until_pinned(requests, address, lambda: _read_into(requests, address, file.sized, transfer, verify))
    except OSError as error:
        reason = f"the file cannot be written: {error.strerror}"
        raise ObjectSaveException(reason, operation="download_object", source=address, destination=path) from error


def blocks(requests, address, *, etag=None, transfer=Transfer(), verify=True):
    """Yields an object's bytes in order, a block at a time; what was yielded is proven when the last block has come.

    Args:
        requests: as for `read`.
        address: as for `read`.
        etag: the ETag the object has to have, or None.
        transfer: as for `read`.
        verify: as for `read`.

    Raises:
        ObjectVerificationException: after the last block: they were not the stored bytes.
        ObjectChangedException: the object was replaced while it was being read.
        ObjectClerkException: as for `read`.
    """
    answer = _open(requests, address, etag)
    pinned = Pinned.by(address, answer)
    proof = checksums.proof_of(answer) if verify else None
    counter = checksums.counter(proof[0]) if proof else None
    reading = _Reading(requests, pinned, Part(1, 0, pinned.size - 1), transfer.block, answer["Body"])
    with reading:
        while block := requests.run(reading.next_block):
            if counter:
                counter.update(block)
            yield block
    if verify:
        _check(pinned, proof, counter.text() if counter else None)


def _until_pinned(requests, address, call):
    """Calls `call()` again if the bytes were damaged, or if the object was replaced half way."""
    places = {"operation": "get_object", "source": address}
    reason = "the object was replaced"
    return retry_lost_races(
        partial(requests.until_sound, call), requests=requests, rounds=ROUNDS, reason=reason, **places
    )


def _open(requests, address, etag=None):
    return requests("get_object", source=address, ChecksumMode="ENABLED", IfMatch=etag, **address.parameters)


def _read_into(requests, address, make_target, transfer, verify):
    answer = _open(requests, address)
    pinned = Pinned.by(address, answer)
    proof = checksums.proof_of(answer) if verify else None
    with answer["Body"] as body, make_target(pinned.size) as target:
        if pinned.size < transfer.threshold:
            parts, bodies = [Part(1, 0, pinned.size - 1)], [answer["Body"]]
        else:
            # The rest of this answer goes unread: several requests side by side are faster than one.
            body.close()
            parts = plan(pinned.size, part_size=transfer.part_size)
            bodies = [None] * len(parts)
        readings = [_Reading(requests, pinned, part, transfer.block, body) for part, body in zip(parts, bodies)]
        pieces = _run_all(readings, target, transfer.workers)
        if verify:
            _check(pinned, proof, _digest(proof, pieces, target, transfer.block))
        return target.result()


def _run_all(readings, target, workers):
    if len(readings) == 1:
        return [readings[0].into(target)]
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(reading.into, target) for reading in readings]
        try:
            return [one.result() for one in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _digest(proof, pieces, target, block):
    if proof is None:
        return None
    if proof[0] == "CRC32":
        return checksums.crc32_text(checksums.crc32_combined(pieces))
    # The others can't be put together from the parts' own, so what was written is read once more, in order.
    counter = checksums.counter(proof[0])
    for piece in target.blocks(block):
        counter.update(piece)
    return counter.text()


def _check(pinned, proof, ours):
    if proof is None:
        return _say_unproven(pinned, "the server stores no checksum that can be computed here")
    name, theirs = proof
    if ours == theirs:
        return None
    if name == "MD5" and pinned.has_opaque_etag:
        return _say_unproven(pinned, "it is encrypted, and its ETag is no MD5")
    raise ObjectVerificationException(
        f"the bytes read have {name} {ours}, the object has {theirs}", operation="get_object", source=pinned.address
    )


def _say_unproven(pinned, reason):
    LOGGER.info("only the number of bytes was verified: %s", reason, extra={"object": str(pinned.address)})


class _Reading:
    """Some bytes of a pinned object; a new request goes on where the last one broke."""

    def __init__(self, requests, pinned, part, block, body=None):
        self._requests = requests
        self._pinned = pinned
        self._part = part
        self._block = block
        self._body = body
        self._position = part.first
        self._crc = checksums.Crc32()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()

    def into(self, target):
        """Writes the bytes to a target at their places, and returns their CRC32 and their number."""
        with self:
            self._requests.run(lambda: self._write_rest(target))
        return self._crc.value, self._part.size

    def next_block(self):
        """Returns the next bytes, b"" at the end; a call after a failed one goes on where that one was."""
        if self._position > self._part.last:
            return b""
        if self._requests.deadline.has_passed():
            raise DeadlineException("time ran out while it was being read", **self._places())
        if self._body is None:
            self._body = self._ask()
        self._limit_wait()
        try:
            block = self._body.read(min(self._block, self._part.last + 1 - self._position))
        except BODY_ERRORS as error:
            self._close()
            raise translated(error, operation="get_object", source=self._pinned.address) from error
        if not block:
            self._close()
            raise ObjectClerkServerInternalException(
                f"the body ended after {self._position} of {self._pinned.size} bytes", **self._places()
            )
        self._position += len(block)
        return block

    def _limit_wait(self):
        """Has the wait for the next bytes end by the deadline: the request's own time-out was that of its beginning."""
        left = self._requests.deadline.remaining()
        if left < READ_TIMEOUT:
            # A body that has no socket does not wait.
            with suppress(AttributeError):
                self._body.set_socket_timeout(max(LEAST_TIMEOUT, left))

    def _write_rest(self, target):
        position = self._position
        while block := self.next_block():
            target.write(position, block)
            self._crc.update(block)
            position = self._position

    def _ask(self):
        rest = Part(self._part.number, self._position, self._part.last)
        answer = request(
            self._requests.client,
            "get_object",
            source=self._pinned.address,
            Range=rest.range_header,
            IfMatch=self._pinned.etag,
            **self._pinned.address.parameters,
        )
        if answer["ContentLength"] != rest.size:
            answer["Body"].close()
            reason = f"{answer['ContentLength']} bytes came where {rest.size} were asked for"
            raise ObjectClerkException(reason, **self._places())
        return answer["Body"]

    def _close(self):
        if self._body is not None:
            self._body.close()
            self._body = None

    def _places(self):
        return {"operation": "get_object", "source": self._pinned.address}


class _Memory:
    """Room for an object's bytes in memory, which are handed out without another copy of them."""

    def __init__(self, size):
        self._buffer = io.BytesIO()
        if size:
            # Writing the last byte first makes the buffer as long as it will be.
            self._buffer.seek(size - 1)
            self._buffer.write(b"\0")
        self._view = self._buffer.getbuffer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._view.release()

    def write(self, position, block):
        """Puts bytes at their place."""
        self._view[position : position + len(block)] = block

    def blocks(self, size):
        """Yields what was written, in order."""
        for start in range(0, len(self._view), size):
            yield self._view[start : start + size]

    def result(self):
        """Returns the bytes."""
        self._view.release()
        return self._buffer.getvalue()


class _File:
    """A file that is being written."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def sized(self, size):
        """Returns itself, `size` bytes long whatever an earlier try has left."""
        os.ftruncate(self._descriptor, size)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Leaves the file open for another try."""

    def write(self, position, block):
        """Puts bytes at their place."""
        view = memoryview(block)
        while view:
            written = os.pwrite(self._descriptor, view, position)
            view, position = view[written:], position + written

    def blocks(self, size):
        """Yields what was written, in order."""
        position = 0
        while block := os.pread(self._descriptor, size, position):
            yield block
            position += len(block)

    def result(self):
        """Returns nothing: the file is the result."""


@contextmanager
def _beside(path):
    """Yields a new file in the folder of `path`, which takes that name in the end and is removed on failure."""
    unfinished = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        try:
            yield _File(descriptor)
        finally:
            os.close(descriptor)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
