"""Every S3 request: one at a time, and with an error where one is on order."""

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
def answer_object_requests_one_by_one(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """A request on an object is atomic: nothing changes between the look at its conditions and the write.

    Moto looks and writes without a lock, so that two conditional writes may both win.
    """
    with REQUEST_LOCK:
        return _answered(original, response, request, full_url)


@patch(S3Response, "_bucket_response")
def answer_bucket_requests_one_by_one(original: Any, response: Any, request: Any, full_url: str) -> Any:
    """A request on a bucket is atomic; moto changes and lists objects without a lock."""
    with REQUEST_LOCK:
        return _answered(original, response, request, full_url)


@patch(RegexConverter, "__init__")
def accept_newlines_in_paths(original: Any, converter: Any, url_map: Any, *items: Any) -> None:
    """A key may hold a newline; moto's server answers 404 to its path."""
    original(converter, url_map, *items)
    converter.regex = f"(?s:{converter.regex})"


def operation_name(request: Request) -> str:
    """Name the operation of a request as botocore does; "" when it is none of S3's."""
    try:
        return get_service_router("s3").match(request)[0].name
    except NotFound:
        return ""


def _answered(original: Any, response: Any, request: Request, full_url: str) -> Any:
    """Do what is asked; where an error is on order for it, give that instead."""
    bucket, key = response.bucket_name or "", response.parse_key_name()
    fault = HOOKS.faults.take(operation_name(request), bucket, key)
    if fault is None:
        return original(response, request, full_url)
    if fault.done:
        original(response, request, full_url)
    return refusal(request.method, fault.status, fault.code, fault.message)
