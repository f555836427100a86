"""Which archive bucket an object belongs to, by the extension of its key."""

from dataclasses import dataclass
from posixpath import basename, splitext

from tasks.utils.errors import BucketBrigadeError

OTHER = "other"
EXAMPLE = '{".hdf": "my-protected-bucket", ".tar.gz": "my-public-bucket", "other": "my-protected-bucket"}'


class UnmappedExtensionError(BucketBrigadeError):
    """The bucket map names no bucket for an object's extension, nor one for all others."""


@dataclass(frozen=True)
class BucketMap:
    """Extension (with its dot, in lower case) -> bucket.

    Attributes:
        buckets: the map as it was given, for messages.
    """

    buckets: dict

    def bucket_for(self, key):
        """Returns the bucket for a key: that of the longest suffix of its name which the map has, else `other`.

        Upper and lower case are one. Only the name counts, not the folders before it, and a name that is nothing but
        a dot and letters (`.profile`) has no extension.

        Raises:
            UnmappedExtensionError: neither a suffix of the name nor `other` is in the map.
        """
        name = basename(key)
        folded = {extension.lower(): bucket for extension, bucket in self.buckets.items()}
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
    for extension, bucket in buckets.items():
        folded = extension.lower()
        if folded != OTHER and not (folded.startswith(".") and len(folded) > 1):
            problems.append(f'has the key "{extension}": a key is an extension with its dot, or "{OTHER}"')
        if not isinstance(bucket, str) or not bucket.strip():
            problems.append(f'has no bucket name for "{extension}"')
        if seen.setdefault(folded, bucket) != bucket:
            problems.append(f'names two buckets for "{folded}", whose upper and lower case are one')
    return problems


def _suffixes(name):
    # From the longest; the dot at the very start of a name begins no extension.
    return [name[at:] for at in range(1, len(name)) if name[at] == "."]
