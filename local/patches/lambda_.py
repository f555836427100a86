"""Functions: who runs them, and who asks for it."""

from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from local.patches.hooks import HOOKS
from local.patches.patching import patch

# What a function gets that is invoked with nothing.
NO_PAYLOAD = b"{}"

# What moto does not keep of a function, and the attribute that keeps it.
REMEMBERED = {"LoggingConfig": "logging_config", "DeadLetterConfig": "dead_letter_config"}


@patch(LambdaResponse, "invoke")
def hand_over_invocations(_original: Any, response: Any) -> tuple[int, dict[str, Any], bytes]:
    """Invoke runs the function that name and qualifier say; moto starts a container and overlooks the qualifier."""
    name = unquote(response.path.rsplit("/", 2)[-2])
    qualifier = response.querystring.get("Qualifier", [None])[0]
    function = response.backend.get_function(name, qualifier)
    invocation_type = response.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if invocation_type == "DryRun":
        return 204, {"status": 204}, b""
    status, headers, body = HOOKS.lambda_invoker(function, response.raw_body or NO_PAYLOAD, invocation_type)
    return status, {**headers, "status": status}, body


@patch(LambdaFunction, "invoke")
def hand_over_events(_original: Any, function: Any, body: str, _request_headers: Any, _response_headers: Any) -> bytes:
    """S3 and SNS invoke a function asynchronously; moto starts a container and waits for it."""
    return HOOKS.lambda_invoker(function, body.encode(), "Event")[2]


@patch(LambdaResponse, "invoke")
def give_the_log_tail_to_who_asks(original: Any, response: Any) -> tuple[int, dict[str, Any], bytes]:
    """The end of the log is handed out for the `LogType` Tail; moto hands out what it is given."""
    status, headers, body = original(response)
    if response.headers.get("X-Amz-Log-Type") != "Tail":
        headers.pop("X-Amz-Log-Result", None)
    return status, headers, body


@patch(LambdaFunction, "__init__")
def remember_logs_and_dead_letters(original: Any, function: Any, account_id: str, spec: Any, **more: Any) -> None:
    """A function has a logging and a dead-letter configuration; moto forgets both."""
    original(function, account_id, spec, **more)
    for name, attribute in REMEMBERED.items():
        setattr(function, attribute, spec.get(name) or {})


@patch(LambdaFunction, "update_configuration")
def change_logs_and_dead_letters(original: Any, function: Any, updates: dict[str, Any]) -> dict[str, Any]:
    """The logging and the dead-letter configuration can be changed; moto passes over both."""
    for name, attribute in REMEMBERED.items():
        if name in updates:
            setattr(function, attribute, updates[name] or {})
    return original(function, updates)


@patch(LambdaFunction, "get_configuration")
def tell_logs_and_dead_letters(original: Any, function: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """A function's configuration tells both; moto's does not."""
    logs = {"LogFormat": "Text", "LogGroup": function.logs_group_name, **function.logging_config}
    letters = {"DeadLetterConfig": function.dead_letter_config} if function.dead_letter_config else {}
    return {**original(function, *args, **kwargs), "LoggingConfig": logs, **letters}


@patch(LambdaBackend, "list_event_source_mappings")
def list_mappings_by_name_or_arn(
    original: Any, backend: Any, event_source_arn: str | None, function_name: str | None
) -> list[Any]:
    """Mappings are listed by the name or the ARN of their function; moto compares it with the words of their creation.

    Lambda API Reference, ListEventSourceMappings.
    """
    mappings = original(backend, event_source_arn, None)
    wanted = (function_name or "").rpartition(":function:")[2]
    return [mapping for mapping in mappings if not wanted or mapping.function_arn.rpartition(":function:")[2] == wanted]
