"""The changes of a plan: which object changes how. Each change makes one event, and each poison is one message."""

import random
from dataclasses import dataclass

from tests.support.keys import HAND_PICKED

MIRROR, ARCHIVE, UPLOADS, POISON = "mirror", "archive", "uploads", "poison"

# The longest key of S3, in bytes of UTF-8.
KEY_BYTES = 1024

# How likely each change of a mirrored object is, while it has a current version and while it has none.
ON_CURRENT = {"put": 5, "put again": 1, "tag": 3, "delete": 2, "remove newest": 1}
ON_NONE = {"put": 1}
# The mirror copies objects over 16 MiB in parts. One object in so many is large at first.
LARGE_BYTES, LARGE_EVERY = 17 * 1024 * 1024, 50

# Extensions of restored objects. No archive takes the last one.
ARCHIVES = {"granules": [".hdf", ".met"], "documents": [".txt", ".csv"], "bundles": [".tar.gz"]}
EXTENSIONS = [extension for extensions in ARCHIVES.values() for extension in extensions]
UNMAPPED = ".jpg"

COUNCILS = ("E07000223", "E06000023")
HEADER, ROW = "houseid,station,address,postcode", '7,Village Hall,"1 High Street, Lancing",BN15 9AA'


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        of: `MIRROR`, `ARCHIVE`, `UPLOADS` or `POISON`.
        key: the key of the object; for poison the queue: `MIRROR`, `ARCHIVE`, `UPLOADS` or "recheck".
        action: what happens to the object, or which poison it is.
        number: its number among the changes of the key. The bytes depend on it.
    """

    of: str
    key: str
    action: str
    number: int = 0


def odd_key(prefix, chance, ending=""):
    """Return a key that no other prefix gives, of a form that often breaks programs."""
    head, tail = f"{prefix} ", f" {ending}" if ending else ""
    room = KEY_BYTES - len((head + tail).encode())
    return head + chance.choice(HAND_PICKED).encode()[:room].decode(errors="ignore") + tail


def changes_of_mirrored(number, count, chance):
    """Return changes of one mirrored object: each possible after those before it."""
    key = odd_key(f"mirrored/{number:05}", chance)
    versions = ["put"]
    found = [Change(MIRROR, key, "put" if number % LARGE_EVERY else "put large")]
    while len(found) < count:
        weights = ON_CURRENT if versions and versions[-1] != "delete" else ON_NONE
        action = chance.choices(list(weights), list(weights.values()))[0]
        if action == "remove newest":
            versions.pop()
        elif action != "tag":
            versions.append(action)
        elif versions[-1] == "tagged":
            continue
        else:
            versions[-1] = "tagged"
        found.append(Change(MIRROR, key, action, len(found)))
    return found


def changes_of_restored(number, count, chance):
    """Return the restores of one archived object, each of another version."""
    extension = UNMAPPED if number % 10 == 9 else chance.choice(EXTENSIONS)
    key = odd_key(f"restored/{number:05}", chance, ending=f"name{extension}")
    return [Change(ARCHIVE, key, "restore", each) for each in range(count)]


def changes_of_set(number, count, chance):
    """Return the uploads of a set of one to three files; the last upload of each file decides on the set."""
    prefix = f"{COUNCILS[number % 2]}/2026-05-07/{number:05}T09:30:00Z/"
    files = [f"{prefix}{name}" for name in ("stations.csv", "cafés & clubs.csv", "a+b %2F.csv")[: chance.randint(1, 3)]]
    kinds = list(CONTENTS)
    return [
        Change(UPLOADS, chance.choice(files), chance.choice(["valid", "valid", *kinds]), each) for each in range(count)
    ]


def body_of(change):
    """Return the bytes that a change writes; "put again" writes those of the change before it once more."""
    if change.of == UPLOADS:
        return CONTENTS[change.action](change.number)
    text = f"{change.key} {change.number} ".encode()
    if change.action == "put large":
        return text * (LARGE_BYTES // len(text) + 1)
    return text * random.Random(text).choice((0, 1, 1, 1, 10, 400))


def is_valid(change):
    """Return whether an uploaded file is valid."""
    return change.action == "valid"


def _table(number, *more):
    """Return a table that differs from those of other numbers."""
    return "".join(f"{line}\r\n" for line in [HEADER, *[ROW] * 60, ROW.replace("7", str(number), 1), *more]).encode()


CONTENTS = {
    "valid": _table,
    "short row": lambda number: _table(number, "8,Church"),
    "empty": lambda number: b"",
    "binary": lambda number: b"PK\x03\x04\x14\x00\x06\x00" + _table(number),
    "wide": lambda number: _table(number).decode().encode("utf-16"),
    "long line": lambda number: _table(number, "8," + "x" * 300_000),
}

# Messages that no task can take: half of one, a text, an event of another bucket.
POISONS = ("half", "text", "other-bucket")
