"""The bucket map: the archive bucket and the storage class of an object, by the extension of its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename, splitext
from typing import Any

from tasks.utils.errors import BucketBrigadeError

OTHER = "other"
BUCKET, STORAGE_CLASS = "bucket", "storage_class"
EXAMPLE = '{".hdf": "my-protected-bucket", ".tar.gz": "my-public-bucket", "other": "my-protected-bucket"}'

# The name of a bucket, or an object with `bucket` and `storage_class`.
Entry = str | Mapping[str, str]


class UnmappedExtensionError(BucketBrigadeError):
    """The bucket map has no bucket for the extension of an object, and none for `other`."""

    def __init__(self, lacks: str, buckets: Mapping[str, Entry]) -> None:
        super().__init__(f"bucket_map {lacks}; its extensions are {', '.join(sorted(buckets))}")
        self.lacks = lacks
        self.buckets = buckets


@dataclass(frozen=True)
class BucketMap:
    """Extension (with its dot) -> bucket, or `{"bucket": ..., "storage_class": ...}`.

    Attributes:
        buckets: the map of the settings.
    """

    buckets: Mapping[str, Entry]

    def bucket_for(self, key: str) -> str:
        """Return the bucket for a key: that of the longest suffix of its name which the map has, else `other`.

        Upper and lower case are equal. Only the name counts, not its folders. A name that consists of a dot and letters
        (`.profile`) has no extension.

        Raises:
            UnmappedExtensionError: the map has no suffix of the name, and no `other`.
        """
        return _bucket_of(self._entry(key))

    @property
    def archives(self) -> set[str]:
        """The names of the archive buckets."""
        return {_bucket_of(entry) for entry in self.buckets.values()}

    def storage_class_for(self, key: str) -> str | None:
        """Return the storage class of a key's copy, or None for S3's standard; see `bucket_for`."""
        entry = self._entry(key)
        return None if isinstance(entry, str) else entry.get(STORAGE_CLASS)

    def _entry(self, key: str) -> Entry:
        name = basename(key)
        folded = {extension.lower(): entry for extension, entry in self.buckets.items()}
        for suffix in _suffixes(name.lower()):
            if suffix in folded:
                return folded[suffix]
        if OTHER not in folded:
            lacks = f'does not contain values for "{splitext(name)[1]}" or "{OTHER}"'
            raise UnmappedExtensionError(lacks, self.buckets)
        return folded[OTHER]


def problems_of(buckets: Mapping[str, Any]) -> list[str]:
    """Return the problems of a bucket map, a sentence for each.

    Args:
        buckets: the decoded JSON object.
    """
    problems = [] if buckets else ["names no bucket"]
    seen: dict[str, Any] = {}
    for extension, entry in buckets.items():
        folded = extension.lower()
        problems += _problems_of_extension(extension)
        problems += _problems_of_entry(extension, entry)
        if seen.setdefault(folded, entry) != entry:
            problems.append(f'names two buckets for "{folded}", whose upper and lower case are one')
    return problems


def _bucket_of(entry: Entry) -> str:
    return entry if isinstance(entry, str) else entry[BUCKET]


def _problems_of_extension(extension: str) -> Iterator[str]:
    folded = extension.lower()
    if folded != OTHER and not (folded.startswith(".") and len(folded) > 1):
        yield f'has the key "{extension}": a key is an extension with its dot, or "{OTHER}"'


def _problems_of_entry(extension: str, entry: Any) -> Iterator[str]:
    bucket = entry.get(BUCKET) if isinstance(entry, dict) else entry
    if not isinstance(bucket, str) or not bucket.strip():
        yield f'has no bucket name for "{extension}"'
    if not isinstance(entry, dict):
        return
    for unknown in sorted(entry.keys() - {BUCKET, STORAGE_CLASS}):
        yield f'has "{unknown}" for "{extension}": only {BUCKET} and {STORAGE_CLASS} are known'
    storage_class = entry.get(STORAGE_CLASS, "STANDARD")
    if not isinstance(storage_class, str) or not storage_class.strip():
        yield f'has no {STORAGE_CLASS} for "{extension}": it is a name such as GLACIER, or is left out'


def _suffixes(name: str) -> list[str]:
    # From the longest to the shortest. A dot at the start of a name begins no extension.
    return [name[at:] for at in range(1, len(name)) if name[at] == "."]
