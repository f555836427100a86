"""Files from bucket to bucket: inside S3 if the destination's credentials may read the source, else through this
machine, in bounded memory and never through its disk.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.object_clerk import checksums, copies, streams
from tasks.object_clerk.annotation_lists import Annotation
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
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.otf_addons.annotations import copy_annotations
from tasks.otf_addons.attributes import Attributes
from tasks.otf_addons.connections import Connection
from tasks.otf_addons.listing import SourceObject
from tasks.utils.s3_object import S3Object

LOGGER = logging.getLogger("bucket_brigade")


def stream_limits() -> streams.StreamLimits:
    """Return the limits of all objects on their way: 8 parts of 16 MiB in memory."""
    return streams.StreamLimits(BufferPool(128 * MIB))


@dataclass
class BucketCopies:
    """Copies objects from one connection to another.

    Attributes:
        source: the connection that reads.
        destination: the connection that writes.
        limits: see `stream_limits`.
        keeps_class: objects are written in their storage class; False after the destination refused one.
        confirms: check that annotations were copied, because the sources will be deleted.
        inside_s3: S3 copies by itself; False after S3 refused to.
    """

    source: Connection
    destination: Connection
    limits: streams.StreamLimits = field(default_factory=stream_limits)
    keeps_class: bool = True
    confirms: bool = False
    inside_s3: bool = field(init=False)

    def __post_init__(self) -> None:
        self.inside_s3 = self.source.server == self.destination.server

    def copy(self, source: SourceObject, target: S3Object) -> SourceObject:
        """Copy and verify a source, with all that belongs to it except for ACL and Object Lock.

        Args:
            source: the source as it was found.
            target: the address of the copy.

        Returns:
            The source that was read, with its version if that is now known, and with the annotations of the copy.

        Raises:
            SourceReplacedException: another object has replaced the source.
            ObjectClerkException: S3 refuses to read or to write it.
        """
        if self.inside_s3:
            try:
                return self._copy_inside(source, target)
            except SourceReplacedException:
                raise
            except (ObjectClerkServerAuthException, ObjectNotFoundException):
                if self.source.protocol.identity == self.destination.protocol.identity:
                    raise
                self.inside_s3 = False
                LOGGER.info("the destination's credentials cannot read the source: files go through this machine")
        return _add_annotations(self._stream(source, target), source.annotations)

    def _copy_inside(self, source: SourceObject, target: S3Object) -> SourceObject:
        requests = self.destination.requests()
        copied = copy_inside(requests, source, target)
        if not self.confirms:
            return source
        written = {"ETag": copied.etag, "VersionId": copied.destination.version_id}
        annotations = copy_annotations(requests, source.address, requests, target, written=written)
        return _add_annotations(source, annotations)

    def _stream(self, source: SourceObject, target: S3Object) -> SourceObject:
        stream = self._stream_parts if source.size > self.limits.part_size else self._stream_whole
        try:
            try:
                return stream(source, target)
            except ObjectClerkException as error:
                if error.code != "InvalidStorageClass" or not self.keeps_class:
                    raise
                self.keeps_class = False
                LOGGER.info("the destination does not know the storage class of a source: its own default is used")
                return stream(source, target)
        except ObjectClerkException as error:
            error.source, error.destination = error.source or source.address, error.destination or target
            raise

    def _stream_whole(self, source: SourceObject, target: S3Object) -> SourceObject:
        reading, writing = self.source.requests(), self.destination.requests()
        with self.limits.buffers.buffer(source.size) as buffer:
            answer, data = streams.fetch(reading, source.address, most=source.size, etag=source.etag, into=buffer)
            assert data is not None  # the ETag pins the size
            attributes = Attributes(reading, SourceObject.from_answer(source.address, answer), answer)
            written = streams.put(writing, data, target, **attributes.headers(with_class=self.keeps_class))
        return _finish(attributes, writing, target, written)

    def _stream_parts(self, source: SourceObject, target: S3Object) -> SourceObject:
        reading, writing = self.source.requests(), self.destination.requests()
        observed, answer = observe(reading, source)
        attributes = Attributes(reading, observed, answer)
        upload = writing(
            "create_multipart_upload",
            destination=target,
            ChecksumAlgorithm="CRC32",
            ChecksumType="FULL_OBJECT",
            Bucket=target.bucket,
            Key=target.key,
            **attributes.headers(with_class=self.keeps_class),
        )["UploadId"]
        try:
            pinned = Pinned(observed.address, observed.etag, observed.size)
            stream = streams.PartStream(reading, writing, pinned, target, upload, self.limits)
            parts = stream.run({})
            _verify(answer, parts)
            written = stream.complete(parts)
        except BaseException:
            _abort(writing, target, upload)
            raise
        return _finish(attributes, writing, target, written)


def copy_inside(requests: S3Requests, source: SourceObject, target: S3Object) -> copies.Copied:
    """Copy a source inside S3, and prove the copy.

    Args:
        requests: requests that may read the source and write the destination.
        source: the source as it was found.
        target: the address of the copy.

    Raises:
        ObjectClerkException: see `copies.copy_object`.
    """
    return copies.copy_object(
        requests,
        source.address,
        target,
        etag=source.etag,
        size=source.size,
        storage_class=source.storage_class,
        prove=True,
    )


def observe(requests: S3Requests, source: SourceObject) -> tuple[SourceObject, Mapping[str, Any]]:
    """Return a source with its version, and the answer of S3.

    Raises:
        KeyNotFoundException: it is gone.
        SourceReplacedException: another object has replaced it.
    """
    answer = head(requests, source.address)
    if answer is None:
        raise KeyNotFoundException("it is gone", operation="head_object", source=source.address)
    if checksums.bare(answer["ETag"]) != checksums.bare(source.etag):
        raise SourceReplacedException(
            "another object has taken its place since it was listed", operation="head_object", source=source.address
        )
    return SourceObject.from_answer(source.address, answer), answer


def _finish(attributes: Attributes, writing: S3Requests, target: S3Object, written: Mapping[str, Any]) -> SourceObject:
    """Put long tags and the annotations on a copy, and return its source."""
    attributes.put_long_tags(writing, target, written.get("VersionId"))
    reading, source = attributes.reading, attributes.source
    return _add_annotations(source, copy_annotations(reading, source.address, writing, target, written=written))


def _add_annotations(source: SourceObject, annotations: frozenset[Annotation]) -> SourceObject:
    return replace(source, annotations=source.annotations | annotations)


def _verify(answer: Mapping[str, Any], parts: Iterable[Any]) -> None:
    """Compare the bytes that were read with the checksum of the source, if S3 stores one."""
    expected, ours = checksums.full_object_checksums(answer).get("CRC32"), streams.whole_crc32(parts)
    if expected not in (None, ours):
        raise ObjectVerificationException(f"the bytes read have CRC32 {ours}, the object has {expected}")


def _abort(writing: S3Requests, target: S3Object, upload: str) -> None:
    try:
        writing("abort_multipart_upload", destination=target, Bucket=target.bucket, Key=target.key, UploadId=upload)
    except ObjectClerkException as error:
        # The caller raises the error that led here. The life cycle of the bucket removes the upload.
        LOGGER.warning("a multipart upload could not be aborted: %s", error)
