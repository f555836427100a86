"""The compiled part of awslambdaric in Python, for systems other than Linux, where pip leaves that part out.

awslambdaric imports it as `runtime_client`. A sandbox can import neither this package nor its dependencies.

See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import os
from collections.abc import Mapping
from http.client import HTTPConnection

_INVOCATION = "/2018-06-01/runtime/invocation"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"


def initialize_client(_user_agent: str) -> None:
    """Accept the name of the client, which the Runtime API of a sandbox does not read."""


def next() -> tuple[bytes, dict[str, str | int]]:  # pylint: disable=redefined-builtin  # the name that awslambdaric calls
    """Wait for the next invocation, and return its event and its headers."""
    event, headers = _call("GET", "/next")
    return event, {**headers, _DEADLINE: int(headers[_DEADLINE])}


def post_invocation_result(invoke_id: str, answer: bytes, content_type: str, _invocation_id: str | None = None) -> None:
    """Post the answer of an invocation."""
    _call("POST", f"/{invoke_id}/response", answer, {"Content-Type": content_type})


def post_error(invoke_id: str, error: str, _xray_fault: str, _invocation_id: str | None = None) -> None:
    """Post the error of an invocation, as JSON."""
    _call("POST", f"/{invoke_id}/error", error.encode(), {"Content-Type": "application/json"})


def _call(
    method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[bytes, dict[str, str]]:
    # Without a time-out, because the next invocation may come late. A sandbox ends with its service.
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        connection.request(method, _INVOCATION + path, body, dict(headers or {}))
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status >= 300:
        raise RuntimeError(f"The Runtime API answered {response.status} to {method} {path}.")
    return answer, dict(response.getheaders())
