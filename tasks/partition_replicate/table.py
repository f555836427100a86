"""The rows of the mirror's table, read and written by requests to DynamoDB.

A key row is written by compare-and-swap on its revision, so that a removal which was recorded is not overwritten by a
worker that has not read it. Apart from removals a row that is late or lost costs an observation and never a wrong
result: that bytes with one ETag became bytes with another stays true.

A row of an earlier system has no revision, or another kind of it. It is replaced on the condition that its revision is
still as it was read, or that it still has none.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tasks.partition_replicate.errors import RowChanged, RowRefused, TableError, TableThrottled
from tasks.utils import mirror_items as items
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.key_state import KeyState, Records, ReplicaVersion, Revision, VersionRow
from tasks.utils.mirror_items import Item
from tasks.utils.retry import RetryPolicy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# What DynamoDB calls its refusals: by the first word as the error of one request, by the second as the reason why it
# cancelled a transaction. A cancelled transaction has a reason for each of its items, "None" for those without fault.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
LOST = frozenset({"ConditionalCheckFailedException", "ConditionalCheckFailed"})
# A conflict is no lost race: the other request may fail itself. If it went through, the condition of the repeated
# request fails.
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

# A version row names this replica version.
RECORDED = "DestObject.VersionId = :replica"
# A version row names no replica version that can be read, or just this one: see `items.replica_in`.
UNRECORDED = (
    f"NOT (attribute_type(DestObject.VersionId, :text) AND attribute_type(DestObject.ETag, :text)) OR {RECORDED}"
)


@dataclass(frozen=True)
class Table:
    """The rows of one deployment.

    Attributes:
        dynamodb: a boto3 DynamoDB client.
        name: the table's name.
        policy: how often and how patiently a request is repeated that the table throttles.
        deadline: no repetition is begun that would end after it.
    """

    dynamodb: DynamoDBClient
    name: str
    policy: RetryPolicy = RetryPolicy()
    deadline: Deadline = Deadline()

    def read_state(self, key: str) -> KeyState:
        """Return the state of a key, an empty one if it has no row."""
        answer = self._call("get_item", Key=items.place(key), ConsistentRead=True)
        return items.state_in(answer["Item"]) if "Item" in answer else KeyState()

    def read_all(self, key: str) -> tuple[KeyState, Records]:
        """Return the state of a key and all its other rows.

        The key row is the first item of the answer. A transaction of another worker during the query makes it out of
        date, and never newer than the others.
        """
        found, records = items.records_in(self._query(key))
        state = found or KeyState()
        if state.origin.version and not state.origin.skipped:
            # A version that was mirrored with VERSIONS=current has no row of its own.
            records = records._replace(replicas={state.origin.version: state.replica, **records.replicas})
        return state, records

    def read_replica(self, key: str, version: str) -> ReplicaVersion | None:
        """Return what was made from a source version; None if that is nothing, or if its row cannot be read."""
        answer = self._call("get_item", Key=items.place(key, version), ConsistentRead=True)
        return items.replica_in(answer["Item"]) if "Item" in answer else None

    def write_state(self, key: str, before: KeyState, after: KeyState) -> KeyState:
        """Replace a key row, and return the state with its new revision.

        Args:
            key: the key.
            before: the state as it was last read or written, whose revision the table must still have.
            after: what is to be written.

        Raises:
            RowChanged: the row was written by another worker meanwhile.
        """
        new = _successor(before, after)
        item = items.key_row(key, new)
        condition = _unchanged(before.revision)
        try:
            self._call("put_item", Item=item, ReturnValuesOnConditionCheckFailure="ALL_OLD", **condition)
        except RowChanged as error:
            # A request whose answer was lost is repeated, and then its condition fails on its own item.
            if error.found != item:
                raise
        return new

    def write_version(self, key: str, before: KeyState, after: KeyState, row: VersionRow) -> KeyState:
        """Do what `write_state` does, and write a version row in the same transaction."""
        new = _successor(before, after)
        state = {"TableName": self.name, "Item": items.key_row(key, new), **_unchanged(before.revision)}
        item = items.version_row(key, row.version, row.replica, row.tags)
        # For ten minutes DynamoDB knows a repetition by its token, and answers it as the first request.
        self._request(
            "transact_write_items",
            TransactItems=[{"Put": state}, {"Put": {"TableName": self.name, "Item": item}}],
            ClientRequestToken=str(uuid.uuid4()),
        )
        return new

    def write_tags(self, key: str, version: str, replica: ReplicaVersion, tags: Mapping[str, str]) -> None:
        """Record the tags that a replica version has now.

        Raises:
            RowChanged: the row does not name that replica version any more.
        """
        self._call(
            "put_item",
            Item=items.version_row(key, version, replica, tags),
            ConditionExpression=RECORDED,
            ExpressionAttributeValues={":replica": {"S": replica.version}},
        )

    def write_gone(self, key: str, version: str, etag: str, replica: str) -> None:
        """Replace a version row by the ETag of a copy of that version that may still arrive.

        Args:
            key: the key.
            version: the source version.
            etag: the ETag.
            replica: the replica version that the row named when it was read, "" if there was no row.

        Raises:
            RowChanged: another worker recorded another replica version meanwhile.
        """
        values = {":replica": {"S": replica}, ":text": {"S": "S"}}
        condition = {"ConditionExpression": UNRECORDED, "ExpressionAttributeValues": values}
        self._call("put_item", Item=items.gone_row(key, version, etag), **condition)

    def forget_state(self, key: str, before: KeyState) -> None:
        """Delete a key row.

        Args:
            key: the key.
            before: the state as it was last read or written, whose revision the table must still have.

        Raises:
            RowChanged: the row was written by another worker meanwhile.
        """
        condition = _unchanged(before.revision)
        try:
            self._call("delete_item", Key=items.place(key), ReturnValuesOnConditionCheckFailure="ALL_OLD", **condition)
        except RowChanged as error:
            # Without a row there is nothing to delete: a request whose answer was lost is repeated.
            if error.found:
                raise

    def forget(self, key: str, version: str) -> None:
        """Delete the row of one version."""
        self._call("delete_item", Key=items.place(key, version))

    def _query(self, key: str) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            answer = self._call(
                "query",
                KeyConditionExpression="#key = :key",
                ExpressionAttributeNames={"#key": "Key"},
                ExpressionAttributeValues={":key": {"S": key}},
                ConsistentRead=True,
                **start,
            )
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._request(operation, TableName=self.name, **parameters)

    def _request(self, operation: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any]
        answer, _ = self.policy.run(lambda: self._attempt(operation, parameters), deadline=self.deadline)
        return answer

    def _attempt(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self.dynamodb, operation)(**parameters)
            return answer
        except ClientError as error:
            raise self._refusal(operation, error) from error
        except BotoCoreError as error:
            raise TableError(f"{operation} on table {self.name}: {error}") from error

    def _refusal(self, operation: str, error: ClientError) -> BucketBrigadeError:
        codes, details = _reasons(error.response)
        if codes & LOST:
            response: dict[str, Any] = {**error.response}
            return RowChanged("the row was written by another worker meanwhile", found=response.get("Item"))
        text = "; ".join([f"{operation} on table {self.name}: {error}", *details])
        if codes & REFUSED:
            return RowRefused(text)
        return TableThrottled(text) if codes <= PASSING else TableError(text)


def _reasons(answer: Mapping[str, Any]) -> tuple[set[str], list[str]]:
    """Return the codes of an error, for a cancelled transaction those of its reasons; and the reasons' texts."""
    failed = [reason for reason in answer.get("CancellationReasons", []) if reason.get("Code") not in (None, "None")]
    codes = {reason["Code"] for reason in failed} or {answer.get("Error", {}).get("Code", "")}
    return codes, [f"{reason['Code']}: {reason['Message']}" for reason in failed if reason.get("Message")]


def _successor(before: KeyState, after: KeyState) -> KeyState:
    number = before.revision.number + 1
    return after._replace(revision=Revision(number, {"N": str(number)}))


def _unchanged(revision: Revision) -> dict[str, Any]:
    if revision.stored is None:
        return {"ConditionExpression": "attribute_not_exists(Revision)"}
    return {"ConditionExpression": "Revision = :revision", "ExpressionAttributeValues": {":revision": revision.stored}}
