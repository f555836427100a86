"""Annotations: up to 1,000 named payloads of an object version, each of 1 byte to 1 MiB of UTF-8.

They are no part of the object's bytes or headers: a write of the object does not carry them, and each has to be listed,
read and put by itself. S3 User Guide, "Annotating your objects".
"""

from __future__ import annotations

import base64
import hashlib
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.object_clerk import checksums
from tasks.object_clerk.annotation_lists import Annotation, annotations_of, is_known, name_permissions
from tasks.object_clerk.errors import (
    DeadlineException,
    KeyNotFoundException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectVerificationException,
)
from tasks.object_clerk.failures import BODY_ERRORS, translated
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.races import ObserveAgain, retry_lost_races
from tasks.object_clerk.s3_requests import S3Requests, request
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from tasks.object_clerk.errors import Places

CARRY, IGNORE = "carry", "ignore"

# Their name in `not_carried`.
NAME = "annotations"

MOST_BYTES = MIB
# Annotations of one object that are carried at once. Each waits for two round trips; more would take more memory.
WORKERS = 4
# Annotations in memory at once, of all objects that this process works on.
_SLOTS = threading.BoundedSemaphore(8)

# How often both sides are observed again: annotations have no conditions of their own.
ROUNDS = 8

# The code for an annotation that no longer exists.
GONE = "NoSuchAnnotation"

Found = dict[str, Annotation]


@dataclass(frozen=True)
class _Writes:
    """What the threads of one copy share."""

    equal: set[tuple[Annotation, Annotation]] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class AnnotationCopy:  # pylint: disable=too-many-instance-attributes  # two sides, four choices, and the result
    """Makes the annotations of one object version equal to those of another. It can be repeated after an interruption.

    Attributes:
        reading: may read the source.
        source: the source, with its version if the bucket keeps versions.
        writing: may write the destination.
        destination: the destination, with its version if the bucket keeps versions.
        etag: the destination's ETag: nothing is put on an object that replaces it.
        fresh: the destination was just written, so it has no annotations yet.
        exact: annotations that the source does not have are deleted at the destination.
        look: the destination may have annotations although the source has none.
        before_writes: called once before the first write.
        carried: the annotations that both had when they were last found equal, as the source lists them.
        lacking: the source has annotations, and the destination's server does not know any.
    """

    reading: S3Requests
    source: S3Object
    writing: S3Requests
    destination: S3Object
    etag: str
    fresh: bool = False
    exact: bool = False
    look: bool = False
    before_writes: Callable[[], None] | None = None
    lacking: bool = False
    carried: Found = field(default_factory=dict)
    _writes: _Writes = field(default_factory=_Writes)

    @property
    def writes(self) -> int:
        """Annotations put or deleted so far."""
        return len(self._writes.names)

    def run(self) -> None:
        """List both sides, put and delete what differs, and list again until nothing differs.

        Raises:
            ObjectChangedException: the destination was replaced, or the annotations kept changing.
            ObjectNotFoundException: one of the two is gone.
            DeadlineException: time ran out between two annotations; those that were put stay.
            ObjectClerkException: as `s3_requests.request` says.
        """
        theirs = annotations_of(self.reading, self.source)
        if theirs is None or not (theirs or self.look):
            return
        observed = [(theirs, {} if self._is_bare() else annotations_of(self.writing, self.destination))]

        def attempt() -> None:
            self._settle(*(observed.pop() if observed else self._observe()))

        reason = "annotations were changed"
        retry_lost_races(attempt, requests=self.writing, rounds=ROUNDS, lost=(), reason=reason, **self._places())

    def _observe(self) -> tuple[Found | None, Found | None]:
        return annotations_of(self.reading, self.source), annotations_of(self.writing, self.destination)

    def _settle(self, theirs: Found | None, ours: Found | None) -> None:
        if ours is None:
            self.lacking = bool(theirs)
        elif theirs is not None and self._make_equal(theirs, ours):
            # S3 has no condition on annotations.
            raise ObserveAgain
        else:
            self.carried = theirs or {}

    def _is_bare(self) -> bool:
        """Return whether the destination has no annotations, and its server is known to take some."""
        return self.fresh and is_known(self.writing.client, self.destination.bucket)

    def _make_equal(self, theirs: Found, ours: Found) -> bool:
        """Put and delete what differs; return whether anything did."""
        missing = [one for name, one in theirs.items() if not self._is_equal(one, ours.get(name))]
        surplus = [one for name, one in ours.items() if self.exact and name not in theirs]
        work: list[tuple[Callable[..., bool], Annotation, Annotation | None]] = []
        work += [(self._carry, one, ours.get(one.name)) for one in missing]
        work += [(self._delete, one, None) for one in surplus]
        if not work:
            return False
        with ThreadPoolExecutor(min(WORKERS, len(work))) as pool:
            done = [pool.submit(call, one, mine) for call, one, mine in work]
            try:
                results = [each.result() for each in done]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return any(results)

    def _is_equal(self, theirs: Annotation, mine: Annotation | None) -> bool:
        if mine is None or mine.size != theirs.size:
            return False
        return mine.etag == theirs.etag or (theirs, mine) in self._writes.equal

    def _carry(self, theirs: Annotation, mine: Annotation | None) -> bool:
        """Read one annotation and put it; return whether both sides have to be listed again."""
        self._check_time()
        with _SLOTS:
            payload = self._read(self.reading, self.source, theirs)
            if payload is None:
                return True
            if mine and self._has_payload(mine, payload):
                self._writes.equal.add((theirs, mine))
                return False
            etag = self._put(theirs.name, payload)
        self._writes.equal.add((theirs, Annotation(theirs.name, len(payload), etag)))
        return True

    def _has_payload(self, mine: Annotation, payload: bytes) -> bool:
        """Return whether an annotation at the destination has a payload although its ETag differs."""
        if mine.size != len(payload):
            return False
        if checksums.bare(mine.etag) == hashlib.md5(payload, usedforsecurity=False).hexdigest():
            return True
        return self._read(self.writing, self.destination, mine) == payload

    def _read(self, requests: S3Requests, address: S3Object, annotation: Annotation) -> bytes | None:
        """Return the payload of an annotation, or None if it was deleted since it was listed."""
        try:
            return requests.run(lambda: _payload(requests.client, address, annotation))
        except ObjectClerkServerAuthException as error:
            name_permissions(error, "s3:GetObjectAnnotation and s3:GetObjectVersionAnnotation")
            raise
        except KeyNotFoundException as error:
            if error.code != GONE:
                raise
            return None

    def _put(self, name: str, payload: bytes) -> str:
        crc = base64.b64encode(zlib.crc32(payload).to_bytes(4, "big")).decode()
        try:
            answer = self._write("put_object_annotation", name, AnnotationPayload=payload, ChecksumCRC32=crc)
        except ObjectClerkServerAuthException as error:
            name_permissions(error, "s3:PutObjectAnnotation and s3:PutObjectVersionAnnotation")
            raise
        etag: str = answer["ETag"]
        return etag

    def _delete(self, annotation: Annotation, _: None) -> bool:
        self._check_time()
        try:
            self._write("delete_object_annotation", annotation.name)
        except ObjectClerkServerAuthException as error:
            name_permissions(error, "s3:DeleteObjectAnnotation and s3:DeleteObjectVersionAnnotation")
            raise
        except KeyNotFoundException as error:
            if error.code != GONE:
                raise
        return True

    def _write(self, operation: str, name: str, **parameters: Any) -> dict[str, Any]:
        """Write to a server that is known to know annotations: another one would write the object itself."""
        if not is_known(self.writing.client, self.destination.bucket):
            raise ObjectClerkException("this server has not shown that it knows annotations", **self._places())
        with self._writes.lock:
            if self.before_writes and not self.writes:
                self.before_writes()
            self._writes.names.append(name)
        return self.writing(
            operation,
            source=self.source,
            destination=self.destination,
            AnnotationName=name,
            ObjectIfMatch=self.etag,
            **self.destination.parameters,
            **parameters,
        )

    def _check_time(self) -> None:
        if self.writing.deadline.has_passed():
            raise DeadlineException("time ran out before all annotations were carried", **self._places())

    def _places(self) -> Places:
        return {"operation": "carry annotations", "source": self.source, "destination": self.destination}


