"""The bytes of a part of a pinned object. After a broken read, a new request continues at the same byte."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tasks.object_clerk import checksums
from tasks.object_clerk.errors import DeadlineException, ObjectClerkException, ObjectClerkServerInternalException
from tasks.object_clerk.failures import BODY_ERRORS, translated
from tasks.object_clerk.parts import Part
from tasks.object_clerk.s3_requests import READ_TIMEOUT, request
from tasks.utils.deadline import LEAST_TIMEOUT

if TYPE_CHECKING:
    from tasks.object_clerk.download_targets import Target
    from tasks.object_clerk.errors import Places
    from tasks.object_clerk.pinned import Pinned
    from tasks.object_clerk.s3_requests import S3Requests


class Reading:
    """Reads one part.

    Args:
        requests: for the object.
        pinned: the state of the object that is read.
        part: the range of its bytes.
        block: bytes of one read.
        body: the body of an answer that begins with these bytes, if there is one.
    """

    def __init__(self, requests: S3Requests, pinned: Pinned, part: Part, *, block: int, body: Any = None) -> None:
        self._requests = requests
        self._pinned = pinned
        self._part = part
        self._block = block
        self._body = body
        self._position = part.first
        self._crc = checksums.Crc32()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def into(self, target: Target) -> tuple[int, int]:
        """Write the bytes to a target at their positions, and return their CRC32 and their number."""
        with self:
            self._requests.run(lambda: self._write_rest(target))
        return self._crc.value, self._part.size

    def next_block(self) -> bytes:
        """Return the next bytes, b"" at the end. A call after a failed one continues at the same byte."""
        if self._position > self._part.last:
            return b""
        if self._requests.deadline.has_passed():
            raise DeadlineException("time ran out while it was being read", **self._places())
        if self._body is None:
            self._body = self._ask()
        self._limit_wait()
        try:
            block: bytes = self._body.read(min(self._block, self._part.last + 1 - self._position))
        except BODY_ERRORS as error:
            self._close()
            raise translated(error, **self._places()) from error
        if not block:
            self._close()
            raise ObjectClerkServerInternalException(
                f"the body ended after {self._position} of {self._pinned.size} bytes", **self._places()
            )
        self._position += len(block)
        return block

    def _limit_wait(self) -> None:
        """Make the wait for the next bytes end by the deadline: the request's time-out is from its beginning."""
        left = self._requests.deadline.remaining()
        if left < READ_TIMEOUT:
            # A body without a socket does not wait.
            with suppress(AttributeError):
                self._body.set_socket_timeout(max(LEAST_TIMEOUT, left))

    def _write_rest(self, target: Target) -> None:
        position = self._position
        while block := self.next_block():
            target.write(position, block)
            self._crc.update(block)
            position = self._position

    def _ask(self) -> Any:
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
            reason = f"{answer['ContentLength']} bytes came for a request for {rest.size}"
            raise ObjectClerkException(reason, **self._places())
        return answer["Body"]

    def _close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _places(self) -> Places:
        return {"operation": "get_object", "source": self._pinned.address}
