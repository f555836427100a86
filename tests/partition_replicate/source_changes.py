"""Changes of the source, as random histories make them, and what both sides hold in moto."""

import itertools

from hypothesis.stateful import RuleBasedStateMachine
from moto.s3.models import FakeKey, s3_backends

from local.patches.s3_annotations import annotations_of
from tests.partition_replicate.events import event_of

NOTES = ("note", "other")

CHANGES = (
    "put",
    "put_with_tags",
    "describe",
    "tag",
    "untag",
    "annotate",
    "annotate",
    "unannotate",
    "delete",
    "restore_older_version",
    "remove_newest_version_for_good",
    "remove_older_version_for_good",
)

DELETED = "deleted"
ACCOUNT, MIRROR_PARTITION = "123456789012", "aws-us-gov"


def described(version):
    """Return an object's headers and metadata in moto, without the traces of its upload."""
    return {name: value for name, value in version.metadata.items() if name != "x-amz-content-sha256"}


def annotations_in(version):
    """Return the annotations of one of moto's versions."""
    return {name: one.payload for name, one in annotations_of(version).items()}


class SourceChanges(RuleBasedStateMachine):
    """The changes that `CHANGES` names. Each of them adds its event.

    Attributes:
        stage: the clients of both sides.
        source: the source's bucket.
        prefix: the beginning of the keys of this history.
        versioned: whether the source keeps versions.
        contents: numbers, each for one new content, description, tag or annotation.
        pending: events that are not handled.
        went_back: keys at which an older state came back.
        removed_for_good: keys of which a version was removed.
    """

    stage = None

    def __init__(self):
        super().__init__()
        self.source = self.prefix = None
        self.versioned = False
        self.contents = itertools.count(1)
        self.pending = []
        self.went_back = set()
        self.removed_for_good = set()

    def _put(self, key, **more):
        content = next(self.contents)
        self._write(key, b"%d" % content, Metadata={"of": str(content)}, **more)

    def _put_with_tags(self, key):
        self._put(key, Tagging="value=z")

    def _describe(self, key):
        """Change the metadata only, as a copy of an object onto itself does: the ETag stays."""
        found = self._get(self.source, key)
        if found:
            self._write(key, found[0], Metadata={"described": str(next(self.contents))})

    def _tag(self, key):
        self._set_tags(key, "Object Tags Added", {"Key": "value", "Value": str(next(self.contents))})

    def _untag(self, key):
        self._set_tags(key, "Object Tags Deleted")

    def _set_tags(self, key, name, *tags):
        if self._get(self.source, key):
            where = {"Bucket": self.source, "Key": self.prefix + key}
            self.stage.s3.put_object_tagging(**where, Tagging={"TagSet": list(tags)})
            self._add_event(key, name, version_id=self._versions(self.source, key)[-1].version_id)

    def _annotate(self, key):
        content = next(self.contents)
        payload = str(content) * (1 + content % 2)
        self._set_annotation(key, "put", AnnotationName=NOTES[content % 2], AnnotationPayload=payload.encode())

    def _unannotate(self, key):
        self._set_annotation(key, "delete", AnnotationName=NOTES[next(self.contents) % 2])

    def _set_annotation(self, key, how, **annotation):
        """Change an annotation of any version, mostly of the newest."""
        versions = [one for one in self._versions(self.source, key) if isinstance(one, FakeKey)]
        if versions:
            version = versions[-1 - next(self.contents) % 3 // 2 * (len(versions) > 1)]
            where = {"Bucket": self.source, "Key": self.prefix + key}
            if self.versioned:
                where["VersionId"] = version.version_id
            if not self.versioned and not self._get(self.source, key):
                return
            getattr(self.stage.s3, f"{how}_object_annotation")(**where, **annotation)
            name = {"put": "Object Annotation Created", "delete": "Object Annotation Removed"}[how]
            self._add_event(key, name, version_id=version.version_id)

    def _delete(self, key):
        answer = self.stage.s3.delete_object(Bucket=self.source, Key=self.prefix + key)
        self._add_event(key, "Object Deleted", version_id=answer.get("VersionId"))

    def _remove_newest_version_for_good(self, key):
        """Remove the newest version, or the delete marker, so that an older version is the newest again."""
        self._remove_for_good(key, self._versions(self.source, key)[-1:])

    def _remove_older_version_for_good(self, key):
        self._remove_for_good(key, self._versions(self.source, key)[-2:-1])

    def _remove_for_good(self, key, versions):
        for version in versions if self.versioned else []:
            self.went_back.add(key)
            self.removed_for_good.add(key)
            where = {"Bucket": self.source, "Key": self.prefix + key, "VersionId": version.version_id}
            self.stage.s3.delete_object(**where)
            self._add_event(key, "Object Deleted", version_id=version.version_id)

    def _restore_older_version(self, key):
        """Put a copy of an older version on top, as a user does to restore it."""
        older = [version for version in self._versions(self.source, key)[:-1] if isinstance(version, FakeKey)]
        if older and self.versioned:
            self.went_back.add(key)
            self._write(key, older[0].value, Metadata=dict(older[0].metadata.items()))

    def _write(self, key, body, **more):
        answer = self.stage.s3.put_object(Bucket=self.source, Key=self.prefix + key, Body=body, **more)
        about = {"size": len(body), "etag": answer["ETag"].strip('"'), "version_id": answer.get("VersionId")}
        self._add_event(key, "Object Created", **about)

    def _add_event(self, key, name, **about):
        self.pending.append(event_of(self.source, self.prefix + key, name, **about))

    def _versions(self, bucket, key):
        """Return moto's own versions and delete markers of a key, the oldest first. Requests would be thousands."""
        return self._backend(bucket).buckets[bucket].keys.getlist(self.prefix + key, default=[])

    def _backend(self, bucket):
        return s3_backends[ACCOUNT]["aws" if bucket == self.source else MIRROR_PARTITION]

    def _history(self, bucket, key):
        tagger = self._backend(bucket).tagger
        return [
            (version.value, described(version), tagger.get_tag_dict_for_resource(version.arn), annotations_in(version))
            if isinstance(version, FakeKey)
            else DELETED
            for version in self._versions(bucket, key)
        ]

    def _get(self, bucket, key):
        """Return everything of an object, or None."""
        newest = self._history(bucket, key)[-1:]
        return newest[0] if newest and newest[0] != DELETED else None