def require_carried(requests: S3Requests, source: S3Object, destination: S3Object, *, etag: str) -> None:
    """Make sure that a copy has every annotation of its source, before the source is deleted.

    Args:
        requests: may read the source and write the copy.
        source: the source, with its version if the bucket keeps versions.
        destination: the copy, with its version if the bucket keeps versions.
        etag: the copy's ETag.

    Raises:
        ObjectClerkException: the copy lacks one, or that cannot be known; the source has to stay.
    """
    work = AnnotationCopy(requests, source, requests, destination, etag)
    try:
        work.run()
    except ObjectClerkException as error:
        error.reason = f"the source stays, for its annotations could not be carried: {error.reason}"
        raise
    if work.lacking:
        reason = "the source stays, for it has annotations and the destination does not take any"
        raise ObjectClerkException(reason, operation="move_object", source=source, destination=destination)


def _payload(client: Any, address: S3Object, annotation: Annotation) -> bytes:
    where = {"AnnotationName": annotation.name, **address.parameters}
    answer = request(client, "get_object_annotation", source=address, ChecksumMode="ENABLED", **where)
    body = answer["AnnotationPayload"]
    try:
        payload: bytes = body.read(MOST_BYTES + 1)
        # The next read is at the end, where botocore compares the checksum.
        rest = body.read(1)
    except BODY_ERRORS as error:
        raise translated(error, operation="get_object_annotation", source=address) from error
    finally:
        body.close()
    if rest or len(payload) > MOST_BYTES or len(payload) != answer.get("ContentLength", len(payload)):
        reason = f"annotation {annotation.name!r} has other bytes than S3 says"
        raise ObjectVerificationException(reason, operation="get_object_annotation", source=address)
    return payload
