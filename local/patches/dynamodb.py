"""DynamoDB: transactions that are repeated, and errors on order.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import json
import time
import weakref
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import DynamodbException
from moto.dynamodb.responses import DynamoHandler

from local.faults import Fault
from local.patches.hooks import HOOKS
from local.patches.patching import patch

# How long DynamoDB knows a token after the first request with it.
TOKEN_SECONDS = 600.0
PREFIX = "com.amazonaws.dynamodb.v20120810#"

# Of each backend, the transactions that went through: token -> what was asked, and when.
_transactions: weakref.WeakKeyDictionary[Any, dict[str, tuple[Any, float]]] = weakref.WeakKeyDictionary()


@patch(DynamoHandler, "transact_write_items")
def heed_client_request_tokens(original: Any, response: Any) -> Any:
    """A transaction with the token of one that went through in the last ten minutes changes nothing and goes well;
    with another content it is refused. Moto does it again, so that its conditions fail on what it wrote itself.
    """
    token, asked = response.body.get("ClientRequestToken"), response.body["TransactItems"]
    known = _transactions.setdefault(response.dynamodb_backend, {})
    before, when = known.get(token, (None, 0.0))
    if before is not None and time.monotonic() - when < TOKEN_SECONDS:
        if before != asked:
            raise DynamodbException(f"{PREFIX}IdempotentParameterMismatchException", "The token was used before")
        return ActionResult({})
    answer = original(response)
    if token:
        known[token] = asked, time.monotonic()
    return answer


@patch(DynamoHandler, "call_action")
def give_faults_on_order(original: Any, response: Any) -> Any:
    """A request may be throttled, and its answer be lost; moto takes every request and says what became of it."""
    params = getattr(response, "params", {})
    table = params.get("TableName") or _tables(params)
    # Moto has no public name for the action of a request.
    fault = HOOKS.faults.take(response._get_action(), table, "")  # pylint: disable=protected-access
    if fault is None:
        return original(response)
    if fault.done:
        original(response)
    return fault.status, {"content-type": "application/x-amz-json-1.0"}, json.dumps(_refusal(fault))


def _tables(params: Any) -> str:
    """Name the table of a transaction: the first one, as ours has no other."""
    for item in params.get("TransactItems", []):
        return next(iter(item.values()))["TableName"]
    return ""


def _refusal(fault: Fault) -> dict[str, Any]:
    kind = f"{PREFIX}{fault.code}"
    if not fault.reasons:
        return {"__type": kind, "message": fault.message}
    listed = ", ".join(fault.reasons)
    return {
        "__type": kind,
        "Message": f"Transaction cancelled, please refer cancellation reasons for specific reasons [{listed}]",
        "CancellationReasons": [
            {"Code": code, "Message": f"{code} of this item"} if code != "None" else {"Code": code}
            for code in fault.reasons
        ],
    }
