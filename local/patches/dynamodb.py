"""DynamoDB: isolated requests, repeated transactions, tables of any size, and injected errors.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import copy
import inspect
import json
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import DynamodbException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.faults import FaultAnswer
from local.patches.hooks import HOOKS
from local.patches.patching import patch

# How long DynamoDB remembers a token after the first request with it.
TOKEN_SECONDS = 600.0
PREFIX = "com.amazonaws.dynamodb.v20120810#"

# Successful transactions of each backend: token -> (items of the request, time of the request).
_transactions: weakref.WeakKeyDictionary[Any, dict[str, tuple[Any, float]]] = weakref.WeakKeyDictionary()


# Held during each request.
_request = threading.RLock()


@patch(DynamoHandler, "call_action")
def isolate_requests(original: Callable[[Any], Any], response: Any) -> Any:
    """A request sees no half of another one, and a cancelled transaction undoes its own writes only. Moto runs requests
    side by side: it fails while it iterates over a table that another request changes, and it restores the table of a
    cancelled transaction without what other requests wrote meanwhile.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """
    with _request:
        return original(response)


@patch(Table, "query")
def query_one_partition(original: Any, *arguments: Any, **named: Any) -> Any:
    """A query takes as long in a table of any size. Moto sorts all items of the table for each query.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.html
    """
    bound = inspect.signature(original).bind(*arguments, **named)
    if bound.arguments.get("index_name") is None:
        table, key = bound.arguments["self"], bound.arguments["hash_key"]
        bound.arguments["self"] = _with_partitions(table, {key: table.items[key]} if key in table.items else {})
    return original(*bound.args, **bound.kwargs)


@patch(DynamoDBBackend, "transact_write_items")
def copy_only_the_items_of_a_transaction(original: Any, backend: Any, transact_items: Any) -> None:
    """A transaction takes as long in a table of any size. Moto copies each of its tables, for the case of a failure.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """
    tables, keys = dict(backend.tables), _keys_of(transact_items, backend.tables)
    for name, wanted in keys.items():
        found = {key: tables[name].items[key] for key in wanted if key in tables[name].items}
        backend.tables[name] = _with_partitions(tables[name], copy.deepcopy(found))
    try:
        original(backend, transact_items)
        written = {name: backend.tables[name].items for name in keys}
    finally:
        backend.tables.update(tables)
    for name, wanted in keys.items():
        for key in wanted:
            tables[name].items.pop(key, None)
        tables[name].items.update(written[name])


@patch(DynamoHandler, "transact_write_items")
def honour_client_request_tokens(original: Any, response: Any) -> Any:
    """A repeated transaction, with the token of a success of the last ten minutes, changes nothing and succeeds; with
    other items it is refused. Moto runs it again, so that its conditions fail on its own first write.
    """
    token, items = response.body.get("ClientRequestToken"), response.body["TransactItems"]
    transactions = _transactions.setdefault(response.dynamodb_backend, {})
    earlier_items, earlier_time = transactions.get(token, (None, 0.0))
    if earlier_items is not None and time.monotonic() - earlier_time < TOKEN_SECONDS:
        if earlier_items != items:
            raise DynamodbException(f"{PREFIX}IdempotentParameterMismatchException", "The token was used before")
        return ActionResult({})
    answer = original(response)
    if token:
        transactions[token] = items, time.monotonic()
    return answer


@patch(DynamoHandler, "call_action")
def inject_faults(original: Callable[[Any], Any], response: Any) -> Any:
    """A request may be throttled, or its answer may be lost; moto runs and answers every request."""
    params = getattr(response, "params", {})
    table = params.get("TableName") or _table_of_transaction(params)
    action = response._get_action()  # pylint: disable=protected-access  # moto has no public name for it
    fault = HOOKS.faults.take(action, table, "")
    if fault is None:
        return original(response)
    if fault.done:
        original(response)
    return fault.answer.status, {"content-type": "application/x-amz-json-1.0"}, json.dumps(_refusal(fault.answer))


def _keys_of(transact_items: Any, tables: Mapping[str, Any]) -> dict[str, list[DynamoType]]:
    """Return the hash keys of the items of a transaction, by the names of their tables."""
    found: dict[str, list[DynamoType]] = {}
    for item in transact_items:
        operation = next(iter(item.values()))
        table = tables.get(operation.get("TableName"))
        key = (operation.get("Item") or operation.get("Key") or {}).get(table.hash_key_attr) if table else None
        if table and key:
            found.setdefault(table.name, []).append(DynamoType(key))
    return found


def _with_partitions(table: Any, partitions: dict[DynamoType, Any]) -> Any:
    """Return a table that has the same settings, and other items: hash key -> its items."""
    found = copy.copy(table)
    found.items = defaultdict(dict, partitions)
    return found


def _table_of_transaction(params: dict[str, Any]) -> str:
    """Return the table of a transaction's first item; the tasks' transactions are on one table each."""
    for item in params.get("TransactItems", []):
        return str(next(iter(item.values()))["TableName"])
    return ""


def _refusal(answer: FaultAnswer) -> dict[str, Any]:
    kind = f"{PREFIX}{answer.code}"
    if not answer.reasons:
        return {"__type": kind, "message": answer.message}
    listed = ", ".join(answer.reasons)
    return {
        "__type": kind,
        "Message": f"Transaction cancelled, please refer cancellation reasons for specific reasons [{listed}]",
        "CancellationReasons": [
            {"Code": code, "Message": f"{code} of this item"} if code != "None" else {"Code": code}
            for code in answer.reasons
        ],
    }
