"""Every S3 request: one at a time, with injected errors."""

import threading
from typing import Any

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.moto_server.utilities import RegexConverter
from moto.s3.responses import S3Response
from werkzeug.exceptions import NotFound

from local.patches.hooks import HOOKS
from local.patches.patching import patch
from local.patches.s3_errors import refusal

# One lock for all of S3: a copy touches two buckets, and requests are short.
REQUEST_LOCK = threading.RLock()


@patch(S3Response, "_key_response")
def serialize_object_requests(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """A request on an object is atomic: nothing changes between the check of its conditions and the write.

    Moto checks and writes without a lock, so that two conditional writes may both succeed.
    """
    with REQUEST_LOCK:
        return _answer(original, response, request, full_url)


@patch(S3Response, "_bucket_response")
def serialize_bucket_requests(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """A request on a bucket is atomic; moto changes and lists objects without a lock."""
    with REQUEST_LOCK:
        return _answer(original, response, request, full_url)


@patch(RegexConverter, "__init__")
def accept_newlines_in_paths(original: Any, converter: Any, url_map: Any, *items: Any) -> None:
    """A key may contain a newline; moto's server answers 404 to its path."""
    original(converter, url_map, *items)
    converter.regex = f"(?s:{converter.regex})"


def operation_name(request: Request) -> str:
    """Return the operation of a request as botocore names it; "" if S3 has none for it."""
    try:
        return str(get_service_router("s3").match(request)[0].name)
    except NotFound:
        return ""


def _answer(original: Any, response: Any, request: Request, full_url: str) -> Any:
    """Answer a request, or fail with the error that is injected for it."""
    bucket, key = response.bucket_name or "", response.parse_key_name()
    fault = HOOKS.faults.take(operation_name(request), bucket, key)
    if fault is None:
        return original(response, request, full_url)
    if fault.done:
        original(response, request, full_url)
    return refusal(request.method, fault.answer.status, fault.answer.code, fault.answer.message)
