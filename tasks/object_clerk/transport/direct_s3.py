"""An S3 client that sends HeadObject, GetObject, PutObject and UploadPart directly."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import SSLError

from tasks.object_clerk.transport.direct import DirectClient
from tasks.object_clerk.transport.operations import Operation, quoted
from tasks.object_clerk.transport.signing import S3Signer

if TYPE_CHECKING:
    from botocore.credentials import Credentials

    from tasks.object_clerk.transport.responses import Answer

OPERATIONS = {
    "head_object": "HeadObject",
    "get_object": "GetObject",
    "put_object": "PutObject",
    "upload_part": "UploadPart",
}
# Names that are neither ARNs nor of S3 Express, whose requests are signed in other ways.
PLAIN_BUCKET = re.compile(r"(?!.*--x-s3$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Answers after which botocore goes to the bucket's region. The answer to a HEAD has no body, so its only code is 400.
REDIRECTS = frozenset({301, 302, 307})
OTHER_REGION = frozenset({"400", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})


@dataclass(frozen=True)
class _Place:
    """A bucket's place: the URL in front of its keys, and the region that its requests are signed for."""

    url: str
    region: str


class DirectS3(DirectClient):
    """An S3 client whose most common requests for single objects go directly.

    `get_object` does not compare the bytes with the object's checksums. Its caller does that.
    """

    def __init__(self, client: Any, credentials: Credentials | None, ca_bundle: str | None = None) -> None:
        super().__init__(client, credentials, ca_bundle)
        self._places: dict[str, _Place] = {}
        # The requests that botocore sends in this thread while `_send_via_botocore` waits for it.
        self._seen = threading.local()
        client.meta.events.register(f"before-send.{self._service}", self._note)
        model = self._model.operation_model
        self._operations = {method: Operation(method, model(name)) for method, name in OPERATIONS.items()}

    @staticmethod
    def is_suitable(client: Any) -> bool:
        """Return whether direct requests follow the configuration of a client.

        They have one signature, no certificate of the client, and leave all attempts but the first to their caller.
        """
        config = client.meta.config
        attempts = (config.retries or {}).get("total_max_attempts")
        is_plain = not (config.client_cert or config.tcp_keepalive)
        return is_plain and attempts == 1 and config.signature_version == "s3v4"

    def head_object(self, **given: Any) -> dict[str, Any]:
        """Send HeadObject, as boto3's method of that name."""
        return self._request("head_object", given)

    def get_object(self, **given: Any) -> dict[str, Any]:
        """Send GetObject, as boto3's method of that name."""
        return self._request("get_object", given)

    def put_object(self, **given: Any) -> dict[str, Any]:
        """Send PutObject, as boto3's method of that name."""
        return self._request("put_object", given)

    def upload_part(self, **given: Any) -> dict[str, Any]:
        """Send UploadPart, as boto3's method of that name."""
        return self._request("upload_part", given)

    # Before the first part comes one of these two, which shows the bucket's place. So every part goes directly:
    # botocore would not end a part by the deadline, and a part takes long.

    def create_multipart_upload(self, **given: Any) -> dict[str, Any]:
        """Send CreateMultipartUpload, as boto3's method of that name."""
        return self._send_via_botocore("create_multipart_upload", given)

    def list_parts(self, **given: Any) -> dict[str, Any]:
        """Send ListParts, as boto3's method of that name."""
        return self._send_via_botocore("list_parts", given)

    def _request(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        operation = self._operations[method]
        context: dict[str, Any] = {}
        about = {"model": operation.model, "context": context}
        given = self._emit("provide-client-params", operation.name, params=given, **about) or given
        if not operation.takes(given):
            answer: dict[str, Any] = getattr(self._client, method)(**given)
            return answer
        place = self._places.get(given["Bucket"])
        found = self._ask(operation, operation.request(place.url, given, context), place.region) if place else None
        return self._send_via_botocore(method, given) if found is None else found

    def _ask(self, operation: Operation, params: dict[str, Any], region: str) -> dict[str, Any] | None:
        """Return S3's answer, or None if botocore has to send the request."""
        about = {"model": operation.model, "context": params["context"]}
        answered = self._emit("before-call", operation.name, params=params, request_signer=None, **about)
        try:
            answer, parsed = answered or self._send(operation, params, region)
        except SSLError:
            # botocore may trust more certificates: it also reads REQUESTS_CA_BUNDLE.
            return None
        if answer.status_code in REDIRECTS or parsed.get("Error", {}).get("Code") in OTHER_REGION:
            return None
        self._emit("after-call", operation.name, http_response=answer, parsed=parsed, **about)
        if answer.status_code >= 300:
            raise self._exception(operation.name, parsed)
        return parsed

    def _send(self, operation: Operation, params: dict[str, Any], region: str) -> tuple[Answer, dict[str, Any]]:
        answer = self._exchange(operation.name, params, S3Signer, region)
        try:
            is_success = answer.status_code < 300
            return answer, operation.parsed(answer) if is_success else self._error(operation.name, answer)
        except BaseException:
            answer.close()
            raise

    def _send_via_botocore(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        """Send a request via botocore, and cache the place that it resolved: host or path, partition, FIPS, region."""
        self._seen.requests = []
        try:
            answer: dict[str, Any] = getattr(self._client, method)(**given)
            return answer
        finally:
            # The request goes when this is over, because it holds its body.
            requests = self._seen.__dict__.pop("requests", [])
            if requests and PLAIN_BUCKET.fullmatch(given["Bucket"]):
                self._keep(given["Bucket"], quoted(given["Key"]), requests[-1])

    def _keep(self, bucket: str, key: str, request: Any) -> None:
        url = request.url.partition("?")[0]
        if url.endswith(f"/{key}") and not self._is_behind_proxy(url):
            region = request.context.get("signing", {}).get("region") or self._client.meta.region_name
            self._places[bucket] = _Place(url.removesuffix(key), region)

    def _note(self, request: Any, **_: object) -> None:
        getattr(self._seen, "requests", []).append(request)
