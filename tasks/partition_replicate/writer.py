"""Writes to the destination, each on the condition that there is still what was seen there."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache

from tasks.object_clerk import annotations
from tasks.object_clerk.errors import (
    ConditionNotSupportedException,
    DeadlineException,
    KeyNotFoundException,
    ObjectChangedException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectClerkServerInternalException,
    ObjectNotFoundException,
)
from tasks.object_clerk.open_uploads import parts_there
from tasks.object_clerk.part_copies import tag_set
from tasks.object_clerk.parts import plan
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.object_clerk.streams import PartStream, StreamLimits, fetch, put, whole_crc32
from tasks.partition_replicate.errors import RowChanged
from tasks.partition_replicate.notes import Notes
from tasks.partition_replicate.outcome import Unfinished
from tasks.partition_replicate.table import Upload
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

LOGGER = logging.getLogger("bucket_brigade")

# By these a write says that something is no longer what it was when it was looked at. "Not found" is among them: a
# conditional write gives it where the object is gone, a read where the version is, a part where the upload is.
LOST_RACES = (ObjectChangedException, KeyNotFoundException, RowChanged)

ABSENT = {"IfNoneMatch": "*"}

# S3 may take a while to put many parts together. An invocation that has carried some leaves it to the next one if it
# has less time than that.
COMPLETION_SECONDS = 20.0


def there(etag):
    """Returns the condition that the destination's object has an ETag, or that there is none where it is ""."""
    return {"IfMatch": etag} if etag else ABSENT


