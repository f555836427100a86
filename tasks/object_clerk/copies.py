"""Copies inside S3, whose bytes do not pass through this process: observe, copy, verify, and never a blind write.

If the destination is empty, a copy is one request. Otherwise its object is compared. If it is equal, nothing is
written. If only its tags differ, they are put. If it differs otherwise, it is replaced on the condition that it is
still what was compared (compare-and-swap).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tasks.object_clerk import checksums
from tasks.object_clerk.annotations import CARRY, IGNORE, NAME, AnnotationCopy
from tasks.object_clerk.downloads import blocks
from tasks.object_clerk.errors import (
    ConditionNotSupportedException,
    KeyNotFoundException,
    ObjectChangedException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectVerificationException,
    SourceReplacedException,
)
from tasks.object_clerk.part_copies import CopyLimits, PartCopy, content_headers, tag_set, tags_of
from tasks.object_clerk.pinned import pinned_address
from tasks.object_clerk.races import ObserveAgain, conditional_write, precondition, retry_lost_races
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.utils.s3_object import S3Object

if TYPE_CHECKING:
    from tasks.object_clerk.errors import Places

__all__ = ["ROUNDS", "Copied", "CopyLimits", "copy_object"]

# How often a copy observes again after a lost race. Each loss means that another writer got through in the milliseconds
# between an observation and a write, so several in a row mean that the key is written all the time.
ROUNDS = 5

# Other permissions of CopyObject, which its refusal need not name. S3 API Reference, CopyObject.
NEEDED_FOR_ANNOTATIONS = (
    "; to copy annotations, CopyObject needs s3:GetObjectAnnotation (of a version s3:GetObjectVersionAnnotation) at the"
    " source and s3:PutObjectAnnotation at the destination"
)


# The answers of S3 about an object.
Answer = dict[str, Any]
BeforeChange = Callable[[Answer, Answer], None]


@dataclass(frozen=True)
class Copied:
    """The result of a copy.

    Attributes:
        destination: the copy, with its version if the bucket keeps versions.
        etag: the copy's ETag.
        written: False if an equal object was there already, and at most its tags and annotations were put.
        attempts: the number of attempts, the successful one included.
        not_carried: the names of the source's properties that the copy lacks.
    """

    destination: S3Object
    etag: str
    written: bool
    attempts: int
    not_carried: list[str] = field(default_factory=list)


def copy_object(  # pylint: disable=too-many-arguments  # each choice of a copy, which the caller names
    requests: S3Requests,
    source: S3Object,
    destination: S3Object,
    *,
    etag: str | None = None,
    size: int | None = None,
    storage_class: str | None = None,
    prove: bool = False,
    limits: CopyLimits = CopyLimits(),
    annotations: str = CARRY,
    before_change: BeforeChange | None = None,
) -> Copied:
    """Copy an object of any size inside S3, with its metadata, content headers, tags and annotations.

    CopyObject copies annotations too. After a copy in parts, and if an equal object was there already, they are put one
    by one. Other annotations of the destination stay.

    Args:
        requests: may read the source and write the destination.
        source: the object to copy; with a `version_id` exactly that version.
        destination: the address to write; its `version_id` is not used.
        etag: the source's ETag if the caller knows it: another object at the same key is then not copied.
        size: the source's bytes if the caller knows them; this saves a CopyObject that S3 refuses as too large.
        storage_class: the copy's storage class; None for the bucket's standard.
        prove: if the ETags of a copy and its source differ, which is not conclusive, compare their checksums, or read
            both if they have none in common. Otherwise S3's own check of a copy is trusted.
        limits: see `CopyLimits`.
        annotations: `carry`, or `ignore` for a copy without them, which needs no permission for them. `ignore` is for
            AWS alone, because other servers need not know its header.
        before_change: called with the HEAD answers of the source and of the destination's object, before that object is
            replaced or gets other tags or annotations. Its error ends the copy.

    Returns:
        A `Copied`.

    Raises:
        ObjectNotFoundException: no such source or bucket.
        SourceReplacedException: another object has replaced the source.
        ObjectArchivedException: the source is in an archive class and is not restored.
        ObjectVerificationException: the copy differs from the source.
        ObjectChangedException: other writers kept replacing the destination.
        DeadlineException: time ran out between two parts, or while both sides were being read.
        ObjectClerkException: S3 refuses for another reason.
    """
    choice = _Choice(storage_class, prove, limits, annotations, before_change or _allow)
    return _Copy(requests, source, destination, checksums.bare(etag), size, choice).run()


def _allow(*_: object) -> None:
    """Let a copy change the object at its destination."""


@dataclass(frozen=True)
class _Choice:
    storage_class: str | None
    prove: bool
    limits: CopyLimits
    annotations: str
    before_change: BeforeChange


@dataclass
class _Copy:
    requests: S3Requests
    source: S3Object
    destination: S3Object
    pinned: str | None
    size: int | None
    choice: _Choice

    def run(self) -> Copied:
        """Send the one request that suffices for an empty destination; otherwise observe both sides."""
        if (self.source.bucket, self.source.key) == (self.destination.bucket, self.destination.key):
            raise ObjectClerkException("an object cannot be copied onto itself", **self._places())
        if self.size is None or self.size <= self.choice.limits.single:
            try:
                return self._copy_whole(self.pinned, precondition(None))
            except (ConditionNotSupportedException, ObjectChangedException):
                pass
            except KeyNotFoundException:
                # The source may be gone because an earlier delivery of the event has done all there was to do.
                if not self.pinned:
                    raise
            except ObjectClerkException as error:
                if not _is_too_large(error):
                    raise
        return retry_lost_races(self._observe_and_copy, requests=self.requests, rounds=ROUNDS, **self._places())

    def _observe_and_copy(self) -> Copied:
        theirs, ours = head(self.requests, self.source), head(self.requests, self.destination)
        if theirs is None or not _is(theirs, self.pinned):
            return self._settle_without_source(theirs, ours)
        if not ours or not self._is_equal(theirs, ours):
            return self._write(theirs, ours)
        tags = self._missing_tags(theirs, ours)
        if tags is None:
            self._carry_annotations(theirs, ours)
            return self._copied(ours, written=False)
        self.choice.before_change(theirs, ours)
        self._put_tags(tags, ours)
        # S3 has no condition on tags.
        raise ObserveAgain

    def _settle_without_source(self, theirs: Answer | None, ours: Answer | None) -> Copied:
        """Return the copy of an earlier delivery, or raise that the source is gone."""
        if ours and self.pinned and self.pinned == checksums.bare(ours["ETag"]):
            return self._copied(ours, written=False)
        if theirs is None:
            raise KeyNotFoundException("the source is not there", **self._places())
        raise SourceReplacedException(
            f'another object has taken the source\'s place: ETag {theirs["ETag"]} instead of "{self.pinned}"',
            **self._places(),
        )

    def _is_equal(self, theirs: Answer, ours: Answer) -> bool:
        if content_headers(theirs) != content_headers(ours):
            return False
        if self.choice.storage_class and self.choice.storage_class != ours.get("StorageClass", "STANDARD"):
            return False
        return self._is_same_content(theirs, ours)

    def _missing_tags(self, theirs: Answer, ours: Answer) -> dict[str, str] | None:
        """Return the source's tags if the equal object at the destination has others, or None."""
        if not theirs.get("TagCount") and not ours.get("TagCount"):
            return None
        tags = tags_of(self.requests, self.source) if theirs.get("TagCount") else {}
        return tags if tags != tags_of(self.requests, self.destination) else None

    def _put_tags(self, tags: dict[str, str], ours: Answer) -> None:
        self.requests(
            "put_object_tagging",
            source=self.source,
            destination=self.destination,
            Bucket=self.destination.bucket,
            Key=self.destination.key,
            VersionId=ours.get("VersionId"),
            Tagging=tag_set(tags),
        )

    def _is_same_content(self, theirs: Answer, ours: Answer) -> bool:
        known = checksums.same_content(theirs, ours)
        return self._digests_agree(theirs, ours) if known is None else known

    def _digests_agree(self, theirs: Answer, ours: Answer) -> bool:
        return self._digest(self.source, theirs) == self._digest(self.destination, ours)

    def _digest(self, address: S3Object, found: Answer) -> bytes:
        digest = hashlib.sha256()
        for block in blocks(self.requests, address, etag=found["ETag"]):
            digest.update(block)
        return digest.digest()

    def _write(self, theirs: Answer, ours: Answer | None) -> Copied:
        if ours:
            self.choice.before_change(theirs, ours)
        return conditional_write(partial(self._copy_as_found, theirs), precondition(ours["ETag"] if ours else None))

    def _copy_as_found(self, theirs: Answer, condition: Mapping[str, Any]) -> Copied:
        if theirs["ContentLength"] <= self.choice.limits.single:
            return self._copy_whole(checksums.bare(theirs["ETag"]), condition)
        choice = self.choice
        copy = PartCopy(self.requests, self.source, self.destination, theirs, choice.storage_class, choice.limits)
        answer = copy.run(condition)
        self._carry_annotations(theirs, answer, fresh=True)
        return self._copied(answer, written=True)

    def _carry_annotations(self, theirs: Answer, ours: Answer, *, fresh: bool = False) -> None:
        """Put the source's annotations on a copy in parts, or on a copy of an earlier delivery."""
        if self.choice.annotations == IGNORE:
            return
        source = pinned_address(self.source, theirs)
        copy = pinned_address(self.destination, ours)
        check = None if fresh else partial(self.choice.before_change, theirs, ours)
        work = AnnotationCopy(self.requests, source, self.requests, copy, ours["ETag"], fresh, before_writes=check)
        work.run()

    def _copy_whole(self, etag: str | None, condition: Mapping[str, Any]) -> Copied:
        try:
            return self._request_copy(etag, condition)
        except ObjectClerkServerAuthException as error:
            if self.choice.annotations != IGNORE and error.code == "AccessDenied":
                error.reason += NEEDED_FOR_ANNOTATIONS
            raise

    def _request_copy(self, etag: str | None, condition: Mapping[str, Any]) -> Copied:
        answer = self.requests(
            "copy_object",
            source=self.source,
            destination=self.destination,
            Bucket=self.destination.bucket,
            Key=self.destination.key,
            CopySource=self.source.parameters,
            CopySourceIfMatch=f'"{etag}"' if etag else None,
            StorageClass=self.choice.storage_class,
            MetadataDirective="COPY",
            TaggingDirective="COPY",
            # Without the header S3 copies them. Other servers need not know the header.
            AnnotationDirective="EXCLUDE" if self.choice.annotations == IGNORE else None,
            **condition,
        )
        self._verify_whole(answer, etag)
        return self._copied({**answer, **answer["CopyObjectResult"]}, written=True)

    def _verify_whole(self, answer: Answer, source_etag: str | None) -> None:
        """Compare the ETags of the copy and the source, which takes no request; equal ETags mean equal bytes.

        If both have the shape of an MD5 and differ, and KMS does not encrypt the copy, the source may still be
        encrypted: both sides are observed. Every other pair is not conclusive, and S3's own check of a CopyObject
        counts, unless a proof is asked for.
        """
        etag = checksums.bare(answer["CopyObjectResult"]["ETag"])
        telling = all(map(checksums.looks_like_md5, (etag, source_etag))) and not checksums.has_opaque_etag(answer)
        if etag == source_etag or not (telling or self.choice.prove):
            return
        theirs, ours = head(self.requests, self.source), head(self.requests, self.destination)
        if theirs and ours and _is(theirs, source_etag) and _is(ours, etag):
            self._compare(theirs, ours)
        elif self.choice.prove:
            raise ObjectChangedException("it was replaced before the copy could be verified", **self._places())

    def _compare(self, theirs: Answer, ours: Answer) -> None:
        known = checksums.same_content(theirs, ours)
        if known is None and self.choice.prove:
            known = self._digests_agree(theirs, ours)
        if known is False or (known is None and not any(map(checksums.has_opaque_etag, (theirs, ours)))):
            raise ObjectVerificationException("the copy is not what the source is", **self._places())

    def _copied(self, answer: Answer, *, written: bool) -> Copied:
        version = answer.get("VersionId")
        where = S3Object(self.destination.bucket, self.destination.key, version)
        lacks = [NAME] if self.choice.annotations == IGNORE and written else []
        attempts = 1 + self.requests.retries
        return Copied(where, etag=answer["ETag"], written=written, attempts=attempts, not_carried=lacks)

    def _places(self) -> Places:
        return {"operation": "copy_object", "source": self.source, "destination": self.destination}


def _is(found: Answer, etag: str | None) -> bool:
    return etag in (None, checksums.bare(found["ETag"]))


def _is_too_large(error: ObjectClerkException) -> bool:
    # S3 answers InvalidRequest for a dozen reasons. After this one, a copy in parts passes.
    return error.code in ("InvalidRequest", "EntityTooLarge") and "larger than the maximum" in error.reason
