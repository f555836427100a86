"""The mirror's table, read: what the mirror recorded of keys and of their versions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.utils import mirror_items as items
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.key_state import KeyState, ReplicaVersion
from tasks.utils.retry import RetryPolicy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The most keys that BatchGetItem takes.
BATCH = 100

# Keys that a throttled table left out are asked for again; some 25 seconds in all.
PATIENCE = RetryPolicy(tries=8, delay=0.2, jitter=(0.0, 0.2), max_delay=10.0)


class TableBusy(BucketBrigadeError):
    """The table throttles for longer than we wait."""


@dataclass(frozen=True)
class Records:
    """The rows of a mirror.

    Attributes:
        dynamodb: a client, whose own retries are left on.
        table: the table's name.
    """

    dynamodb: DynamoDBClient
    table: str

    def states(self, keys: Sequence[str]) -> dict[str, KeyState]:
        """Return the records of keys: key -> its record; a key without a row is left out.

        Raises:
            ClientError, BotoCoreError: the table cannot be read.
            TableBusy: it throttles.
        """
        found: dict[str, KeyState] = {}
        for start in range(0, len(keys), BATCH):
            for item in self._batch([items.place(key) for key in keys[start : start + BATCH]]):
                found[item["Key"]["S"]] = items.state_in(item)
        return found

    def history(self, key: str) -> tuple[KeyState | None, Mapping[str, ReplicaVersion | None]]:
        """Return the record of a key, and what was made from each version of the source: None if it was left out.

        Raises:
            ClientError, BotoCoreError: the table cannot be read.
        """
        state, records = items.records_in(self._query(key))
        return state, records.replicas

    def _query(self, key: str) -> Iterator[items.Item]:
        asked: Any = {
            "TableName": self.table,
            "KeyConditionExpression": "#key = :key",
            "ExpressionAttributeNames": {"#key": "Key"},
            "ExpressionAttributeValues": {":key": {"S": key}},
            "ConsistentRead": True,
        }
        for page in self.dynamodb.get_paginator("query").paginate(**asked):
            yield from page["Items"]

    def _batch(self, places: list[items.Item]) -> Iterator[items.Item]:
        asked: Any = {self.table: {"Keys": places, "ConsistentRead": True}}
        for attempt in range(1, PATIENCE.tries + 1):
            answer: Any = getattr(self.dynamodb, "batch_get_item")(RequestItems=asked)
            yield from answer["Responses"].get(self.table, [])
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return
            time.sleep(PATIENCE.wait(attempt))
        raise TableBusy(f"the table {self.table} throttles: {PATIENCE.tries} requests did not read all keys")
