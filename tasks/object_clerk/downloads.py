"""Bytes read from S3, all of one version: pinned, continued after a broken read, and proven at the end.

The proof is the first of these that the server offers: its CRC32, SHA-256 or SHA-1 over the whole object, which this
module computes too; or an ETag that equals our MD5. An ETag of another value proves damage only if it must be an MD5:
of an object that was written whole and is not encrypted. If the server offers none (checksums of parts, CRC64NVME,
encrypted objects without a checksum), only the number of bytes is verified, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.object_clerk import checksums
from tasks.object_clerk.download_targets import MemoryTarget, Target, file_beside
from tasks.object_clerk.errors import ObjectSaveException, ObjectVerificationException
from tasks.object_clerk.parts import Part, plan
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.races import retry_lost_races
from tasks.object_clerk.reading import Reading
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transfers import Transfer
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from tasks.object_clerk.checksums import Proof

Result = TypeVar("Result")

LOGGER = logging.getLogger("bucket_brigade")

# How often a read starts again because the object was replaced meanwhile. A key that is replaced more often during a
# read will not come to rest soon.
ROUNDS = 5


def read(requests: S3Requests, address: S3Object, *, transfer: Transfer, verify: bool = True) -> bytes:
    """Return the bytes of an object, held in memory once.

    Args:
        requests: for the object.
        address: the object to read.
        transfer: the size of a part, the number of parts at once.
        verify: prove the bytes, as the module says.

    Raises:
        ObjectNotFoundException: there is no such object.
        ObjectVerificationException: the bytes differed from the stored ones three times.
        ObjectChangedException: other writers kept replacing the object.
        ObjectClerkException: S3 refuses for another reason.
    """
    download = _Download(requests, address, transfer, verify)
    return download.until_pinned(lambda: download.into(MemoryTarget)) or b""


def save(requests: S3Requests, address: S3Object, path: str | Path, *, transfer: Transfer, verify: bool = True) -> None:
    """Read an object into a file, which replaces `path` when it is complete and proven.

    Args:
        requests: as for `read`.
        address: as for `read`.
        path: the file; an existing one stays untouched until then.
        transfer: as for `read`.
        verify: as for `read`.

    Raises:
        ObjectSaveException: the file cannot be written.
        ObjectClerkException: as for `read`.
    """
    # A link is followed. A special file such as /dev/null must not be replaced by a regular file.
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        raise _save_error("that is not a file", address, path)
    download = _Download(requests, address, transfer, verify)
    try:
        with file_beside(path) as file:
            download.until_pinned(lambda: download.into(file.sized))
    except OSError as error:
        raise _save_error(f"the file cannot be written: {error.strerror}", address, path) from error


def blocks(
    requests: S3Requests,
    address: S3Object,
    *,
    etag: str | None = None,
    transfer: Transfer = Transfer(),
    verify: bool = True,
) -> Iterator[bytes]:
    """Yield an object's bytes in order, block by block. They are proven after the last block.

    Args:
        requests: as for `read`.
        address: as for `read`.
        etag: the ETag that the object must have, or None.
        transfer: as for `read`.
        verify: as for `read`.

    Raises:
        ObjectVerificationException: after the last block: they were not the stored bytes.
        ObjectChangedException: the object was replaced while it was being read.
        ObjectClerkException: as for `read`.
    """
    opened = _Download(requests, address, transfer, verify).opened(etag)
    counter = checksums.counter(opened.proof[0]) if opened.proof else None
    whole = Part(1, 0, opened.pinned.size - 1)
    reading = Reading(requests, opened.pinned, whole, block=transfer.block, body=opened.body)
    with reading:
        while block := requests.run(reading.next_block):
            if counter:
                counter.update(block)
            yield block
    if verify:
        opened.check(counter.text() if counter else None)


@dataclass(frozen=True)
class _Opened:
    """An object whose answer has begun: its state, its proof if the server offers one, and its body."""

    pinned: Pinned
    proof: Proof | None
    body: Any

    def check(self, ours: str | None) -> None:
        """Compare the checksum of the bytes that were read with the proof."""
        if self.proof is None:
            _log_unproven(self.pinned, "the server stores no checksum that can be computed here")
            return
        name, theirs = self.proof
        if ours == theirs:
            return
        if name != "MD5" or not self.pinned.has_opaque_etag:
            reason = f"the bytes read have {name} {ours}, the object has {theirs}"
            raise ObjectVerificationException(reason, operation="get_object", source=self.pinned.address)
        _log_unproven(self.pinned, "it is encrypted, and its ETag is no MD5")


@dataclass(frozen=True)
class _Download:
    requests: S3Requests
    address: S3Object
    transfer: Transfer
    verify: bool

    def until_pinned(self, call: Callable[[], Result]) -> Result:
        """Call `call()` again if the bytes were damaged, or if the object was replaced half way."""
        return retry_lost_races(
            partial(self.requests.until_sound, call),
            requests=self.requests,
            rounds=ROUNDS,
            reason="the object was replaced",
            operation="get_object",
            source=self.address,
        )

    def opened(self, etag: str | None = None) -> _Opened:
        """Begin to read the object."""
        where = self.address.parameters
        answer = self.requests("get_object", source=self.address, ChecksumMode="ENABLED", IfMatch=etag, **where)
        proof = checksums.proof_of(answer) if self.verify else None
        pinned = Pinned.by(self.address, answer)
        # The ETag pins the object. A request for the version in this answer would need s3:GetObjectVersion, and a role
        # that reads only current objects has no such permission.
        return _Opened(replace(pinned, address=self.address), proof, answer["Body"])

    def into(self, make_target: Callable[[int], Target]) -> bytes | None:
        """Read the object into a target of its size; return the bytes if they are in memory."""
        opened = self.opened()
        with opened.body, make_target(opened.pinned.size) as target:
            pieces = self._run_all(list(self._readings(opened)), target)
            if self.verify:
                opened.check(self._digest(opened.proof, pieces, target))
            return target.result()

    def _readings(self, opened: _Opened) -> Iterator[Reading]:
        size, block = opened.pinned.size, self.transfer.block
        if size < self.transfer.threshold:
            yield Reading(self.requests, opened.pinned, Part(1, 0, size - 1), block=block, body=opened.body)
            return
        # The rest of this answer stays unread: several parallel requests are faster than one.
        opened.body.close()
        for part in plan(size, part_size=self.transfer.part_size):
            yield Reading(self.requests, opened.pinned, part, block=block)

    def _run_all(self, readings: list[Reading], target: Target) -> list[tuple[int, int]]:
        if len(readings) == 1:
            return [readings[0].into(target)]
        with ThreadPoolExecutor(self.transfer.workers) as pool:
            waiting = [pool.submit(reading.into, target) for reading in readings]
            try:
                return [one.result() for one in waiting]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _digest(self, proof: Proof | None, pieces: list[tuple[int, int]], target: Target) -> str | None:
        if proof is None:
            return None
        if proof[0] == "CRC32":
            return checksums.crc32_text(checksums.crc32_combined(pieces))
        # The other checksums cannot be combined from those of parts, so the written bytes are read again, in order.
        counter = checksums.counter(proof[0])
        for piece in target.blocks(self.transfer.block):
            counter.update(piece)
        return counter.text()


def _log_unproven(pinned: Pinned, reason: str) -> None:
    LOGGER.info("only the number of bytes was verified: %s", reason, extra={"object": str(pinned.address)})


def _save_error(reason: str, address: S3Object, path: Path) -> ObjectSaveException:
    return ObjectSaveException(reason, operation="download_object", source=address, destination=str(path))
