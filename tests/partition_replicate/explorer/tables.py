"""The table in memory, as immutable states: the rows of the one key, each as the JSON text of its item."""

import json
import re
from dataclasses import dataclass

from botocore.exceptions import ClientError

from tests.partition_replicate.rows import Rows, place

EMPTY = ()

# The range key of the row that is about the key and not about one of its versions.
STATE = "$null"

# A version id of the destination, or the ETag of an encrypted version, within quotes.
NAME = re.compile(r'(?<=")([dk])(\d+)(?=\\?")')


@dataclass(frozen=True)
class Pair:
    """What the table records of a source version: the replica version and its ETag, or "" where it was skipped."""

    replica: str
    etag: str


def answer(rows, operation, parameters):
    """Return the rows after a request, and boto3's answer or the error that takes its place."""
    table = Rows()
    table.items = {place(item): item for item in map(json.loads, rows)}
    token = {"ClientRequestToken": "token"} if operation == "transact_write_items" else {}
    try:
        found = getattr(table, operation)(**parameters, **token)
    except ClientError as error:
        return rows, error.response
    after = (json.dumps(item, sort_keys=True) for _, item in sorted(table.items.items()))
    return tuple(after), found or {}


def pairs(rows):
    """Return what is recorded: source version -> `Pair`."""
    items = {item["VersionId"]["S"]: item for item in map(json.loads, rows)}
    recorded = ((version, item.get("DestObject", {}).get("M")) for version, item in items.items())
    return {
        version: Pair(made["VersionId"]["S"], made["ETag"]["S"]) if made else Pair("", "")
        for version, made in recorded
        if version != STATE and "GoneETag" not in items[version]
    }


def numbers_in(rows):
    """Return the numbers of the replica versions that the rows name."""
    return [found[2] for row in rows for found in NAME.finditer(row)]


def renamed(rows, names):
    """Return the rows with other replica versions and ETags, and with 1 as the revision: only its changes count."""
    fresh = (NAME.sub(lambda found: names[found[0]], row) for row in rows)
    return tuple(re.sub(r'("Revision": \{"N": )"\d+"', r'\1"1"', row) for row in fresh)


def bare(etag):
    """Return an ETag without its quotes."""
    return etag.strip('"')


def key_state(rows):
    """Return what the key's own row says, as short texts."""
    items = [item for item in map(json.loads, rows) if item["VersionId"]["S"] == STATE]
    shown = {"TakenBackVersionId": "pending delete", "SourceVersionId": "newest", "DestVersionId": "newest replica"}
    return [
        *(f"{text} {item[name]['S']}" for item in items for name, text in shown.items() if name in item),
        *("removed" for item in items if "Removed" in item),
        *("skipped" for item in items if "Skipped" in item),
    ]
