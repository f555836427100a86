"""Where each file goes, decided and judged before the first byte moves.

Files lose their directory on the way, and may be renamed, so two can end at one place, and one can end where it or
another began. Whoever copies and then deletes loses a file each time. Such a plan is refused whole.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import S3Object, printable

# S3 keeps keys of at most so many bytes of UTF-8.
LONGEST_KEY = 1024
# What most file systems allow a name.
LONGEST_NAME = 255
NO_NAMES = frozenset({"", ".", ".."})
# So many of the files that are wrong are named; a list of thousands would hide the sentence.
NAMED = 20


class PlanError(BucketBrigadeError):
    """The files cannot go where they should; none has been touched."""


@dataclass(frozen=True)
class Place:
    """A bucket and a directory in it, which has no slash at its ends; "" is the root of the bucket."""

    bucket: str
    directory: str = ""

    def object(self, name):
        """Returns the address of a file in this place."""
        return S3Object(self.bucket, f"{self.directory}/{name}" if self.directory else name)

    def __str__(self):
        return f"s3://{self.bucket}/{self.directory}"


@dataclass(frozen=True)
class Rename:
    """A regular expression and what takes the place of each of its matches in a file's name."""

    pattern: str
    sub: str

    def __call__(self, name):
        return re.sub(self.pattern, self.sub, name)


def name_of(path):
    """Returns the last part of a key or a path, which is the file's name."""
    return path.rsplit("/", 1)[-1]


def placed(paths, place, rename=None):
    """Returns where each file goes in S3: path -> `S3Object`.

    Args:
        paths: keys in a bucket, or paths of files.
        place: the `Place` that takes them all.
        rename: a `Rename` for their names, never for the directory; or None.

    Raises:
        PlanError: several files would become one, or a name cannot be a file's.
    """
    names = _names(paths, rename)
    targets = {path: place.object(name) for path, name in names.items()}
    too_long = [path for path, target in targets.items() if len(target.key.encode()) > LONGEST_KEY]
    _refuse(too_long, f"would have a key of more than {LONGEST_KEY} bytes")
    _refuse_collisions(targets)
    return targets


def staged(keys, folder):
    """Returns the file that each key is written to: key -> path.

    Args:
        keys: keys in a bucket.
        folder: the path of the folder that takes them all.

    Raises:
        PlanError: several keys would become one file, or a name cannot be a file's.
    """
    names = _names(keys, None)
    unfit = [key for key, name in names.items() if len(name.encode()) > LONGEST_NAME or "\0" in name]
    _refuse(unfit, "has a name that no file can have")
    files = {key: f"{folder}/{name}" for key, name in names.items()}
    _refuse_collisions(files)
    return files


def refuse_replacing(targets, flag):
    """Refuses a plan in which the flag file, which is empty, would take the place of one of the files.

    Args:
        targets: what `placed` returned.
        flag: the flag file's `S3Object`, or None.

    Raises:
        PlanError: that is so.
    """
    _refuse([path for path, target in targets.items() if target == flag], f"would be replaced by the flag file {flag}")


def refuse_overlaps(bucket, targets):
    """Refuses a plan in which one file's end is its own or another one's beginning.

    Args:
        bucket: where the sources are.
        targets: what `placed` returned for their keys.

    Raises:
        PlanError: a file would be copied or moved onto itself, onto another source, or below one as if that were a
            directory.
    """
    sources = {S3Object(bucket, key): key for key in targets}
    same = [key for key, target in targets.items() if sources.get(target) == key]
    _refuse(same, "would be put onto itself")
    ends = set(targets.values())
    for key, target in targets.items():
        taken = [target, *_parents(target)]
        if any(other in sources for other in taken) or any(other in ends for other in taken[1:]):
            _refuse([key], f"would be put to {target}, which is or lies below another of the files")
        if any(other in ends for other in _parents(S3Object(bucket, key))):
            _refuse([key], "lies below a place that another of the files would be put to")


def refuse_a_search_that_finds_what_was_moved(source, target):
    """Refuses a move within a bucket that is searched whole: the next run would find what this one has moved.

    Args:
        source: the `Place` that was searched; without a directory that is the whole bucket.
        target: the `Place` that files move to.

    Raises:
        PlanError: that is so.
    """
    if not source.directory and source.bucket == target.bucket:
        raise PlanError(
            f"files found anywhere in {source} cannot be moved to {target}, where they would be found again: "
            "give the source a directory"
        )


def _names(paths, rename):
    names = {path: rename(name_of(path)) if rename else name_of(path) for path in paths}
    # A rename may make directories of its own, but none that leads elsewhere.
    nameless = [path for path, name in names.items() if not NO_NAMES.isdisjoint(name.split("/"))]
    _refuse(nameless, "would have no name")
    return names


def _parents(address):
    """Yields what would be the directories above an object, if keys were paths."""
    parts = address.key.split("/")
    for length in range(1, len(parts)):
        yield S3Object(address.bucket, "/".join(parts[:length]))


def _refuse_collisions(targets):
    ending_at = defaultdict(list)
    for path, target in targets.items():
        ending_at[target].append(path)
    collisions = [(target, paths) for target, paths in ending_at.items() if len(paths) > 1]
    if collisions:
        told = "; ".join(f"{_listed(paths)} would all become {target}" for target, paths in collisions[:NAMED])
        raise PlanError(f"several files would become one: {told}")


def _refuse(paths, reason):
    if paths:
        raise PlanError(f"{_listed(paths)} {reason}")


def _listed(paths):
    named = ", ".join(printable(path) for path in paths[:NAMED])
    more = len(paths) - NAMED
    return f"{named} and {more} more" if more > 0 else named
