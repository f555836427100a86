"""A file set: the objects directly under one prefix of the upload bucket, as they are now."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from tasks.object_clerk import checksums
from tasks.upload_validate.errors import SetChangedError
from tasks.upload_validate.profile import PAGE, REPORT

if TYPE_CHECKING:
    from tasks.object_clerk.s3_requests import S3Requests


@dataclass(frozen=True)
class UploadedFile:
    """One object of a set, as it was listed.

    Attributes:
        key: its key.
        etag: its ETag without quotes; the object is read and copied only with this ETag.
        size: its size in bytes.
        uploaded: when it was uploaded.
    """

    key: str
    etag: str
    size: int
    uploaded: datetime | None = None


@dataclass(frozen=True)
class FileSet:
    """The objects that are checked together.

    Attributes:
        bucket: the upload bucket.
        prefix: the keys up to the last slash.
        names: the parts of the prefix by their names in the layout.
        files: the `UploadedFile`s in the order of their keys; none if there are too many.
        more_than: the limit of files if the set has more; else 0.
    """

    bucket: str
    prefix: str
    names: Mapping[str, str]
    files: tuple[UploadedFile, ...]
    more_than: int = 0

    @cached_property
    def digest(self) -> str:
        """The identity of the set's content.

        Sets with the same keys and the same bytes have the same digest. So have all sets of one prefix with too many
        files: a set that keeps growing is reported once.
        """
        listing: list[list[Any]] = [[file.key, file.etag, file.size] for file in self.files]
        if self.more_than:
            listing.append(["more than", self.more_than])
        text = json.dumps([self.bucket, self.prefix, listing], separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def count(self) -> int:
        """The number of files; if there are too many, the number that was found."""
        return self.more_than + 1 if self.more_than else len(self.files)

    @property
    def size(self) -> int:
        """The number of bytes in the files."""
        return sum(file.size for file in self.files)

    @property
    def uploaded(self) -> datetime | None:
        """When the latest file was uploaded, or None."""
        return max((file.uploaded for file in self.files if file.uploaded), default=None)


@dataclass(frozen=True)
class UploadBucket:
    """The bucket that files are uploaded to.

    Attributes:
        requests: an `S3Requests`.
        name: the bucket's name.
        file_limit: how many files a set may have. Folders beside them count too, because the listing returns them. The
            listing ends with the first entry over the limit.
    """

    requests: "S3Requests"
    name: str
    file_limit: int

    def list_set(self, prefix: str, names: Mapping[str, str]) -> FileSet:
        """List the set under a prefix; a set with too many files is returned without files.

        Args:
            prefix: ends with a slash, so that `.../1/` does not match `.../10/`.
            names: the parts of the prefix by their names in the layout.
        """
        own = (prefix + REPORT, prefix + PAGE)
        entries = _entries(self.requests, self.name, prefix)
        found = list(islice((one for one in entries if one is None or one.key not in own), self.file_limit + 1))
        if len(found) > self.file_limit:
            return FileSet(self.name, prefix, names, (), more_than=self.file_limit)
        files = sorted((file for file in found if file), key=lambda file: file.key)
        return FileSet(self.name, prefix, names, tuple(files))

    def confirm_unchanged(self, file_set: FileSet) -> None:
        """List the set again and compare it.

        Raises:
            SetChangedError: the upload bucket holds another set under this prefix now.
        """
        if self.list_set(file_set.prefix, file_set.names).digest != file_set.digest:
            raise SetChangedError(f"files were added, removed or replaced while {file_set.prefix} was being checked")


def list_etags(requests: "S3Requests", bucket: str, prefix: str) -> dict[str, str]:
    """Return the ETags of the objects directly under a prefix by key; the prefix ends with a slash."""
    return {file.key: file.etag for file in _entries(requests, bucket, prefix) if file}


def _entries(requests: "S3Requests", bucket: str, prefix: str) -> Iterator[UploadedFile | None]:
    """Yield an `UploadedFile` for each object directly under a prefix, and None for each folder."""
    token = None
    while True:
        # A page has 1,000 keys at most. The delimiter keeps objects in folders out of the set.
        page = requests(
            "list_objects_v2",
            source=f"s3://{bucket}",
            Bucket=bucket,
            Prefix=prefix,
            Delimiter="/",
            ContinuationToken=token,
        )
        # S3's console makes a folder as an empty object whose key is the prefix.
        yield from (_file(item) for item in page.get("Contents", ()) if item["Key"] != prefix)
        yield from (None for _ in page.get("CommonPrefixes", ()))
        token = page.get("NextContinuationToken")
        if not token:
            return


def _file(item: Mapping[str, Any]) -> UploadedFile:
    return UploadedFile(item["Key"], checksums.bare(item["ETag"]), item["Size"], item.get("LastModified"))
