"""Files from one bucket to another: inside S3 where the destination's credentials may read the source, else through
this machine, in bounded memory and never through its disk.
"""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.object_clerk import checksums, copies, streams
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.errors import (
    KeyNotFoundException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectNotFoundException,
    ObjectVerificationException,
    SourceReplacedException,
)
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.s3_requests import head
from tasks.otf_addons import carried
from tasks.otf_addons.attributes import Attributes
from tasks.otf_addons.listing import Found

LOGGER = logging.getLogger("bucket_brigade")


def limits():
    """Returns how much of all objects on their way is in memory, and how they are cut: 8 parts of 16 MiB."""
    return streams.StreamLimits(BufferPool(128 * MIB))


@dataclass
class BucketCopies:
    """Copies objects from one `Connection` to another.

    Attributes:
        source: the `Connection` that reads.
        destination: the `Connection` that writes.
        inside_s3: whether S3 is asked to copy by itself; given up at the first time that it may not.
        confirms: whether it has to be known that annotations arrived, since the sources will be deleted.
        keeps_class: whether objects are written in their storage class; given up where that is not known.
        limits: see `limits`.
    """

    source: Any
    destination: Any
    limits: streams.StreamLimits = field(default_factory=limits)
    keeps_class: bool = True
    confirms: bool = False

    def __post_init__(self):
        self.inside_s3 = self.source.server == self.destination.server

    def copy(self, found, target):
        """Copies an object as it was found, verified, with all that belongs to it but ACL and Object Lock.

        Args:
            found: a `Found`.
            target: the `S3Object` to write.

        Returns:
            The `Found` that was read, with its version where that became known, and with what has arrived of it.

        Raises:
            SourceReplacedException: another object has taken the place of the one that was found.
            ObjectClerkException: S3 refuses to read or to write it.
        """
        if self.inside_s3:
            try:
                requests = self.destination.requests()
                copied = copy_inside(requests, found, target)
                if not self.confirms:
                    return found
                written = {"ETag": copied.etag, "VersionId": copied.destination.version_id}
                return _arrived(found, carried.carry(requests, found.address, requests, target, written=written))
            except SourceReplacedException:
                raise
            except (ObjectClerkServerAuthException, ObjectNotFoundException):
                if self.source.protocol.identity == self.destination.protocol.identity:
                    raise
                self.inside_s3 = False
                LOGGER.info("the destination's credentials cannot read the source: files go through this machine")
        return _arrived(self._stream(found, target), found.annotations)

    def _stream(self, found, target):
        stream = self._stream_parts if found.size > self.limits.part_size else self._stream_whole
        try:
            try:
                return stream(found, target)
            except ObjectClerkException as error:
                if error.code != "InvalidStorageClass" or not self.keeps_class:
                    raise
                self.keeps_class = False
                LOGGER.info("the destination does not know the storage class of a source: its own default is used")
                return stream(found, target)
        except ObjectClerkException as error:
            error.source, error.destination = error.source or found.address, error.destination or target
            raise

    def _stream_whole(self, found, target):
        reading, writing = self.source.requests(), self.destination.requests()
        with self.limits.buffers.buffer(found.size) as buffer:
            answer, data = streams.fetch(reading, found.address, most=found.size, etag=found.etag, into=buffer)
            seen = Found.by(found.address, answer)
            attributes = Attributes(reading, seen, answer)
            written = streams.put(writing, data, target, **attributes.headers(with_class=self.keeps_class))
        attributes.put_long_tags(writing, target, written.get("VersionId"))
        return _arrived(seen, carried.carry(reading, seen.address, writing, target, written=written))

    def _stream_parts(self, found, target):
        reading, writing = self.source.requests(), self.destination.requests()
        seen, answer = look(reading, found)
        attributes = Attributes(reading, seen, answer)
        where = {"Bucket": target.bucket, "Key": target.key}
        upload = writing(
            "create_multipart_upload",
            destination=target,
            ChecksumAlgorithm="CRC32",
            ChecksumType="FULL_OBJECT",
            **where,
            **attributes.headers(with_class=self.keeps_class),
        )["UploadId"]
        try:
            pinned = Pinned(seen.address, seen.etag, seen.size)
            stream = streams.PartStream(reading, writing, pinned, target, upload, self.limits)
            parts = stream.run({})
            _compare(answer, parts)
            written = stream.complete(parts)
        except BaseException:
            self._abort(writing, target, upload)
            raise
        attributes.put_long_tags(writing, target, written.get("VersionId"))
        return _arrived(seen, carried.carry(reading, seen.address, writing, target, written=written))

    def _abort(self, writing, target, upload):
        try:
            writing("abort_multipart_upload", destination=target, Bucket=target.bucket, Key=target.key, UploadId=upload)
        except ObjectClerkException as error:
            # The error that led here is the one to report; the bucket's life cycle clears what stays behind.
            LOGGER.warning("a multipart upload could not be aborted: %s", error)


def copy_inside(requests, found, target):
    """Has S3 copy an object as it was found, and proves the copy.

    Args:
        requests: an `S3Requests` that may read the source and write the destination.
        found: a `Found`.
        target: the `S3Object` to write.

    Returns:
        A `copies.Copied`.

    Raises:
        ObjectClerkException: as `copies.copy_object` says.
    """
    return copies.copy_object(
        requests,
        found.address,
        target,
        etag=found.etag,
        size=found.size,
        storage_class=found.storage_class,
        prove=True,
    )


def look(requests, found):
    """Looks at an object that was found, and returns it with its version, and S3's answer.

    Raises:
        KeyNotFoundException: it is gone.
        SourceReplacedException: another one has taken its place since.
    """
    answer = head(requests, found.address)
    if answer is None:
        raise KeyNotFoundException("it is gone", operation="head_object", source=found.address)
    if checksums.bare(answer["ETag"]) != checksums.bare(found.etag):
        raise SourceReplacedException(
            "another object has taken its place since it was listed", operation="head_object", source=found.address
        )
    return Found.by(found.address, answer), answer


def _arrived(found, annotations):
    return replace(found, annotations=found.annotations | annotations)


def _compare(answer, parts):
    """Holds what was read against the checksum that the source stores, if it does."""
    expected, ours = checksums.full_object_checksums(answer).get("CRC32"), streams.whole_crc32(parts)
    if expected not in (None, ours):
        raise ObjectVerificationException(f"the bytes read have CRC32 {ours}, the object has {expected}")
