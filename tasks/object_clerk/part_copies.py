"""Copies inside S3 in parts, the only way to copy more than 5 GiB.

CopyObject also copies metadata, content headers and tags. After a copy in parts each of them has to be written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tasks.object_clerk import checksums
from tasks.object_clerk.errors import (
    DeadlineException,
    KeyNotFoundException,
    ObjectChangedException,
    ObjectClerkException,
)
from tasks.object_clerk.open_uploads import HOUR_SECONDS, abort_abandoned
from tasks.object_clerk.parts import MAX_PART, MAX_SINGLE, MIB, MIN_PART, plan
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.deadline import Durations
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from tasks.object_clerk.errors import Places
    from tasks.object_clerk.parts import Part

LOGGER = logging.getLogger("bucket_brigade")

# The headers that an object's owner sets, as boto3 names them in a HEAD's answer and in a write.
CONTENT_HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
)
# The framing of an upload. Some servers store it as if it were the object's encoding.
FRAMING = "aws-chunked"
# S3 takes 8,192 bytes of headers in all, and ten tags in percent-encoding can be four times as many. 3 KiB are left for
# the signature and other headers: the token of a session may have 2 KiB, and the signature names every header again.
HEADER_BYTES = 8192 - 3072
METADATA_PREFIX = "x-amz-meta-"
# Between the name of a header and its value, and after it.
HEADER_MARKS = len(": \r\n")


@dataclass(frozen=True)
class CopyLimits:
    """From which size on a copy goes in parts, and the sizes and bounds of parts.

    Attributes:
        single: the most bytes that one CopyObject takes.
        part_size: bytes of a part; it grows if 10,000 parts would not suffice. With 128 MiB an object of 5 GiB takes
            40 requests, some of them in parallel.
        workers: parts copied at once.
        quiet_seconds: after so long without a part an upload counts as abandoned: see `open_uploads`.
    """

    single: int = MAX_SINGLE
    part_size: int = 128 * MIB
    workers: int = 8
    quiet_seconds: float = HOUR_SECONDS


@dataclass
class PartCopy:
    """A copy of an object part by part, which one last conditional request publishes whole.

    Every part is pinned to the version and the ETag found. If the source has a checksum over the whole object, S3
    refuses to complete a copy with another one. After any failure the upload is aborted and the old object stays.

    Attributes:
        requests: may read the source and write the destination.
        source: the object to copy.
        destination: the address to write.
        found: the source's HEAD answer, with checksums.
        storage_class: the copy's storage class, or None.
        limits: the sizes and bounds of parts.
    """

    requests: S3Requests
    source: S3Object
    destination: S3Object
    found: dict[str, Any]
    storage_class: str | None
    limits: CopyLimits

    def run(self, condition: Mapping[str, Any]) -> dict[str, Any]:
        """Create the upload, copy the parts, and complete it; abort it after a failure.

        Uploads of the key that a killed process left open are aborted first.

        Args:
            condition: `IfMatch` or `IfNoneMatch` for the request that publishes.

        Returns:
            The answer to CompleteMultipartUpload.

        Raises:
            ObjectClerkException: as `copies.copy_object` says.
        """
        checksum, tags = self._checksum(), tags_of(self.requests, self.source)
        tagging = tagging_header(tags, content_headers(self.found))
        abort_abandoned(self.requests, self.destination, quiet_seconds=self.limits.quiet_seconds)
        upload = self._create(checksum, tagging)
        try:
            parts = self._copy_parts(upload)
            answer = self._complete(upload, parts, {**checksum.complete, **condition})
        except BaseException:
            self._abort(upload)
            raise
        if tags and not tagging:
            # If this fails, the copy stays, and another delivery finds that it lacks only its tags.
            self._request("put_object_tagging", Tagging=tag_set(tags), VersionId=answer.get("VersionId"))
        return answer

    def _checksum(self) -> _Checksum:
        known = checksums.full_object_checksums(self.found)
        for name in checksums.FULL_OBJECT_MULTIPART_ALGORITHMS:
            if name in known:
                return _Checksum(
                    create={"ChecksumAlgorithm": name, "ChecksumType": "FULL_OBJECT"},
                    complete={f"Checksum{name}": known[name], "ChecksumType": "FULL_OBJECT"},
                )
        return _Checksum({}, {})

    def _create(self, checksum: _Checksum, tagging: str | None) -> str:
        answer = self._request(
            "create_multipart_upload",
            **content_headers(self.found),
            **checksum.create,
            Tagging=tagging,
            StorageClass=self.storage_class,
        )
        upload: str = answer["UploadId"]
        return upload

    def _part_size(self) -> int:
        """Return the size of the source's parts, because equal bytes then get equal ETags."""
        if "-" not in self.found["ETag"]:
            return self.limits.part_size
        first = self.requests("head_object", source=self.source, PartNumber=1, **self.source.parameters)
        size: int = first["ContentLength"]
        count = first.get("PartsCount")
        fits = MIN_PART <= size <= MAX_PART and -(-self.found["ContentLength"] // size) == count
        return size if fits else self.limits.part_size

    def _copy_parts(self, upload: str) -> list[dict[str, Any]]:
        parts, durations = plan(self.found["ContentLength"], part_size=self._part_size()), Durations()
        with ThreadPoolExecutor(self.limits.workers) as pool:
            copies = [pool.submit(self._copy_part, upload, part, durations) for part in parts]
            try:
                return [copy.result() for copy in copies]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _copy_part(self, upload: str, part: Part, durations: Durations) -> dict[str, Any]:
        if not durations.fits(self.requests.deadline):
            raise DeadlineException(f"time ran out before part {part.number}; nothing was written", **self._places())
        began = monotonic()
        answer = self._request(
            "upload_part_copy",
            UploadId=upload,
            PartNumber=part.number,
            CopySource=self.source.parameters,
            CopySourceRange=part.range_header,
            CopySourceIfMatch=self.found["ETag"],
        )
        durations.add(monotonic() - began)
        result = answer["CopyPartResult"]
        stored = {name: value for name, value in result.items() if name == "ETag" or name.startswith("Checksum")}
        return {"PartNumber": part.number, **stored}

    def _complete(self, upload: str, parts: list[dict[str, Any]], conditions: dict[str, Any]) -> dict[str, Any]:
        return self._request(
            "complete_multipart_upload",
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            MpuObjectSize=self.found["ContentLength"],
            **conditions,
        )

    def _abort(self, upload: str) -> None:
        try:
            self._request("abort_multipart_upload", by=self.requests.closing(), UploadId=upload)
        except ObjectChangedException:
            # It is gone: an attempt whose answer was lost has completed it, or another writer has ended it.
            pass
        except ObjectClerkException as error:
            # The error before this one is the one to report. The bucket's life cycle clears the upload.
            LOGGER.warning("a multipart upload could not be aborted", extra={"upload": upload, "reason": str(error)})

    def _request(self, operation: str, *, by: S3Requests | None = None, **parameters: Any) -> dict[str, Any]:
        where = {"Bucket": self.destination.bucket, "Key": self.destination.key}
        send = by or self.requests
        try:
            return send(operation, source=self.source, destination=self.destination, **where, **parameters)
        except KeyNotFoundException as error:
            # An attempt that timed out may have completed the upload; the next observation of the object shows it.
            # With If-Match, S3 also answers 404 if the object that was to be replaced has been deleted meanwhile.
            if error.code == "NoSuchUpload" or (operation == "complete_multipart_upload" and error.code == "NoSuchKey"):
                raise ObjectChangedException(error.reason, **self._places()) from error
            raise

    def _places(self) -> Places:
        return {"operation": "copy_object", "source": self.source, "destination": self.destination}


def content_headers(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content headers and the metadata of an object, as a write takes them.

    Args:
        found: S3's answer to HeadObject or GetObject.
    """
    headers = {name: found[name] for name in CONTENT_HEADERS if found.get(name)}
    encodings = [part.strip() for part in headers.pop("ContentEncoding", "").split(",")]
    encoding = ",".join(part for part in encodings if part and part.lower() != FRAMING)
    return {**headers, **({"ContentEncoding": encoding} if encoding else {})}


def tags_of(requests: S3Requests | Callable[..., dict[str, Any]], address: S3Object) -> dict[str, str]:
    """Return the tags of an object: name -> value."""
    answer = requests("get_object_tagging", source=address, **address.parameters)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def tagging_header(tags: Mapping[str, str], headers: Mapping[str, Any]) -> str | None:
    """Return tags as the header of a write, or None if there are none or the header would be too long.

    Tags that do not fit are put after the write, by PutObjectTagging.

    Args:
        tags: name -> value.
        headers: the other headers of the write: the result of `content_headers`.
    """
    header = urlencode(tags, quote_via=quote)
    return header if header and len(header) + _length(headers) <= HEADER_BYTES else None


def tag_set(tags: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """Return tags as PutObjectTagging takes them."""
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}


def _length(headers: Mapping[str, Any]) -> int:
    plain = {name: value for name, value in headers.items() if name != "Metadata"}
    named = {**plain, **{METADATA_PREFIX + name: value for name, value in headers.get("Metadata", {}).items()}}
    return sum(2 * len(name) + len(str(value)) + HEADER_MARKS for name, value in named.items())


@dataclass(frozen=True)
class _Checksum:
    create: dict[str, Any]
    complete: dict[str, Any]
