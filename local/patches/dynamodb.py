"""DynamoDB: repeated transactions and injected errors.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import json
import time
import weakref
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import DynamodbException
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


@patch(Table, "__len__")
def count_items_of_a_changing_table(_original: Any, table: Any) -> int:
    """A request succeeds while another one adds an item; moto counts the items in most requests, and then fails."""
    return sum(len(group) if table.has_range_key else 1 for group in list(table.items.values()))


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
