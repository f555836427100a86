"""A DynamoDB client that sends GetItem and PutItem directly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from tasks.object_clerk.transport.direct import DirectClient
from tasks.object_clerk.transport.signing import Signer

if TYPE_CHECKING:
    from botocore.credentials import Credentials

CONDITION_FAILED = "ConditionalCheckFailedException"


class DirectDynamoDB(DirectClient):
    """A DynamoDB client whose requests for single items go directly, and again via botocore if they fail.

    So the retries are botocore's, as the client's configuration has them. An attribute is a text, a number, a truth
    value or a collection of them. botocore sends items with binary attributes.
    """

    def __init__(self, client: Any, credentials: Credentials | None, ca_bundle: str | None = None) -> None:
        super().__init__(client, credentials, ca_bundle)
        self._url = f"{client.meta.endpoint_url}/"
        self._has_direct_way = not self._is_behind_proxy(self._url)

    def get_item(self, **given: Any) -> Any:
        """Send GetItem, as boto3's method of that name."""
        return self._request("GetItem", given) or self._client.get_item(**given)

    def put_item(self, **given: Any) -> Any:
        """Send PutItem, as boto3's method of that name."""
        return self._request("PutItem", given) or self._client.put_item(**given)

    def _request(self, operation: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """Return DynamoDB's answer, or None if botocore has to send the request."""
        if not self._has_direct_way:
            return None
        try:
            parsed = self._ask(operation, given)
        except (BotoCoreError, TypeError, ValueError):
            # A binary value, which JSON cannot hold, or an answer that is not JSON.
            return None
        code = parsed.get("Error", {}).get("Code")
        if code == CONDITION_FAILED:
            raise self._exception(operation, parsed)
        return None if code else parsed

    def _ask(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        about = self._model.metadata
        headers = {
            "Content-Type": f"application/x-amz-json-{about['jsonVersion']}",
            "X-Amz-Target": f"{about['targetPrefix']}.{operation}",
        }
        body = json.dumps(given).encode()
        params = {"method": "POST", "url": self._url, "headers": headers, "body": body, "context": {}}
        answer = self._exchange(operation, params, Signer, self._client.meta.region_name)
        if answer.status_code >= 300:
            return self._error(operation, answer)
        return {**json.loads(answer.content), "ResponseMetadata": {"HTTPStatusCode": answer.status_code}}
