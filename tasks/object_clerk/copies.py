"""An object copied inside S3, without its bytes passing through here: look, copy, verify, and never a blind write.

A copy to a place where nothing lies is one request. Where something lies already it is compared: if it is equal
nothing is written, if its tags alone differ they are put, and if it differs otherwise it is replaced only as long as it
is still what was compared (compare-and-swap).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

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
from tasks.object_clerk.part_copies import CopyLimits, content_headers, copy_in_parts, tag_set, tags_of
from tasks.object_clerk.pinned import pinned_address
from tasks.object_clerk.races import ObserveAgain, conditional_write, precondition, retry_lost_races
from tasks.object_clerk.s3_requests import S3Requests, head
from tasks.utils.s3_object import S3Object

# How often a lost race is looked at again. Each loss means that another writer got through in the milliseconds
# between a look and a write, so several in a row mean a key that is being hammered.
ROUNDS = 5

# What CopyObject needs besides, which its refusal need not name. S3 API Reference, CopyObject.
NEEDED_FOR_ANNOTATIONS = (
    "; to copy annotations, CopyObject needs s3:GetObjectAnnotation (of a version s3:GetObjectVersionAnnotation) at the"
    " source and s3:PutObjectAnnotation at the destination"
)


@dataclass(frozen=True)
class Copied:
    """What a copy came to.

    Attributes:
        destination: where the object lies now, with its version where the bucket keeps versions.
        etag: its ETag there.
        not_carried: what of the source the copy does not have.
        written: False when an equal object lay there already, and at most its tags and annotations had to be put.
        attempts: how often the copy was tried, the time that passed included.
    """

    destination: S3Object
    etag: str
    written: bool
    attempts: int
    not_carried: list = field(default_factory=list)


# What pins a copy and how far it goes are many things, and each is named by the caller.
def copy_object(  # pylint: disable=too-many-arguments
    requests,
    source,
    destination,
    *,
    etag=None,
    size=None,
    storage_class=None,
    prove=False,
    limits=CopyLimits(),
    annotations=CARRY,
    before_change=None,
):
    """Copies an object inside S3, whatever its size, with its metadata, content headers, tags and annotations.

    CopyObject takes annotations along by itself; after a copy in parts, and where an equal object lies there already,
    they are put one by one. Those that the destination has besides stay.

    Args:
        requests: an `S3Requests` whose client may read the source and write the destination.
        source: the `S3Object` to copy; with its `version_id` exactly that version.
        destination: the `S3Object` to write; its `version_id` plays no part.
        etag: the source's ETag where the caller knows it: another object at the same key is then not copied.
        size: the source's bytes where the caller knows them; saves finding out that one request is not enough.
        storage_class: the copy's storage class; None for the bucket's standard.
        prove: where the ETags of a copy and its source differ, which says nothing by itself, compare their checksums,
            or read both where they have none in common; without it S3's own check of a copy is trusted there.
        limits: see `CopyLimits`.
        annotations: `carry`, or `ignore` for a copy without them, which takes no permission for them; that is for
            AWS alone, whose header another server need not know.
        before_change: called with the HEAD answers of the source and of what lies at the destination, before that is
            replaced or gets other tags or annotations; what it raises ends the copy. None: it is changed.

    Returns:
        A `Copied`.

    Raises:
        ObjectNotFoundException: no such source or bucket.
        SourceReplacedException: another object has taken the source's place.
        ObjectArchivedException: the source lies in an archive class and is not restored.
        ObjectVerificationException: the copy is not what the source is.
        ObjectChangedException: other writers kept replacing the destination.
        DeadlineException: time ran out between two parts, or while both sides were being read.
        ObjectClerkException: anything else that S3 refuses.
    """
    pinned, check = checksums.bare(etag), before_change or _allow
    return _Copy(requests, source, destination, pinned, size, storage_class, prove, limits, annotations, check).run()


def _allow(*_):
    """Lets a copy change what lies at its destination."""


# One for each argument of `copy_object`.
@dataclass
class _Copy:  # pylint: disable=too-many-instance-attributes
    requests: S3Requests
    source: S3Object
    destination: S3Object
    pinned: str | None
    size: int | None
    storage_class: str | None
    prove: bool
    limits: CopyLimits
    annotations: str
    before_change: Callable[[dict, dict], None]

    def run(self):
        """Tries the one request that is enough where nothing lies yet; looks at both sides where it is not."""
        if (self.source.bucket, self.source.key) == (self.destination.bucket, self.destination.key):
            raise ObjectClerkException("an object cannot be copied onto itself", **self._places())
        if self.size is None or self.size <= self.limits.single:
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

    def _observe_and_copy(self):
        theirs, ours = head(self.requests, self.source), head(self.requests, self.destination)
        if not _is(theirs, self.pinned):
            return self._settle_without_source(theirs, ours)
        if not ours or not self._is_equal(theirs, ours):
            return self._write(theirs, ours)
        tags = self._missing_tags(theirs, ours)
        if tags is None:
            self._carry_annotations(theirs, ours)
            return self._copied(ours, written=False)
        self.before_change(theirs, ours)
        self._put_tags(tags, ours)
        # S3 has no condition on tags.
        raise ObserveAgain

    def _settle_without_source(self, theirs, ours):
        """Says that an earlier delivery has made the copy already, or that what was to be copied is gone."""
        if ours and self.pinned and self.pinned == checksums.bare(ours["ETag"]):
            return self._copied(ours, written=False)
        if theirs is None:
            raise KeyNotFoundException("the source is not there", **self._places())
        raise SourceReplacedException(
            f'another object has taken the source\'s place: ETag {theirs["ETag"]} instead of "{self.pinned}"',
            **self._places(),
        )

    def _is_equal(self, theirs, ours):
        if content_headers(theirs) != content_headers(ours):
            return False
        if self.storage_class and self.storage_class != ours.get("StorageClass", "STANDARD"):
            return False
        return self._is_same_content(theirs, ours)

    def _missing_tags(self, theirs, ours):
        """Returns the tags that the equal object at the destination should have and has not, or None."""
        if not theirs.get("TagCount") and not ours.get("TagCount"):
            return None
        tags = tags_of(self.requests, self.source) if theirs.get("TagCount") else {}
        return tags if tags != tags_of(self.requests, self.destination) else None

    def _put_tags(self, tags, ours):
        self.requests(
            "put_object_tagging",
            source=self.source,
            destination=self.destination,
            Bucket=self.destination.bucket,
            Key=self.destination.key,
            VersionId=ours.get("VersionId"),
            Tagging=tag_set(tags),
        )

    def _is_same_content(self, theirs, ours):
        known = checksums.same_content(theirs, ours)
        return self._digests_agree(theirs, ours) if known is None else known

    def _digests_agree(self, theirs, ours):
        return self._digest(self.source, theirs) == self._digest(self.destination, ours)

    def _digest(self, address, found):
        digest = hashlib.sha256()
        for block in blocks(self.requests, address, etag=found["ETag"]):
            digest.update(block)
        return digest.digest()

    def _write(self, theirs, ours):
        if ours:
            self.before_change(theirs, ours)
        return conditional_write(partial(self._copy_as_found, theirs), precondition(ours and ours["ETag"]))

    def _copy_as_found(self, theirs, condition):
        if theirs["ContentLength"] <= self.limits.single:
            return self._copy_whole(checksums.bare(theirs["ETag"]), condition)
        answer = copy_in_parts(
            self.requests,
            self.source,
            self.destination,
            found=theirs,
            condition=condition,
            storage_class=self.storage_class,
            limits=self.limits,
        )
        self._carry_annotations(theirs, answer, fresh=True)
        return self._copied(answer, written=True)

    def _carry_annotations(self, theirs, ours, *, fresh=False):
        """Puts those of the source on the copy, which a copy in parts leaves, and an earlier delivery may have left."""
        if self.annotations == IGNORE:
            return
        source = pinned_address(self.source, theirs)
        copy = pinned_address(self.destination, ours)
        check = None if fresh else partial(self.before_change, theirs, ours)
        work = AnnotationCopy(self.requests, source, self.requests, copy, ours["ETag"], fresh, before_writes=check)
        work.run()

    def _copy_whole(self, etag, condition):
        try:
            return self._request_copy(etag, condition)
        except ObjectClerkServerAuthException as error:
            if self.annotations != IGNORE and error.code == "AccessDenied":
                error.reason += NEEDED_FOR_ANNOTATIONS
            raise

    def _request_copy(self, etag, condition):
        answer = self.requests(
            "copy_object",
            source=self.source,
            destination=self.destination,
            Bucket=self.destination.bucket,
            Key=self.destination.key,
            CopySource=self.source.parameters,
            CopySourceIfMatch=f'"{etag}"' if etag else None,
            StorageClass=self.storage_class,
            MetadataDirective="COPY",
            TaggingDirective="COPY",
            # COPY is what S3 does without the header, which other servers need not know.
            AnnotationDirective="EXCLUDE" if self.annotations == IGNORE else None,
            **condition,
        )
        self._verify_whole(answer, etag)
        return self._copied({**answer, **answer["CopyObjectResult"]}, written=True)

    def _verify_whole(self, answer, source_etag):
        """Holds the copy's ETag against the source's, which one request is enough for; equal ETags are equal bytes.

        Two that have the shape of an MD5 and differ, though the copy is not encrypted by KMS, may still belong to an
        encrypted source: both sides are looked at. Every other pair says nothing, and S3's own check of a CopyObject
        stands, unless proof is asked.
        """
        etag = checksums.bare(answer["CopyObjectResult"]["ETag"])
        telling = all(map(checksums.looks_like_md5, (etag, source_etag))) and not checksums.has_opaque_etag(answer)
        if etag == source_etag or not (telling or self.prove):
            return
        theirs, ours = head(self.requests, self.source), head(self.requests, self.destination)
        if _is(theirs, source_etag) and _is(ours, etag):
            self._compare(theirs, ours)
        elif self.prove:
            raise ObjectChangedException("it was replaced before the copy could be verified", **self._places())

    def _compare(self, theirs, ours):
        known = checksums.same_content(theirs, ours)
        if known is None and self.prove:
            known = self._digests_agree(theirs, ours)
        if known is False or (known is None and not any(map(checksums.has_opaque_etag, (theirs, ours)))):
            raise ObjectVerificationException("the copy is not what the source is", **self._places())

    def _copied(self, answer, *, written):
        version = answer.get("VersionId")
        where = S3Object(self.destination.bucket, self.destination.key, version)
        lacks = [NAME] if self.annotations == IGNORE and written else []
        attempts = 1 + self.requests.retries
        return Copied(where, etag=answer["ETag"], written=written, attempts=attempts, not_carried=lacks)

    def _places(self):
        return {"operation": "copy_object", "source": self.source, "destination": self.destination}


def _is(found, etag):
    return found is not None and etag in (None, checksums.bare(found["ETag"]))


def _is_too_large(error):
    # S3 answers InvalidRequest for a dozen reasons; this is the one that a copy in parts cures.
    return error.code in ("InvalidRequest", "EntityTooLarge") and "larger than the maximum" in error.reason
