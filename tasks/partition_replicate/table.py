"""What the table remembers of each key: what the destination was made from, and how far an upload is.

That bytes with one ETag became bytes with another stays true whatever happens afterwards, so a row that is late or lost
costs a look and never a wrong answer. Rows are written by compare-and-swap on their revision all the same: of two
who begin an upload one is to own it, and a removal that was seen is not to be forgotten for a copy made before it.

Where every version is mirrored there is a row for each as well: which version of the destination was made from it.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.partition_replicate.errors import RowChanged, TableError
from tasks.utils.streams import Pinned

# The range key of the row that is about the key and not about one of its versions.
STATE = "$null"

# How DynamoDB says that a condition does not hold, of one item or of several at once.
REFUSED = ("ConditionalCheckFailedException", "TransactionCanceledException")

# A removal is remembered until no message about the key can be left: 14 days in the queue and 14 as a dead letter.
REMOVAL_SECONDS = 30 * 24 * 60 * 60


@dataclass(frozen=True)
class Upload:
    """A multipart upload that was begun.

    Attributes:
        id: what the destination calls it.
        source: the state of the source that it is of: see `stamp_of`.
        part_size: how it is cut.
        crc32: the CRC32 of the whole, known once every part is there, else "".
    """

    id: str
    source: str
    part_size: int
    crc32: str = ""


@dataclass(frozen=True)
class Made:
    """A version of the destination.

    Attributes:
        version: its id, or "".
        etag: its ETag; "" for a delete marker.
    """

    version: str
    etag: str = ""

    @classmethod
    def by(cls, answer):
        """Returns what the answer to a write made."""
        return cls(answer.get("VersionId") or "", answer.get("ETag") or "")


@dataclass(frozen=True)
class Row:  # pylint: disable=too-many-instance-attributes  # one for each attribute of the item
    """What is known of one key.

    Attributes:
        revision: 0 where there is no row; grows with every write.
        source_etag: of the source that the destination was made from.
        dest_etag: of the destination that was made from it.
        source_version: the source's version, or "".
        dest_version: the version that the destination gave it, or "".
        skipped: the source's version was left out on purpose: a delete marker, as a rule.
        removed: an event told that the source was removed, and that was mirrored.
        taken_back: a version of the destination that is one too many and is being removed, or "".
        sequencer: the highest of the events handled, or "".
        upload: an `Upload` under way, or None.
    """

    revision: int = 0
    source_etag: str = ""
    dest_etag: str = ""
    source_version: str = ""
    dest_version: str = ""
    skipped: bool = False
    removed: bool = False
    taken_back: str = ""
    sequencer: str = ""
    upload: Upload | None = None


@dataclass(frozen=True)
class Table:
    """The rows of one deployment.

    Attributes:
        dynamodb: a boto3 DynamoDB client.
        name: the table's name.
    """

    dynamodb: Any
    name: str

    def get(self, key):
        """Returns the `Row` of a key, with revision 0 where there is none."""
        answer = self._call("get_item", Key=_place(key), ConsistentRead=True)
        return _row(answer["Item"]) if "Item" in answer else Row()

    def get_all(self, key):
        """Returns the `Row` of a key, and the `Made` of each version that was mirrored, None where it was skipped.

        The row is the first item of the answer, so what a transaction wrote meanwhile makes it out of date, never newer
        than the others.
        """
        row, made, start = Row(), {}, {}
        while True:
            answer = self._call(
                "query",
                KeyConditionExpression="#key = :key",
                ExpressionAttributeNames={"#key": "Key"},
                ExpressionAttributeValues={":key": {"S": key}},
                ConsistentRead=True,
                **start,
            )
            for item in answer["Items"]:
                if item["VersionId"]["S"] == STATE:
                    row = _row(item)
                else:
                    made[item["VersionId"]["S"]] = _made(item)
            if "LastEvaluatedKey" not in answer:
                return row, made
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def get_made(self, key, version):
        """Returns what was made from a version: a `Made`, or None where nothing was."""
        answer = self._call("get_item", Key=_place(key, version), ConsistentRead=True)
        return _made(answer["Item"]) if "Item" in answer else None

    def put(self, key, row, **changes):
        """Replaces a row by itself with some changes, and returns the new one.

        Raises:
            RowChanged: it is no longer the row that was read.
        """
        new = replace(row, revision=row.revision + 1, **changes)
        self._call("put_item", Item={**_place(key), **_attributes(new)}, **_unchanged(row))
        return new

    def put_made(self, key, row, version, made, tags, **changes):
        """Does what `put` does, and writes the row of a version in the same transaction.

        Args:
            key: the key.
            row: the `Row` as it was read.
            version: the source's version.
            made: the `Made`; None where the version is skipped.
            tags: the tags that were written, name -> value.
            **changes: what is new in the row of the key.
        """
        new = replace(row, revision=row.revision + 1, **changes)
        state = {"TableName": self.name, "Item": {**_place(key), **_attributes(new)}, **_unchanged(row)}
        of_version = {"TableName": self.name, "Item": {**_place(key, version), **_mapping(made, tags)}}
        self._request("transact_write_items", TransactItems=[{"Put": state}, {"Put": of_version}])
        return new

    def put_tags(self, key, version, made, tags):
        """Writes down the tags that a mirrored version has now."""
        self._call("put_item", Item={**_place(key, version), **_mapping(made, tags)})

    def forget(self, key, version=STATE):
        """Removes the row of a key, or of one of its versions."""
        self._call("delete_item", Key=_place(key, version))

    def _call(self, operation, **parameters):
        return self._request(operation, TableName=self.name, **parameters)

    def _request(self, operation, **parameters):
        try:
            return getattr(self.dynamodb, operation)(**parameters)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in REFUSED:
                raise RowChanged("the row was written by another worker meanwhile") from error
            raise TableError(f"{operation} on table {self.name}: {error}") from error
        except BotoCoreError as error:
            raise TableError(f"{operation} on table {self.name}: {error}") from error


def stamp_of(source, found):
    """Returns a text that two looks at a source share only when they saw the same object."""
    pinned = Pinned.by(source, found)
    return f"{pinned.etag} {pinned.address.version_id or '-'} {found['LastModified'].timestamp():.0f} {pinned.size}"


def _place(key, version=STATE):
    return {"Key": {"S": key}, "VersionId": {"S": version}}


def _mapping(made, tags):
    if made is None:
        return {"DestObject": {"NULL": True}}
    return {
        "DestObject": {"M": {"VersionId": {"S": made.version}, "ETag": {"S": made.etag}}},
        "DestObjectTags": {"M": {name: {"S": value} for name, value in tags.items()}},
    }


def _made(item):
    known = item["DestObject"].get("M")
    return known and Made(known["VersionId"]["S"], known["ETag"]["S"])


def _unchanged(row):
    if not row.revision:
        return {"ConditionExpression": "attribute_not_exists(Revision)"}
    return {
        "ConditionExpression": "Revision = :revision",
        "ExpressionAttributeValues": {":revision": {"N": str(row.revision)}},
    }


def _attributes(row):
    texts = {
        "SourceETag": row.source_etag,
        "DestETag": row.dest_etag,
        "SourceVersionId": row.source_version,
        "DestVersionId": row.dest_version,
        "TakenBackVersionId": row.taken_back,
        "Sequencer": row.sequencer,
    }
    item = {"Revision": {"N": str(row.revision)}, **{name: {"S": text} for name, text in texts.items() if text}}
    if row.skipped:
        item["Skipped"] = {"BOOL": True}
    if row.removed:
        item |= {"Removed": {"BOOL": True}, "ExpiresAt": {"N": str(int(time.time()) + REMOVAL_SECONDS)}}
    if row.upload:
        item |= {
            "UploadId": {"S": row.upload.id},
            "UploadSource": {"S": row.upload.source},
            "UploadPartSize": {"N": str(row.upload.part_size)},
            **({"UploadCRC32": {"S": row.upload.crc32}} if row.upload.crc32 else {}),
        }
    return item


def _row(item):
    def text(name):
        return item.get(name, {}).get("S", "")

    upload = None
    if text("UploadId"):
        part_size = int(item["UploadPartSize"]["N"])
        upload = Upload(text("UploadId"), text("UploadSource"), part_size, text("UploadCRC32"))
    return Row(
        revision=int(item["Revision"]["N"]),
        source_etag=text("SourceETag"),
        dest_etag=text("DestETag"),
        source_version=text("SourceVersionId"),
        dest_version=text("DestVersionId"),
        skipped=item.get("Skipped", {}).get("BOOL", False),
        removed=item.get("Removed", {}).get("BOOL", False),
        taken_back=text("TakenBackVersionId"),
        sequencer=text("Sequencer"),
        upload=upload,
    )
