"""One bucket: what it holds for a key, and the removal of everything under a prefix."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.plurals import number_of
from tasks.object_clerk.versions import in_order

HEADERS = ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Metadata")
ABSENT = ("404", "NoSuchKey", "NoSuchVersion")

# What a version is like, by the name of each property; None is a delete marker.
State = Mapping[str, Any] | None


@dataclass(frozen=True)
class Found:
    """A version or delete marker in a listing."""

    key: str
    id: str
    is_marker: bool


@dataclass(frozen=True)
class Side:
    """A bucket.

    Args:
        s3: a boto3 client.
        bucket: the bucket.
    """

    s3: Any
    bucket: str

    def put(self, key: str, body: bytes, **how: Any) -> Mapping[str, Any]:
        """Put an object; return S3's answer."""
        answer: Mapping[str, Any] = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **how)
        return answer

    def tag(self, key: str, **tags: str) -> None:
        """Replace the tags of an object."""
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        self.s3.put_object_tagging(Bucket=self.bucket, Key=key, Tagging={"TagSet": tag_set})

    def delete(self, key: str) -> None:
        """Delete an object as people do, without a version."""
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def put_in_parts(self, key: str, parts: list[bytes]) -> None:
        """Put an object in parts."""
        address = {"Bucket": self.bucket, "Key": key}
        upload = {**address, "UploadId": self.s3.create_multipart_upload(**address)["UploadId"]}
        sent = [
            {"PartNumber": number, "ETag": self.s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
            for number, part in enumerate(parts, start=1)
        ]
        self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})

    @property
    def keeps_versions(self) -> bool:
        """Whether versioning is enabled."""
        return bool(self.s3.get_bucket_versioning(Bucket=self.bucket).get("Status") == "Enabled")

    def current(self, key: str, *, readable: bool = True) -> State:
        """Return the current version of a key, or None.

        Args:
            key: the key.
            readable: whether its bytes can be read; if not, its ETag stands for them.
        """
        try:
            return self._state(key, readable=readable)
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise

    def history(self, key: str) -> list[State]:
        """Return every version of a key, the newest first."""
        found = [each for each in self.versions(key) if each.key == key]
        return [None if each.is_marker else self._state(key, VersionId=each.id) for each in found]

    def _state(self, key: str, *, readable: bool = True, **version: str) -> State:
        address = {"Bucket": self.bucket, "Key": key, **version}
        answer = self.s3.get_object(**address) if readable else self.s3.head_object(**address)
        tags = self.s3.get_object_tagging(**address)["TagSet"]
        return {
            "bytes": _digest(answer["Body"]) if readable else answer["ETag"],
            "tags": sorted((tag["Key"], tag["Value"]) for tag in tags),
            **{name: answer.get(name) for name in HEADERS},
        }

    def annotations(self, key: str) -> dict[str, bytes]:
        """Return the annotations of an object by name."""
        address = {"Bucket": self.bucket, "Key": key}
        names = [each["AnnotationName"] for each in self.s3.list_object_annotations(**address).get("Annotations", [])]
        found = {name: self.s3.get_object_annotation(**address, AnnotationName=name) for name in names}
        return {name: answer["AnnotationPayload"].read() for name, answer in found.items()}

    def versions(self, prefix: str) -> Iterator[Found]:
        """Yield each version and delete marker under a prefix, the newest of a key first."""
        pages = in_order(self.s3).get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            listed = {b"Version": page.get("Versions", []), b"DeleteMarker": page.get("DeleteMarkers", [])}
            for element in page["Order"]:
                entry = listed[element].pop(0)
                yield Found(entry["Key"], entry["VersionId"], element == b"DeleteMarker")

    def runs(self, base: str) -> list[str]:
        """Return the ids of the runs that left something, also if only delete markers are left."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=base, Delimiter="/")
        folders = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        return [folder.removeprefix(base).rstrip("/") for folder in folders]

    def remove_all(self, prefix: str) -> int:
        """Remove every version, delete marker and open upload under a prefix; return how many there were."""
        found = list(self.versions(prefix))
        # One request each: the XML of DeleteObjects cannot hold keys with control characters.
        for each in reversed(found):
            self.s3.delete_object(Bucket=self.bucket, Key=each.key, VersionId=each.id)
        uploads = self.s3.list_multipart_uploads(Bucket=self.bucket, Prefix=prefix).get("Uploads", [])
        for upload in uploads:
            self.s3.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        return len(found) + len(uploads)


def _digest(body: Any) -> str:
    digest = hashlib.sha256()
    with closing(body):
        for block in body.iter_chunks(1024 * 1024):
            digest.update(block)
    return digest.hexdigest()


def difference(source: State, destination: State) -> str:
    """Return how two versions differ, or nothing."""
    if source is None or destination is None:
        if source == destination:
            return ""
        return "it is not at the destination" if destination is None else "it is still at the destination"
    differing = [name for name in source if source[name] != destination[name]]
    return f"it differs in {', '.join(differing)}" if differing else ""


def history_difference(source: list[State], destination: list[State]) -> str:
    """Return how two histories differ, or nothing."""
    if len(source) != len(destination):
        return f"its history has {_counts(source)} at the source and {_counts(destination)} at the destination"
    pairs = zip(source, destination, strict=True)
    return next((f"in its history, {found}" for one, other in pairs if (found := difference(one, other))), "")


def _counts(history: list[State]) -> str:
    markers = history.count(None)
    return f"{number_of(len(history) - markers, 'version')} and {number_of(markers, 'delete marker')}"
