"""Where each file goes, decided and checked before the first byte moves.

A file loses its directory on the way and may be renamed. So two files can have one target, and the target of a file can
be its own source or that of another file. A copy and a delete by such a plan would lose a file, so the whole plan is
refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import S3Object, printable

# The longest key of S3, in bytes of UTF-8.
LONGEST_KEY = 1024
# The longest name that most file systems allow, in bytes.
LONGEST_NAME = 255
NO_NAMES = frozenset({"", ".", ".."})
# The largest number of files that a message names; a list of thousands would hide the sentence.
NAMED = 20

T = TypeVar("T", bound=Hashable)


class PlanError(BucketBrigadeError):
    """The files cannot go to their targets; none has been touched."""


@dataclass(frozen=True)
class Place:
    """A bucket and a directory in it, without a slash at its ends; "" is the root of the bucket."""

    bucket: str
    directory: str = ""

    def object(self, name: str) -> S3Object:
        """Return the address of a file in this place."""
        return S3Object(self.bucket, f"{self.directory}/{name}" if self.directory else name)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.directory}"


@dataclass(frozen=True)
class Rename:
    """A regular expression, and the replacement of each of its matches in a file's name."""

    pattern: str
    sub: str

    def __call__(self, name: str) -> str:
        return re.sub(self.pattern, self.sub, name)


def name_of(path: str) -> str:
    """Return the last part of a key or a path, which is the file's name."""
    return path.rsplit("/", 1)[-1]


def targets_of(paths: Iterable[str], place: Place, rename: Rename | None = None) -> dict[str, S3Object]:
    """Return the target of each file in S3, by its path.

    Args:
        paths: keys in a bucket, or paths of files.
        place: the place of all targets.
        rename: changes the names, but not the directory; or None.

    Raises:
        PlanError: several files would become one, or a name cannot be a file's.
    """
    names = _names(paths, rename)
    targets = {path: place.object(name) for path, name in names.items()}
    too_long = [path for path, target in targets.items() if len(target.key.encode()) > LONGEST_KEY]
    _refuse(too_long, f"would have a key of more than {LONGEST_KEY} bytes")
    _refuse_collisions(targets)
    return targets


def staging_paths(keys: Iterable[str], folder: str) -> dict[str, str]:
    """Return the path of the file for each key.

    Args:
        keys: keys in a bucket.
        folder: the path of the folder for all files.

    Raises:
        PlanError: several keys would become one file, or a name cannot be a file's.
    """
    names = _names(keys, None)
    unfit = [key for key, name in names.items() if len(name.encode()) > LONGEST_NAME or "\0" in name]
    _refuse(unfit, "has a name that no file can have")
    files = {key: f"{folder}/{name}" for key, name in names.items()}
    _refuse_collisions(files)
    return files


def refuse_replacing(targets: Mapping[str, S3Object], flag: S3Object | None) -> None:
    """Refuse a plan in which the flag file, which is empty, would replace a file.

    Args:
        targets: see `targets_of`.
        flag: the flag file, or None.

    Raises:
        PlanError: it would.
    """
    _refuse([path for path, target in targets.items() if target == flag], f"would be replaced by the flag file {flag}")


def refuse_overlaps(bucket: str, targets: Mapping[str, S3Object]) -> None:
    """Refuse a plan in which the target of a file is a source.

    Args:
        bucket: the bucket of the sources.
        targets: see `targets_of`, for the keys of the sources.

    Raises:
        PlanError: a file would be copied or moved onto itself, onto another source, or below a source as if that were
            a directory.
    """
    sources = {S3Object(bucket, key): key for key in targets}
    same = [key for key, target in targets.items() if sources.get(target) == key]
    _refuse(same, "would be put onto itself")
    ends = set(targets.values())
    for key, target in targets.items():
        places = [target, *_parents(target)]
        if any(other in sources for other in places) or any(other in ends for other in places[1:]):
            _refuse([key], f"would be put to {target}, which is or lies below another of the files")
        if any(other in ends for other in _parents(S3Object(bucket, key))):
            _refuse([key], "lies below a place that another of the files would be put to")


def refuse_a_search_that_finds_what_was_moved(source: Place, target: Place) -> None:
    """Refuse a move within a bucket that is searched whole: the next run would find the files that this run moves.

    Args:
        source: the place that was searched; without a directory the whole bucket.
        target: the place to which files move.

    Raises:
        PlanError: the next run would find them.
    """
    if not source.directory and source.bucket == target.bucket:
        raise PlanError(
            f"files found anywhere in {source} cannot be moved to {target}, where they would be found again: "
            "give the source a directory"
        )


def _names(paths: Iterable[str], rename: Rename | None) -> dict[str, str]:
    names = {path: rename(name_of(path)) if rename else name_of(path) for path in paths}
    # A rename may create directories, but none that leads out of the place.
    nameless = [path for path, name in names.items() if not NO_NAMES.isdisjoint(name.split("/"))]
    _refuse(nameless, "would have no name")
    return names


def _parents(address: S3Object) -> Iterator[S3Object]:
    """Yield the directories above an object, as if keys were paths."""
    parts = address.key.split("/")
    for length in range(1, len(parts)):
        yield S3Object(address.bucket, "/".join(parts[:length]))


def _refuse_collisions(targets: Mapping[str, T]) -> None:
    paths_of: defaultdict[T, list[str]] = defaultdict(list)
    for path, target in targets.items():
        paths_of[target].append(path)
    collisions = [(target, paths) for target, paths in paths_of.items() if len(paths) > 1]
    if collisions:
        sentences = "; ".join(f"{_listing(paths)} would all become {target}" for target, paths in collisions[:NAMED])
        raise PlanError(f"several files would become one: {sentences}")


def _refuse(paths: Sequence[str], reason: str) -> None:
    if paths:
        raise PlanError(f"{_listing(paths)} {reason}")


def _listing(paths: Sequence[str]) -> str:
    named = ", ".join(printable(path) for path in paths[:NAMED])
    more = len(paths) - NAMED
    return f"{named} and {more} more" if more > 0 else named
