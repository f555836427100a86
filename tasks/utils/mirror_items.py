"""DynamoDB items of the mirror's table, read and written as values: no request is made here.

There are three kinds of items for a key. The key row has the range key `STATE`. A version row says what was made from
one version of the source. A row of a removed version keeps the ETag of a copy that may still arrive.

An item of an earlier system is read as it is: an attribute that is missing, or of another form, counts as unknown.
"""

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tasks.utils.key_state import KeyState, OpenWork, Origin, Records, ReplicaVersion, Revision, Upload

# Attribute name -> DynamoDB's typed value, such as {"S": "text"}.
Item = dict[str, Any]

# The range key of the key row.
STATE = "$null"

QUOTE = '"'
# The attribute of a version row whose version was left out on purpose.
SKIPPED: Item = {"DestObject": {"NULL": True}}
# Numbers and sequencers as this module writes them.
NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
SEQUENCER = re.compile(r"[0-9A-Fa-f]+", re.ASCII)

# A removal is remembered until no message about the key can be left: 14 days in the queue, four of failing, and 14 as a
# dead letter, and one to spare.
REMOVAL_SECONDS = 33 * 24 * 60 * 60


def place(key: str, version: str = STATE) -> Item:
    """Return the primary key of a row."""
    return {"Key": {"S": key}, "VersionId": {"S": version}}


def key_row(key: str, state: KeyState) -> Item:
    """Return the key row of a state; an attribute whose value is empty is left out."""
    texts = {
        "SourceETag": state.origin.etag,
        "DestETag": state.replica.etag,
        "SourceVersionId": state.origin.version,
        "DestVersionId": state.replica.version,
        # The stored name is older than the term "pending delete".
        "TakenBackVersionId": state.open.pending_delete,
        "UntaggedVersionId": state.open.untagged,
        "Sequencer": state.sequencer,
    }
    item = {**place(key), "Revision": {"N": str(state.revision.number)}, **_filled(texts)}
    if state.origin.skipped:
        item["Skipped"] = {"BOOL": True}
    if state.removed:
        item |= {"Removed": {"BOOL": True}, "ExpiresAt": _expiry()}
    if state.annotated:
        item["Annotated"] = {"BOOL": True}
    if state.open.upload:
        item |= _upload_attributes(state.open.upload)
    return item


def version_row(key: str, version: str, replica: ReplicaVersion | None, tags: Mapping[str, str]) -> Item:
    """Return the version row of a replica version and its tags, or of a version that was left out."""
    if replica is None:
        return {**place(key, version), **SKIPPED}
    return {
        **place(key, version),
        "DestObject": {"M": {"VersionId": {"S": replica.version}, "ETag": {"S": replica.etag}}},
        "DestObjectTags": {"M": {name: {"S": value} for name, value in tags.items()}},
    }


def gone_row(key: str, version: str, etag: str) -> Item:
    """Return the row of a removed version, which expires after `REMOVAL_SECONDS`."""
    return {**place(key, version), "GoneETag": {"S": etag.strip(QUOTE)}, "ExpiresAt": _expiry()}


def state_in(item: Item) -> KeyState:
    """Return the state that a key row holds."""

    def text(name: str, form: re.Pattern[str] | None = None) -> str:
        found = item.get(name, {}).get("S", "")
        return found if form is None or form.fullmatch(found) else ""

    def flag(name: str) -> bool:
        return bool(item.get(name, {}).get("BOOL", False))

    return KeyState(
        origin=Origin(text("SourceVersionId"), text("SourceETag"), flag("Skipped")),
        replica=ReplicaVersion(text("DestVersionId"), text("DestETag")),
        removed=flag("Removed"),
        annotated=flag("Annotated"),
        sequencer=text("Sequencer", SEQUENCER),
        open=OpenWork(text("TakenBackVersionId"), text("UntaggedVersionId"), _upload_in(item, text)),
        revision=Revision(_number(item, "Revision"), item.get("Revision")),
    )


def replica_in(item: Item) -> ReplicaVersion | None:
    """Return the replica version that a version row names, or None if it names none."""
    known = item.get("DestObject", {}).get("M") or {}
    version, etag = (known.get(name, {}).get("S") for name in ("VersionId", "ETag"))
    if version is None or etag is None:
        return None
    # The quotes belong to an ETag, and some earlier rows lack them.
    return ReplicaVersion(version, f'"{etag.strip(QUOTE)}"' if etag else "")


def is_readable(item: Item) -> bool:
    """Return whether a version row says what was made from its version, or that the version was left out."""
    return replica_in(item) is not None or item == {**place(item["Key"]["S"], item["VersionId"]["S"]), **SKIPPED}


def records_in(rows: Iterable[Item]) -> tuple[KeyState | None, Records]:
    """Return what all rows of a key say: the state, None if there is no key row, and the other rows."""
    state, gone = None, set()
    replicas: dict[str, ReplicaVersion | None] = {}
    for item in rows:
        version = item["VersionId"]["S"]
        if version == STATE:
            state = state_in(item)
        elif is_readable(item):
            replicas[version] = replica_in(item)
        elif "GoneETag" in item:
            gone.add(item["GoneETag"]["S"])
    return state, Records(replicas, frozenset(gone))


def _filled(texts: Mapping[str, str]) -> Item:
    return {name: {"S": text} for name, text in texts.items() if text}


def _upload_attributes(upload: Upload) -> Item:
    texts = {"UploadId": upload.id, "UploadCRC32": upload.crc32}
    required = {"UploadSource": {"S": upload.source}, "UploadPartSize": {"N": str(upload.part_size)}}
    return {**_filled(texts), **required}


def _upload_in(item: Item, text: Any) -> Upload | None:
    part_size = _number(item, "UploadPartSize")
    return Upload(text("UploadId"), text("UploadSource"), part_size, text("UploadCRC32")) if part_size else None


def _number(item: Item, name: str) -> int:
    found = item.get(name, {}).get("N", "")
    return int(found) if NUMBER.fullmatch(found) else 0


def _expiry() -> Item:
    return {"N": str(int(time.time()) + REMOVAL_SECONDS)}
