"""Requests as botocore's signer takes them, and that signer without its repeated work."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.auth import SIGNED_HEADERS_BLACKLIST, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders

from tasks.object_clerk.transport.connections import host, split


@dataclass(frozen=True)
class Unsigned:
    """A request before it is signed. botocore's own class has headers that parse each value as an e-mail header.

    Attributes:
        method: the HTTP method.
        url: the URL with its query.
        headers: name -> value; the signer adds its own.
        body: the bytes to send, or None.
        context: what the signer goes by.
        params: None: the query is in the URL.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: memoryview | bytes | None
    context: dict[str, Any]
    params: None = None

    def prepared(self) -> AWSPreparedRequest:
        """Return the request as botocore's handlers take it."""
        # A value that is not ASCII is sent as UTF-8.
        headers: dict[str, str | bytes] = {
            name: value if value.isascii() else value.encode() for name, value in self.headers.items()
        }
        if self.method not in ("GET", "HEAD"):
            headers["Content-Length"] = str(len(self.body or b""))
        fields: Any = HTTPHeaders.from_dict(headers)
        body: Any = self.body
        return AWSPreparedRequest(self.method, self.url, fields, body, False)


class _HeadersToSign(dict[str, list[str]]):
    """Lower-case name -> values, in the form that botocore's signer reads."""

    get_all = dict.__getitem__


class Signer(SigV4Auth):
    """botocore's signer, which would collect the signed headers twice, and derive the day's key for each request."""

    # Set by botocore's constructor, and missing in its stubs.
    _region_name: str
    _service_name: str

    def headers_to_sign(self, request: Any) -> Any:
        """Return the headers that the signature covers."""
        known = request.context.get("headers_to_sign")
        if known is None:
            origin, _ = split(request.url)
            known = request.context["headers_to_sign"] = _HeadersToSign(host=[host(origin)])
            for name, value in request.headers.items():
                if name.lower() not in SIGNED_HEADERS_BLACKLIST:
                    known.setdefault(name.lower(), []).append(value)
        return known

    def signature(self, string_to_sign: str, request: Any) -> str:
        """Return the signature as hexadecimal digits."""
        day = request.context["timestamp"][:8]
        key = _signing_key(self.credentials.secret_key, day, self._region_name, self._service_name)
        return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


class S3Signer(Signer, S3SigV4Auth):
    """The signer of requests to S3."""


@lru_cache(maxsize=8)
def _signing_key(secret: str, *scope: str) -> bytes:
    """Return the key for a day, a region and a service.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
