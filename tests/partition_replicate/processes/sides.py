"""Both sides of a history: what their buckets hold, and changes of the source."""

import hashlib
import itertools

from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.versions import versions_of
from tasks.utils.s3_object import S3Object
from tests.partition_replicate.processes.container import LEAST_PART, PARTED

DELETED = "deleted"
# Few sizes and contents, so that the same bytes come back. The worker reads the small size with its first observation,
# and the large one later.
SIZES = (1, 1, 1, 2_000)
CONTENTS = b"123"


class Sides:
    """The buckets of a history, with its keys only.

    Attributes:
        source: the source's bucket.
        mirror: the destination's bucket.
        prefix: the beginning of the history's keys.
        tagged: keys that had tags; other keys are read without theirs.
    """

    def __init__(self, s3, setting, prefix):
        self.s3 = s3
        self.source, self.mirror = f"source-{setting.source}", f"mirror-{setting.mirror}"
        self.prefix = prefix
        self.tagged = set()

    def place(self, bucket, key, version=None):
        return {"Bucket": bucket, "Key": self.prefix + key, **({"VersionId": version} if version else {})}

    def get(self, bucket, key, version=None):
        """Return the answer of GetObject, or None if the object is absent."""
        try:
            return self.s3.get_object(**self.place(bucket, key, version))
        except self.s3.exceptions.NoSuchKey:
            return None

    def state(self, bucket, key, version=None):
        """Return bytes, headers and tags of an object, or None; `checks.is_repeated` relies on the order."""
        found = self.get(bucket, key, version)
        if not found:
            return None
        body = found["Body"].read()
        about = (found["ContentType"], tuple(sorted(found["Metadata"].items())))
        return (len(body), hashlib.md5(body).hexdigest()), about, self._tags(bucket, key, version)

    def _tags(self, bucket, key, version):
        if key not in self.tagged:
            return ()
        tags = self.s3.get_object_tagging(**self.place(bucket, key, version))["TagSet"]
        return tuple((tag["Key"], tag["Value"]) for tag in tags)

    def versions(self, bucket, key):
        """Return the versions and delete markers of a key, the newest first."""
        return list(versions_of(S3Requests(self.s3), S3Object(bucket, self.prefix + key)))

    def history(self, bucket, key):
        """Return the state of each version, or `DELETED`, the oldest first."""
        return [
            DELETED if version.is_marker else self.state(bucket, key, version.id)
            for version in reversed(self.versions(bucket, key))
        ]


class SourceChanges:  # pylint: disable=too-few-public-methods  # it makes changes, and that is all
    """The changes that `draws.CHANGES` names. Each of them sends its event.

    Args:
        sides: the `Sides`.
        keeps_versions: whether the source keeps versions.
        send_event: called with the key, the event's name, and its size, ETag and version.

    Attributes:
        removed_for_good: keys of which a version was removed.
    """

    def __init__(self, sides, keeps_versions, send_event):
        self.removed_for_good = set()
        self._sides = sides
        self._keeps_versions = keeps_versions
        self._send_event = send_event
        self._numbers = itertools.count(1)

    def make(self, key, change, content):
        """Change a key; `content` is a number from 0 to 1 that determines the bytes."""
        getattr(self, "_" + change)(key, content)

    def _put(self, key, content):
        body = _byte(content) * SIZES[int(content * 1000) % len(SIZES)]
        self._write(key, body, Metadata={"of": self._number()}, ContentType="text/csv")

    def _put_equal(self, key, _):
        if found := self._get(key):
            self._write(key, found["Body"].read(), Metadata=found["Metadata"], ContentType=found["ContentType"])

    def _describe(self, key, _):
        """Change only the metadata, so that the ETag stays."""
        if found := self._get(key):
            self._write(key, found["Body"].read(), Metadata={"described": self._number()})

    def _put_parts(self, key, content):
        """Upload one part, or each tenth time two."""
        s3, where = self._sides.s3, self._sides.place(self._sides.source, key)
        body = _byte(content) * ((LEAST_PART if int(content * 1000) % 10 == 0 else PARTED) + int(content * 1000))
        upload = s3.create_multipart_upload(**where, Metadata={"of": self._number()})["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(body), LEAST_PART), start=1):
            part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body[start : start + LEAST_PART])
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        answer = s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        self._send_created(key, body, answer)

    def _tag(self, key, _):
        self._set_tags(key, "Object Tags Added", {"Key": "value", "Value": self._number()})

    def _untag(self, key, _):
        self._set_tags(key, "Object Tags Deleted")

    def _set_tags(self, key, name, *tags):
        if found := self._get(key):
            self._sides.tagged.add(key)
            where = self._sides.place(self._sides.source, key)
            self._sides.s3.put_object_tagging(**where, Tagging={"TagSet": list(tags)})
            self._send_event(key, name, version_id=found.get("VersionId"))

    def _delete(self, key, _):
        answer = self._sides.s3.delete_object(**self._sides.place(self._sides.source, key))
        self._send_event(key, "Object Deleted", version_id=answer.get("VersionId"))

    def _remove_newest_version_for_good(self, key, _):
        """Remove the newest version or delete marker, so that an older version is the newest again."""
        self._remove_for_good(key, self._versions(key)[:1])

    def _remove_older_version_for_good(self, key, _):
        self._remove_for_good(key, self._versions(key)[1:2])

    def _remove_for_good(self, key, versions):
        for version in versions if self._keeps_versions else []:
            self.removed_for_good.add(key)
            self._sides.s3.delete_object(**self._sides.place(self._sides.source, key, version.id))
            self._send_event(key, "Object Deleted", version_id=version.id)

    def _restore_older_version(self, key, _):
        """Put a copy of an older version on top, as a user does to restore it."""
        older = [version for version in self._versions(key)[1:] if not version.is_marker]
        if older and self._keeps_versions:
            found = self._get(key, older[-1].id)
            self._write(key, found["Body"].read(), Metadata=found["Metadata"])

    def _write(self, key, body, **more):
        where = self._sides.place(self._sides.source, key)
        self._send_created(key, body, self._sides.s3.put_object(**where, Body=body, **more))

    def _send_created(self, key, body, answer):
        about = {"size": len(body), "etag": answer["ETag"].strip('"'), "version_id": answer.get("VersionId")}
        self._send_event(key, "Object Created", **about)

    def _get(self, key, version=None):
        return self._sides.get(self._sides.source, key, version)

    def _versions(self, key):
        return self._sides.versions(self._sides.source, key)

    def _number(self):
        return str(next(self._numbers))


def _byte(content):
    return bytes([CONTENTS[int(content * len(CONTENTS))]])
