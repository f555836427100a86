"""Which archive bucket an object belongs to, and in which storage class, by the extension of its key."""

from dataclasses import dataclass
from posixpath import basename, splitext

from tasks.utils.errors import BucketBrigadeError

OTHER = "other"
BUCKET, STORAGE_CLASS = "bucket", "storage_class"
EXAMPLE = '{".hdf": "my-protected-bucket", ".tar.gz": "my-public-bucket", "other": "my-protected-bucket"}'


class UnmappedExtensionError(BucketBrigadeError):
    """The bucket map names no bucket for an object's extension, nor one for all others."""


@dataclass(frozen=True)
class BucketMap:
    """Extension (with its dot) -> bucket, or `{"bucket": ..., "storage_class": ...}`.

    Attributes:
        buckets: the map as it was given.
    """

    buckets: dict

    def bucket_for(self, key):
        """Returns the bucket for a key: that of the longest suffix of its name which the map has, else `other`.

        Upper and lower case are one. Only the name counts, not the folders before it, and a name that is nothing but
        a dot and letters (`.profile`) has no extension.

        Raises:
            UnmappedExtensionError: neither a suffix of the name nor `other` is in the map.
        """
        return _bucket_of(self._entry(key))

    @property
    def archives(self):
        """The names of the archive buckets, a set."""
        return {_bucket_of(entry) for entry in self.buckets.values()}

    def storage_class_for(self, key):
        """Returns the storage class of a key's copy, None for S3's standard; see `bucket_for`."""
        entry = self._entry(key)
        return entry.get(STORAGE_CLASS) if isinstance(entry, dict) else None

    def _entry(self, key):
        name = basename(key)
        folded = {extension.lower(): entry for extension, entry in self.buckets.items()}
        for suffix in _suffixes(name.lower()):
            if suffix in folded:
                return folded[suffix]
        if OTHER not in folded:
            raise UnmappedExtensionError(
                f'bucket_map: {self.buckets} does not contain values for "{splitext(name)[1]}" or "{OTHER}"'
            )
        return folded[OTHER]


def problems_of(buckets):
    """Returns what is wrong with a bucket map, a sentence each.

    Args:
        buckets: the decoded JSON object.
    """
    problems = [] if buckets else ["names no bucket"]
    seen = {}
    for extension, entry in buckets.items():
        folded, bucket = extension.lower(), _bucket_of(entry)
        if folded != OTHER and not (folded.startswith(".") and len(folded) > 1):
            problems.append(f'has the key "{extension}": a key is an extension with its dot, or "{OTHER}"')
        if not isinstance(bucket, str) or not bucket.strip():
            problems.append(f'has no bucket name for "{extension}"')
        if isinstance(entry, dict):
            problems += _problems_of_entry(extension, entry)
        if seen.setdefault(folded, entry) != entry:
            problems.append(f'names two buckets for "{folded}", whose upper and lower case are one')
    return problems


def _bucket_of(entry):
    return entry.get(BUCKET) if isinstance(entry, dict) else entry


def _problems_of_entry(extension, entry):
    problems = []
    if unknown := entry.keys() - {BUCKET, STORAGE_CLASS}:
        problems.append(f'has "{min(unknown)}" for "{extension}": only {BUCKET} and {STORAGE_CLASS} are known')
    storage_class = entry.get(STORAGE_CLASS, "STANDARD")
    if not isinstance(storage_class, str) or not storage_class.strip():
        problems.append(f'has no {STORAGE_CLASS} for "{extension}": it is a name such as GLACIER, or is left out')
    return problems


def _suffixes(name):
    # From the longest; the dot at the very start of a name begins no extension.
    return [name[at:] for at in range(1, len(name)) if name[at] == "."]
