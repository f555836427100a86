"""Lambda: invocations, and the configuration of functions."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from local.patches.hooks import HOOKS
from local.patches.patching import patch

# The event of an invocation without a payload.
NO_PAYLOAD = b"{}"

# Settings that moto does not store -> the attributes that store them.
STORED_SETTINGS = {"LoggingConfig": "logging_config", "DeadLetterConfig": "dead_letter_config"}


@patch(LambdaResponse, "invoke")
def forward_invocations(_original: Any, response: Any) -> tuple[int, dict[str, Any], bytes]:
    """Invoke runs the function of the given name and qualifier; moto starts a container and ignores the qualifier."""
    name = unquote(response.path.rsplit("/", 2)[-2])
    qualifier = response.querystring.get("Qualifier", [None])[0]
    function = response.backend.get_function(name, qualifier)
    invocation_type = response.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if invocation_type == "DryRun":
        return 204, {"status": 204}, b""
    status, headers, body = HOOKS.lambda_invoker(function, response.raw_body or NO_PAYLOAD, invocation_type)
    return status, {**headers, "status": status}, body


@patch(LambdaFunction, "invoke")
def forward_events(_original: Any, function: Any, body: str, _request_headers: Any, _response_headers: Any) -> bytes:
    """S3 and SNS invoke a function asynchronously; moto starts a container and waits for it."""
    return HOOKS.lambda_invoker(function, body.encode(), "Event")[2]


@patch(LambdaResponse, "invoke")
def return_log_tail_on_request(original: Any, response: Any) -> tuple[int, dict[str, Any], bytes]:
    """Invoke returns the end of the log for the `LogType` Tail only; moto returns it always."""
    status, headers, body = original(response)
    if response.headers.get("X-Amz-Log-Type") != "Tail":
        headers.pop("X-Amz-Log-Result", None)
    return status, headers, body


@patch(LambdaFunction, "__init__")
def store_logging_and_dead_letter_config(original: Any, function: Any, account_id: str, spec: Any, **more: Any) -> None:
    """A function has a logging and a dead-letter configuration; moto stores neither."""
    original(function, account_id, spec, **more)
    for name, attribute in STORED_SETTINGS.items():
        setattr(function, attribute, spec.get(name) or {})


@patch(LambdaFunction, "update_configuration")
def update_logging_and_dead_letter_config(
    original: Callable[..., dict[str, Any]], function: Any, updates: dict[str, Any]
) -> dict[str, Any]:
    """The logging and the dead-letter configuration can be changed; moto ignores both."""
    for name, attribute in STORED_SETTINGS.items():
        if name in updates:
            setattr(function, attribute, updates[name] or {})
    return original(function, updates)


@patch(LambdaFunction, "get_configuration")
def return_logging_and_dead_letter_config(original: Any, function: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """GetFunctionConfiguration returns the logging and the dead-letter configuration; moto's returns neither."""
    logs = {"LogFormat": "Text", "LogGroup": function.logs_group_name, **function.logging_config}
    letters = {"DeadLetterConfig": function.dead_letter_config} if function.dead_letter_config else {}
    return {**original(function, *args, **kwargs), "LoggingConfig": logs, **letters}


@patch(LambdaBackend, "list_event_source_mappings")
def list_mappings_by_name_or_arn(
    original: Any, backend: Any, event_source_arn: str | None, function_name: str | None
) -> list[Any]:
    """Mappings are listed by the name or the ARN of their function; moto finds only the form that was used to create
    the mapping.

    Lambda API Reference, ListEventSourceMappings.
    """
    mappings = original(backend, event_source_arn, None)
    wanted = (function_name or "").rpartition(":function:")[2]
    return [mapping for mapping in mappings if not wanted or mapping.function_arn.rpartition(":function:")[2] == wanted]
