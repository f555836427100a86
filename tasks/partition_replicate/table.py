"""What the table remembers of each key: what the destination was made from, and how far an upload is.

That bytes with one ETag became bytes with another stays true whatever happens afterwards, so a row that is late or lost
costs a look and never a wrong answer. Rows are written by compare-and-swap on their revision all the same: of two
who begin an upload one is to own it, and a removal that was seen is not to be forgotten for a copy made before it.

Where every version is mirrored there is a row for each as well: which version of the destination was made from it.

A table that an earlier system filled is taken over as it is. What a row does not say, or not in the form of this
module, is not known, which costs a look; the row is then replaced on the condition that its revision is still as it was
read, or that it still has none.
"""

import re
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.object_clerk.pinned import Pinned
from tasks.partition_replicate.errors import RowChanged, RowRefused, TableError, TableThrottled
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

# The range key of the row that is about the key and not about one of its versions.
STATE = "$null"

# What DynamoDB calls its refusals: by the first word as the error of one request, by the second as the reason why it
# cancelled a transaction. A cancelled transaction has a reason for each of its items, "None" for those without fault.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
LOST = frozenset({"ConditionalCheckFailedException", "ConditionalCheckFailed"})
# A conflict is no lost race: the other request may fail itself. Where it went through, the condition of the repeated
# request says so.
PASSING = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "ThrottlingException",
        "ThrottlingError",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "TransactionConflict",
        "TransactionInProgressException",
        "InternalServerError",
        "ServiceUnavailable",
    }
)
# Only as reasons: the error `ValidationException` of a single request may also mean a table with another key schema,
# which is a matter of the set-up and not of this row.
REFUSED = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})

QUOTE = '"'
# The row of a version that is left out on purpose, beside its key.
SKIPPED = {"DestObject": {"NULL": True}}
# Numbers and sequencers as this module writes them.
NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
SEQUENCER = re.compile(r"[0-9A-Fa-f]+", re.ASCII)

# A removal is remembered until no message about the key can be left: 14 days in the queue, four of failing, and 14 as a
# dead letter.
REMOVAL_SECONDS = 33 * 24 * 60 * 60


@dataclass(frozen=True)
class Upload:
    """A multipart upload that was begun.

    Attributes:
        id: what the destination calls it; "" where it is going to be begun.
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
        revision: 0 where there is no row, or one that is not ours; grows with every write.
        stored: the revision as the table has it, whatever that is, or None.
        source_etag: of the source that the destination was made from.
        dest_etag: of the destination that was made from it.
        source_version: the source's version, or "".
        dest_version: the version that the destination gave it, or "".
        skipped: the source's version was left out on purpose: a delete marker, as a rule.
        removed: an event told that the source was removed, and that was mirrored.
        taken_back: a version of the destination that is one too many and is being removed, or "".
        untagged: a version of the source that was mirrored, but for its tags, or "".
        sequencer: the highest of the events handled, or "".
        annotated: annotations were put at the destination, so a look at them is not to be spared.
        upload: an `Upload` under way, or None.
    """

    revision: int = 0
    stored: dict | None = None
    source_etag: str = ""
    dest_etag: str = ""
    source_version: str = ""
    dest_version: str = ""
    skipped: bool = False
    removed: bool = False
    taken_back: str = ""
    untagged: str = ""
    sequencer: str = ""
    annotated: bool = False
    upload: Upload | None = None


