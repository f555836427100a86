"""An object copied inside S3 in parts, which is how S3 copies more than 5 GiB.

CopyObject takes metadata, content headers and tags along by itself; here each of them has to be carried over.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
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

LOGGER = logging.getLogger("bucket_brigade")

# Headers of an object that are the owner's, as boto3 names them in a HEAD's answer and in a write.
CONTENT_HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
)
# Names the framing of an upload and not the object's encoding; some servers store it as if it were one.
FRAMING = "aws-chunked"
# S3 takes 8,192 bytes of headers in all, and ten tags in percent-encoding can be four times as many. 3 KiB are left for
# what signs and steers a request: the token of a session may have 2 KiB, the signature names every header once more.
HEADER_BYTES = 8192 - 3072
METADATA_PREFIX = "x-amz-meta-"
# Between the name of a header and its value, and after it.
HEADER_MARKS = len(": \r\n")


@dataclass(frozen=True)
class CopyLimits:
    """Where a copy turns into a copy in parts, and how that is cut and bounded.

    Attributes:
        single: the most bytes that one CopyObject takes.
        part_size: bytes of a part; it grows where 10,000 parts would not reach. 128 MiB keeps a 5 GiB object at
            40 requests and still lets its parts be copied side by side.
        workers: parts copied at once.
        quiet_seconds: how long nothing happens on an upload before it counts as abandoned: see `open_uploads`.
    """

    single: int = MAX_SINGLE
    part_size: int = 128 * MIB
    workers: int = 8
    quiet_seconds: float = HOUR_SECONDS


def copy_in_parts(  # pylint: disable=too-many-arguments
    requests, source, destination, *, found, condition, storage_class, limits
):
    """Copies an object part by part, and publishes it whole with one last conditional request.

    Every part is pinned to the version and the ETag found; where the source has a checksum over the whole object,
    S3 refuses to complete a copy that does not. Whatever goes wrong, the upload is aborted and the old object stays.
    Uploads of the key that a killed process has left open are aborted first.

    Args:
        requests: an `S3Requests`.
        source: the `S3Object` to copy.
        destination: the `S3Object` to write.
        found: the source's HEAD answer, with checksums.
        condition: `IfMatch` or `IfNoneMatch` for the request that publishes.
        storage_class: the copy's storage class, or None.
        limits: a `CopyLimits`.

    Returns:
        The answer to CompleteMultipartUpload.

    Raises:
        ObjectClerkException: as `copies.copy_object` says.
    """
    return _PartCopy(requests, source, destination, found, storage_class, limits).run(condition)


def content_headers(found):
    """Returns the content headers and the metadata of an object, as a write takes them.

    Args:
        found: S3's answer to HeadObject or GetObject.
    """
    headers = {name: found[name] for name in CONTENT_HEADERS if found.get(name)}
    encodings = [part.strip() for part in headers.pop("ContentEncoding", "").split(",")]
    encoding = ",".join(part for part in encodings if part and part.lower() != FRAMING)
    return {**headers, **({"ContentEncoding": encoding} if encoding else {})}


def tags_of(requests, address):
    """Returns the tags of an object: name -> value."""
    answer = requests("get_object_tagging", source=address, **address.parameters)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def tagging_header(tags, headers):
    """Returns tags as the header of a write, or None where there are none or the header would be too long.

    Tags that do not go with a write are put after it, by PutObjectTagging.

    Args:
        tags: name -> value.
        headers: what goes with the write besides: what `content_headers` returned.
    """
    header = urlencode(tags, quote_via=quote)
    return header if header and len(header) + _length(headers) <= HEADER_BYTES else None


def tag_set(tags):
    """Returns tags as PutObjectTagging takes them."""
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}


def _length(headers):
    plain = {name: value for name, value in headers.items() if name != "Metadata"}
    named = {**plain, **{METADATA_PREFIX + name: value for name, value in headers.get("Metadata", {}).items()}}
    return sum(2 * len(name) + len(str(value)) + HEADER_MARKS for name, value in named.items())


@dataclass
class _PartCopy:
    requests: S3Requests
    source: S3Object
    destination: S3Object
    found: dict
    storage_class: str | None
    limits: CopyLimits

    def run(self, condition):
        """Creates the upload, copies the parts, completes; aborts when any of it fails."""
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
            # Where this fails the copy stays, and another delivery finds that it lacks nothing but its tags.
            self._request("put_object_tagging", Tagging=tag_set(tags), VersionId=answer.get("VersionId"))
        return answer

    def _checksum(self):
        known = checksums.full_object_checksums(self.found)
        for name in checksums.FULL_OBJECT_MULTIPART_ALGORITHMS:
            if name in known:
                return _Checksum(
                    create={"ChecksumAlgorithm": name, "ChecksumType": "FULL_OBJECT"},
                    complete={f"Checksum{name}": known[name], "ChecksumType": "FULL_OBJECT"},
                )
        return _Checksum({}, {})

    def _create(self, checksum, tagging):
        answer = self._request(
            "create_multipart_upload",
            **content_headers(self.found),
            **checksum.create,
            Tagging=tagging,
            StorageClass=self.storage_class,
        )
        return answer["UploadId"]

    def _part_size(self):
        """Cuts where the source was cut, so that equal bytes get equal ETags and a look tells that they are equal."""
        if "-" not in self.found["ETag"]:
            return self.limits.part_size
        first = self.requests("head_object", source=self.source, PartNumber=1, **self.source.parameters)
        size, count = first["ContentLength"], first.get("PartsCount")
        fits = MIN_PART <= size <= MAX_PART and -(-self.found["ContentLength"] // size) == count
        return size if fits else self.limits.part_size

    def _copy_parts(self, upload):
        parts, durations = plan(self.found["ContentLength"], part_size=self._part_size()), Durations()
        with ThreadPoolExecutor(self.limits.workers) as pool:
            copies = [pool.submit(self._copy_part, upload, part, durations) for part in parts]
            try:
                return [copy.result() for copy in copies]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _copy_part(self, upload, part, durations):
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

    def _complete(self, upload, parts, conditions):
        return self._request(
            "complete_multipart_upload",
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            MpuObjectSize=self.found["ContentLength"],
            **conditions,
        )

    def _abort(self, upload):
        try:
            self._request("abort_multipart_upload", by=self.requests.closing(), UploadId=upload)
        except ObjectChangedException:
            # It is gone: completed by a try whose answer was lost, or ended by somebody else.
            pass
        except ObjectClerkException as error:
            # The error that led here is the one to report; the bucket's life cycle clears what stays behind.
            LOGGER.warning("a multipart upload could not be aborted", extra={"upload": upload, "reason": str(error)})

    def _request(self, operation, *, by=None, **parameters):
        where = {"Bucket": self.destination.bucket, "Key": self.destination.key}
        send = by or self.requests
        try:
            return send(operation, source=self.source, destination=self.destination, **where, **parameters)
        except KeyNotFoundException as error:
            # A try that timed out may have completed the upload all the same: a look at the object tells. With
            # If-Match, S3 also answers 404 where the object that was to be replaced has been deleted meanwhile.
            if error.code == "NoSuchUpload" or (operation == "complete_multipart_upload" and error.code == "NoSuchKey"):
                raise ObjectChangedException(error.reason, **self._places()) from error
            raise

    def _places(self):
        return {"operation": "copy_object", "source": self.source, "destination": self.destination}


@dataclass(frozen=True)
class _Checksum:
    create: dict
    complete: dict
