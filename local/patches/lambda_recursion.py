"""Recursive loop detection: the configuration of a function, and the trace header that counts its invocations.

Source: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops".
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse
from moto.sqs.models import SQSBackend
from moto.sqs.responses import SQSResponse

from local.patches.patching import patch

ALLOW, TERMINATE = "Allow", "Terminate"

CONFIG_PATH = r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/recursion-config/?$"
TRACE_HEADER = "X-Amzn-Trace-Id"

_request = threading.local()


def recursive_loop(function: Any) -> str:
    """Return how Lambda treats a recursive loop of a function: `Allow` or `Terminate`."""
    return str(vars(function).get("_recursive_loop", TERMINATE))


@patch(LambdaBackend, "_url_module")
def route_recursion_config(original: Any, backend: Any) -> Any:
    """A function has a recursion configuration at its own URL; moto does not serve that URL."""
    module = original(backend)
    paths = {**module.url_paths, CONFIG_PATH: LambdaResponse.dispatch}
    return SimpleNamespace(url_bases=module.url_bases, url_paths=paths)


@patch(LambdaResponse, "get_function_recursion_config")
def get_recursion_config(_original: Any, response: Any) -> str:
    """GetFunctionRecursionConfig returns `Terminate` by default; moto does not implement it.

    Lambda API Reference, GetFunctionRecursionConfig.
    """
    return json.dumps({"RecursiveLoop": recursive_loop(_function(response))})


@patch(LambdaResponse, "put_function_recursion_config")
def put_recursion_config(_original: Any, response: Any) -> Any:
    """PutFunctionRecursionConfig sets `Allow` or `Terminate`; moto does not implement it.

    Lambda API Reference, PutFunctionRecursionConfig.
    """
    function, wanted = _function(response), json.loads(response.body)["RecursiveLoop"]
    if wanted not in (ALLOW, TERMINATE):
        message = f"Value '{wanted}' at 'recursiveLoop' failed to satisfy constraint: it is not Allow or Terminate"
        body = {"Type": "User", "message": message}
        return 400, {"status": 400, "x-amzn-ErrorType": "InvalidParameterValueException"}, json.dumps(body)
    vars(function)["_recursive_loop"] = wanted
    return json.dumps({"RecursiveLoop": wanted})


@patch(SQSResponse, "send_message")
def read_trace_of_message(original: Any, response: Any) -> Any:
    """The trace header of SendMessage becomes the message's attribute `AWSTraceHeader`; moto ignores it.

    AWS X-Ray Developer Guide, "Amazon SQS and AWS X-Ray".
    """
    with _traced(response):
        return original(response)


@patch(SQSResponse, "send_message_batch")
def read_trace_of_batch(original: Any, response: Any) -> Any:
    """The trace header of SendMessageBatch becomes an attribute of each of its messages; moto ignores it."""
    with _traced(response):
        return original(response)


@patch(SQSBackend, "send_message")
def store_trace(original: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
    """A message has the trace of its request unless it names another one; moto stores only a named one."""
    if trace := getattr(_request, "trace", None):
        attribute = {"AWSTraceHeader": {"StringValue": trace, "DataType": "String"}}
        kwargs["system_attributes"] = {**attribute, **(kwargs.get("system_attributes") or {})}
    return original(backend, *args, **kwargs)


@contextmanager
def _traced(response: Any) -> Iterator[None]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    _request.trace = headers.get(TRACE_HEADER.lower())
    try:
        yield
    finally:
        _request.trace = None


def _function(response: Any) -> Any:
    """Return the function of a request. Versions and aliases have no configuration of their own."""
    return response.backend.get_function(unquote(response.path.rstrip("/").rsplit("/", 2)[-2]))