@dataclass(frozen=True)
class Table:
    """The rows of one deployment.

    Attributes:
        dynamodb: a boto3 DynamoDB client.
        name: the table's name.
        policy: how often and how patiently a request is repeated that the table throttles.
        deadline: no repetition is begun that would end after it.
    """

    dynamodb: Any
    name: str
    policy: RetryPolicy = RetryPolicy()
    deadline: Deadline = Deadline()

    def get(self, key):
        """Returns the `Row` of a key, with revision 0 where there is none."""
        answer = self._call("get_item", Key=_place(key), ConsistentRead=True)
        return _row(answer["Item"]) if "Item" in answer else Row()

    def get_all(self, key):
        """Returns all that is known of a key.

        Returns:
            The `Row` of the key; the `Made` of each version that was mirrored, None where it was skipped; and the
            ETags, without quotes, of versions that were removed for good.

        The row is the first item of the answer, so what a transaction wrote meanwhile makes it out of date, never newer
        than the others.
        """
        row, made, gone, start = Row(), {}, set(), {}
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
                elif _is_readable(item):
                    made[item["VersionId"]["S"]] = _made(item)
                elif "GoneETag" in item:
                    gone.add(item["GoneETag"]["S"])
            if "LastEvaluatedKey" not in answer:
                return row, made, gone
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def get_made(self, key, version):
        """Returns what was made from a version: a `Made`, or None where nothing was, or nothing that can be read."""
        answer = self._call("get_item", Key=_place(key, version), ConsistentRead=True)
        return _made(answer["Item"]) if "Item" in answer else None

    def put(self, key, row, **changes):
        """Replaces a row by itself with some changes, and returns the new one.

        Raises:
            RowChanged: it is no longer the row that was read.
        """
        new = _successor(row, changes)
        item = {**_place(key), **_attributes(new)}
        try:
            self._call("put_item", Item=item, ReturnValuesOnConditionCheckFailure="ALL_OLD", **_unchanged(row))
        except RowChanged as error:
            # A request whose answer was lost is repeated, and then its condition fails on what it wrote itself.
            if error.found != item:
                raise
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
        new = _successor(row, changes)
        state = {"TableName": self.name, "Item": {**_place(key), **_attributes(new)}, **_unchanged(row)}
        of_version = {"TableName": self.name, "Item": {**_place(key, version), **_mapping(made, tags)}}
        # By the token DynamoDB knows a repetition for ten minutes, and says of it what became of the first.
        token = str(uuid.uuid4())
        self._request(
            "transact_write_items", TransactItems=[{"Put": state}, {"Put": of_version}], ClientRequestToken=token
        )
        return new

    def put_tags(self, key, version, made, tags):
        """Writes down the tags that a mirrored version has now."""
        self._call("put_item", Item={**_place(key, version), **_mapping(made, tags)})

    def put_gone(self, key, version, etag):
        """Replaces the row of a version that was removed for good by its ETag, which is kept for `REMOVAL_SECONDS`."""
        gone = {"GoneETag": {"S": etag.strip(QUOTE)}, "ExpiresAt": _expiry()}
        self._call("put_item", Item={**_place(key, version), **gone})

    def forget(self, key, version=STATE):
        """Removes the row of a key, or of one of its versions."""
        self._call("delete_item", Key=_place(key, version))

    def _call(self, operation, **parameters):
        return self._request(operation, TableName=self.name, **parameters)

    def _request(self, operation, **parameters):
        attempt = getattr(self.dynamodb, operation)
        return self.policy.run(lambda: self._attempt(operation, attempt, parameters), deadline=self.deadline)[0]

    def _attempt(self, operation, attempt, parameters):
        try:
            return attempt(**parameters)
        except ClientError as error:
            raise self._refusal(operation, error) from error
        except BotoCoreError as error:
            raise TableError(f"{operation} on table {self.name}: {error}") from error

    def _refusal(self, operation, error):
        codes, details = _reasons(error.response)
        if codes & LOST:
            return RowChanged("the row was written by another worker meanwhile", found=error.response.get("Item"))
        text = "; ".join([f"{operation} on table {self.name}: {error}", *details])
        if codes & REFUSED:
            return RowRefused(text)
        return TableThrottled(text) if codes <= PASSING else TableError(text)


def stamp_of(source, found):
    """Returns a text that two looks at a source share only when they saw the same object."""
    pinned = Pinned.by(source, found)
    return f"{pinned.etag} {pinned.address.version_id or '-'} {found['LastModified'].timestamp():.0f} {pinned.size}"