@dataclass
class Writer:  # pylint: disable=too-many-instance-attributes  # two sides, a key, and how it is written
    """Writes one key.

    Attributes:
        reading: an `S3Requests` for the source.
        writing: an `S3Requests` for the destination.
        address: the `S3Object` at the destination.
        notes: the `Notes` of the key.
        limits: a `StreamLimits`.
        kms_key: the key that encrypts what is written, or "".
        annotations: `carry` or `ignore`.
        size: bytes that were carried so far.
    """

    reading: S3Requests
    writing: S3Requests
    address: S3Object
    notes: Notes
    limits: StreamLimits
    kms_key: str = ""
    annotations: str = annotations.CARRY
    size: int = 0

    def write(self, source, condition, *, once=False):
        """Writes a state of the source, but for tags that are too long for that: see `Look.tags_follow`.

        Args:
            source: its `Look`.
            condition: `IfMatch` or `IfNoneMatch`.
            once: the condition would hold again after the write, so it is not repeated when its answer is lost.

        Returns:
            S3's answer.

        Raises:
            ObjectChangedException: the condition does not hold, or `once` and nobody knows whether it was written.
            Unfinished: time ran out.
            ObjectClerkException: as `s3_requests.request` says.
        """
        size = source.found["ContentLength"]
        if size < self.limits.threshold:
            answer = self._write_whole(source, condition, once)
        else:
            answer = self._write_in_parts(source, condition)
        self.size += size
        return answer

    def delete(self, condition, *, once=False):
        """Deletes the object, or puts a delete marker there; returns S3's answer."""

        def delete(more):
            requests = self._once() if once else self.writing
            return requests("delete_object", destination=self.address, **self._place(), **more)

        return _known(once, lambda: _unconditional_if_need_be(delete, condition))

    def remove(self, version):
        """Removes a version for good, or a delete marker; returns False where it stays, because it is locked.

        S3 refuses both with AccessDenied: a version under Object Lock, and who has no leave. What the version itself
        says of its lock tells them apart; that takes s3:GetObjectRetention and s3:GetObjectLegalHold.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
        """
        address = replace(self.address, version_id=version)
        try:
            self.writing("delete_object", destination=address, **address.parameters)
        except ObjectClerkException as error:
            if error.retryable or not self._is_locked(address):
                raise
            _say_that_it_stays(address)
            return False
        return True

    def put_tags(self, tags, version):
        """Replaces the tags of a version, or of the object where the bucket keeps no versions."""
        address = replace(self.address, version_id=version)
        self.writing("put_object_tagging", destination=address, Tagging=tag_set(tags), **address.parameters)

    def carry_annotations(self, source, etag, version, *, fresh=False, look_at_ours=False):
        """Makes the annotations of a version, or of the object where the bucket keeps no versions, the source's.

        Args:
            source: the source's `S3Object`, with its version where the bucket keeps versions.
            etag: the destination's ETag.
            version: the destination's version, or None.
            fresh: it was written just now, so it has no annotations.
            look_at_ours: it may have annotations though the source has none.

        Returns:
            An `annotations.AnnotationCopy`, which says what was done; None where annotations are ignored.

        Raises:
            Unfinished: time ran out; what was put stays.
            ObjectClerkException: as `annotations.AnnotationCopy.run` says.
        """
        if self.annotations == annotations.IGNORE:
            return None
        work = annotations.AnnotationCopy(
            self.reading,
            source,
            self.writing,
            replace(self.address, version_id=version or None),
            etag,
            fresh=fresh,
            exact=True,
            look=look_at_ours or self.notes.row.annotated,
            # A worker that is killed after a late write leaves the look at it to the next one.
            before_writes=lambda: self.notes.remember(annotated=True, must=True),
        )
        try:
            work.run()
        except DeadlineException as error:
            places = {"operation": "replicate annotations", "source": source, "destination": work.destination}
            raise Unfinished(error.reason, carried=work.writes, **places) from error
        return work

    def not_carried(self, source, copy):
        """Returns the names of what a destination does not have of a source.

        Args:
            source: its `Look`.
            copy: what `carry_annotations` returned.
        """
        lacks = self.annotations == annotations.IGNORE or (copy and copy.lacking)
        return source.not_carried + ([annotations.NAME] if lacks else [])

    def abandon_upload(self, *, but_of=""):
        """Aborts the upload that is under way, if there is one and it is not of this state of the source.

        One whose id was never recorded is aborted in any case.
        """
        upload = self.notes.row.upload
        if upload and (upload.source != but_of or not upload.id):
            if upload.id:
                self._abort(upload.id)
            else:
                self._abort_unknown_uploads()
            self._forget(upload)

    def abort_unnamed_uploads(self):
        """Aborts the key's uploads but the one that its row names: the answer to their beginning was lost."""
        upload = self.notes.row.upload
        self._abort_unknown_uploads(but=upload.id if upload else "")

    def _write_whole(self, source, condition, once):
        requests = self._once() if once else self.writing
        pinned = source.pinned
        with self.limits.buffers.buffer(pinned.size) as buffer:
            data = source.data
            if data is None:
                _, data = fetch(self.reading, pinned.address, etag=pinned.etag, most=pinned.size, into=buffer)

            def write(more):
                return put(requests, data, self.address, **more)

            return _known(once, lambda: self._with_what_is_known(write, source, condition))

    def _write_in_parts(self, source, condition):
        self.abandon_upload(but_of=source.stamp)
        upload = self.notes.row.upload or self._intended(source)
        limits = replace(self.limits, part_size=upload.part_size)
        stream = PartStream(self.reading, self.writing, source.pinned, self.address, upload.id, limits)
        try:
            if upload.id:
                parts = stream.run(self._parts_there(upload))
            else:
                parts = stream.run({}, begin=lambda: self._begin(source))
                upload = self.notes.row.upload
            if stream.sent and self.writing.deadline.remaining() < COMPLETION_SECONDS:
                raise DeadlineException("all parts are there, and no time is left to put them together")
            crc = whole_crc32(parts)
            if upload.crc32 != crc:
                self.notes.remember(upload=replace(upload, crc32=crc), must=True)
            return _unconditional_if_need_be(lambda more: stream.complete(parts, **more), condition)
        except DeadlineException as error:
            places = {"operation": "replicate", "source": source.address, "destination": self.address}
            raise Unfinished(error.reason, carried=stream.sent, stalled=error.stalled, **places) from error
        except ObjectNotFoundException:
            # Completed by a request whose answer was lost, or the source is another by now: the next look tells.
            raise
        except ObjectClerkException as error:
            if not error.transient:
                self.abandon_upload()
            raise

    def _intended(self, source):
        """Records that an upload is about to begin: a worker that is killed before it has the id leaves a trace."""
        part_size = plan(source.found["ContentLength"], part_size=self.limits.part_size)[0].size
        self.notes.remember(upload=Upload("", source.stamp, part_size), must=True)
        return self.notes.row.upload

    def _begin(self, source):
        """Begins the intended upload, records it, and returns its id."""

        def create(more):
            parameters = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT", **self._place(), **more}
            return self.writing("create_multipart_upload", destination=self.address, **parameters)

        try:
            upload_id = self._with_what_is_known(create, source, {})["UploadId"]
        except ObjectClerkException as error:
            if not error.transient or isinstance(error, ObjectClerkServerAuthException):
                # It was refused, so there is none.
                self.notes.remember(upload=None, must=True)
            raise
        try:
            self.notes.remember(upload=replace(self.notes.row.upload, id=upload_id), must=True)
        except RowChanged:
            self._abort(upload_id)
            raise
        return upload_id

    def _parts_there(self, upload):
        try:
            return parts_there(self.writing, self.address, upload.id)
        except ObjectNotFoundException:
            # The destination was looked at before and is not what this upload would have made, so it was aborted.
            self._forget(upload)
            raise

    def _abort_unknown_uploads(self, but=""):
        # A worker was killed between beginning one and recording it; the table knows every other.
        answer = self.writing(
            "list_multipart_uploads", destination=self.address, Bucket=self.address.bucket, Prefix=self.address.key
        )
        for upload in answer.get("Uploads", []):
            if upload["Key"] == self.address.key and upload["UploadId"] != but:
                self._abort(upload["UploadId"])

    def _abort(self, upload_id):
        try:
            self.writing("abort_multipart_upload", destination=self.address, UploadId=upload_id, **self._place())
        except ObjectNotFoundException:
            pass
        except ObjectClerkException as error:
            # The bucket's life cycle clears what stays behind.
            LOGGER.warning("a multipart upload could not be aborted", extra={"upload": upload_id, "reason": str(error)})

    def _forget(self, upload):
        if self.notes.row.upload and self.notes.row.upload.id == upload.id:
            self.notes.remember(upload=None, must=True)

    def _with_what_is_known(self, write, source, condition):
        """Calls `write(parameters)` with all but the bytes; without a storage class that is unknown there."""
        more = source.to_write
        if self.kms_key:
            more |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}
        try:
            return _unconditional_if_need_be(lambda conditions: write({**more, **conditions}), condition)
        except ObjectClerkException as error:
            if error.code != "InvalidStorageClass" or "StorageClass" not in more:
                raise
        storage_class = more.pop("StorageClass")
        _say_once(f"the destination does not know the storage class {storage_class}: its own default is used")
        return _unconditional_if_need_be(lambda conditions: write({**more, **conditions}), condition)

    def _is_locked(self, address):
        try:
            found = head(self.writing, address) or {}
        except ObjectClerkException:
            # A delete marker, which has no lock; or nothing may be asked of it, which says nothing of a lock either.
            return False
        until = found.get("ObjectLockRetainUntilDate")
        return found.get("ObjectLockLegalHoldStatus") == "ON" or bool(until and until > datetime.now(UTC))

    def _once(self):
        return replace(self.writing, policy=RetryPolicy(tries=1))

    def _place(self):
        return {"Bucket": self.address.bucket, "Key": self.address.key}


def _known(once, write):
    try:
        return write()
    except ObjectClerkServerInternalException as error:
        if not once:
            raise
        raise ObjectChangedException(f"nobody knows whether it was written: {error.reason}") from error


def _unconditional_if_need_be(write, condition):
    try:
        return write(condition)
    except ConditionNotSupportedException:
        if not condition:
            raise
        _say_once("the destination does not know conditional writes: it is looked first and then written")
        return write({})


# A container hears of the same version by each event of its key.
@lru_cache(maxsize=1024)
def _say_that_it_stays(address):
    LOGGER.warning("a version is under Object Lock and stays, as an older version", extra={"version": str(address)})


@cache
def _say_once(sentence):
    LOGGER.warning(sentence)