def _reasons(answer):
    """Returns the codes that an error has, of a cancelled transaction those of its reasons; and the reasons' texts."""
    failed = [reason for reason in answer.get("CancellationReasons", []) if reason.get("Code") not in (None, "None")]
    codes = {reason["Code"] for reason in failed} or {answer.get("Error", {}).get("Code", "")}
    return codes, [f"{reason['Code']}: {reason['Message']}" for reason in failed if reason.get("Message")]


def _place(key, version=STATE):
    return {"Key": {"S": key}, "VersionId": {"S": version}}


def _mapping(made, tags):
    if made is None:
        return SKIPPED
    return {
        "DestObject": {"M": {"VersionId": {"S": made.version}, "ETag": {"S": made.etag}}},
        "DestObjectTags": {"M": {name: {"S": value} for name, value in tags.items()}},
    }


def _made(item):
    known = item.get("DestObject", {}).get("M") or {}
    version, etag = (known.get(name, {}).get("S") for name in ("VersionId", "ETag"))
    if version is None or etag is None:
        return None
    # The quotes belong to it; not everybody keeps them.
    return Made(version, f'"{etag.strip(QUOTE)}"' if etag else "")


def _is_readable(item):
    """Returns whether the row of a version says what was made from it, or that it was skipped on purpose."""
    return _made(item) is not None or item == {**_place(item["Key"]["S"], item["VersionId"]["S"]), **SKIPPED}


def _successor(row, changes):
    number = row.revision + 1
    return replace(row, revision=number, stored={"N": str(number)}, **changes)


def _unchanged(row):
    if row.stored is None:
        return {"ConditionExpression": "attribute_not_exists(Revision)"}
    return {"ConditionExpression": "Revision = :revision", "ExpressionAttributeValues": {":revision": row.stored}}


def _attributes(row):
    texts = {
        "SourceETag": row.source_etag,
        "DestETag": row.dest_etag,
        "SourceVersionId": row.source_version,
        "DestVersionId": row.dest_version,
        "TakenBackVersionId": row.taken_back,
        "UntaggedVersionId": row.untagged,
        "Sequencer": row.sequencer,
    }
    item = {"Revision": {"N": str(row.revision)}, **{name: {"S": text} for name, text in texts.items() if text}}
    if row.skipped:
        item["Skipped"] = {"BOOL": True}
    if row.removed:
        item |= {"Removed": {"BOOL": True}, "ExpiresAt": _expiry()}
    if row.annotated:
        item["Annotated"] = {"BOOL": True}
    if row.upload:
        item |= {
            **({"UploadId": {"S": row.upload.id}} if row.upload.id else {}),
            "UploadSource": {"S": row.upload.source},
            "UploadPartSize": {"N": str(row.upload.part_size)},
            **({"UploadCRC32": {"S": row.upload.crc32}} if row.upload.crc32 else {}),
        }
    return item


def _expiry():
    return {"N": str(int(time.time()) + REMOVAL_SECONDS)}


def _row(item):
    """Returns the row of a key; what is not there, or not as this module writes it, is not known."""

    def text(name, form=None):
        found = item.get(name, {}).get("S", "")
        return found if form is None or form.fullmatch(found) else ""

    def number(name):
        found = item.get(name, {}).get("N", "")
        return int(found) if NUMBER.fullmatch(found) else 0

    upload = None
    if number("UploadPartSize"):
        upload = Upload(text("UploadId"), text("UploadSource"), number("UploadPartSize"), text("UploadCRC32"))
    return Row(
        revision=number("Revision"),
        stored=item.get("Revision"),
        source_etag=text("SourceETag"),
        dest_etag=text("DestETag"),
        source_version=text("SourceVersionId"),
        dest_version=text("DestVersionId"),
        skipped=item.get("Skipped", {}).get("BOOL", False),
        removed=item.get("Removed", {}).get("BOOL", False),
        taken_back=text("TakenBackVersionId"),
        untagged=text("UntaggedVersionId"),
        sequencer=text("Sequencer", SEQUENCER),
        annotated=item.get("Annotated", {}).get("BOOL", False),
        upload=upload,
    )
