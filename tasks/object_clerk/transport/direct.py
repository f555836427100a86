"""What both direct clients have in common: signing, sending, and reading errors.

A request of a botocore client takes a millisecond of CPU, most of it for rules that have the same outcome each time:
the endpoint, the valid parameters, the handlers to call. A direct client builds the request from botocore's description
of the operation, signs it with botocore's signer and sends it over connections of botocore's kind, in little more than
a third of that time. botocore sends everything that is not plain: all other operations, requests to buckets that are
ARNs, through proxies, and after redirects to another region.

A direct request calls the client's handlers of `before-call`, `before-send` and `after-call`. A request to S3 also
calls those of `provide-client-params`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore
from botocore.exceptions import NoCredentialsError
from botocore.hooks import first_non_none_response
from botocore.httpsession import get_cert_path
from botocore.parsers import create_parser
from botocore.utils import get_environ_proxies

from tasks.object_clerk.transport.connections import Connections
from tasks.object_clerk.transport.operations import lowered
from tasks.object_clerk.transport.signing import Unsigned

if TYPE_CHECKING:
    from botocore.credentials import Credentials

    from tasks.object_clerk.transport.responses import Answer
    from tasks.object_clerk.transport.signing import Signer

AGENT = f"bucket-brigade botocore/{botocore.__version__}"


class DirectClient:
    """A botocore client, some of whose methods are replaced. All others are the client's own.

    Args:
        client: the client.
        credentials: the client's credentials, or None if there are none.
        ca_bundle: the path of a file of certificates to trust; botocore's by default.
    """

    def __init__(self, client: Any, credentials: Credentials | None, ca_bundle: str | None = None) -> None:
        self._client = client
        self._credentials = credentials
        self._connections = Connections(client.meta.config, ca_bundle or get_cert_path(True))
        self._model = client.meta.service_model
        self._service = self._model.service_id.hyphenize()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()
        self._client.close()

    def _exchange(self, operation: str, params: dict[str, Any], signer: type[Signer], region: str) -> Answer:
        """Sign and send a request."""
        headers = {**params["headers"], "User-Agent": AGENT}
        context = {**params["context"], "client_config": self._client.meta.config}
        request: Any = Unsigned(params["method"], params["url"], headers, params["body"], context)
        if self._credentials is None:
            raise NoCredentialsError()
        credentials = self._credentials.get_frozen_credentials()
        signer(credentials, self._model.signing_name, region).add_auth(request)
        prepared = request.prepared()
        return self._emit("before-send", operation, request=prepared) or self._connections.send(prepared)

    def _emit(self, event: str, operation: str, **about: Any) -> Any:
        """Call the client's handlers of an event; return the first answer that is not None."""
        return first_non_none_response(self._client.meta.events.emit(f"{event}.{self._service}.{operation}", **about))

    def _error(self, operation: str, answer: Answer) -> dict[str, Any]:
        """Return the answer of an error as botocore parses it."""
        said: Any = {"status_code": answer.status_code, "headers": lowered(answer.headers), "body": answer.content}
        parser = create_parser(self._model.resolved_protocol)
        parsed = parser.parse(said, self._model.operation_model(operation).output_shape)
        # The members of this kind of error, such as the item that failed a condition.
        shape = self._model.shape_for_error_code(parsed.get("Error", {}).get("Code", ""))
        return {**parsed, **(parser.parse(said, shape) if shape else {})}

    def _exception(self, operation: str, parsed: dict[str, Any]) -> Exception:
        error: Exception = self._client.exceptions.from_code(parsed["Error"].get("Code"))(parsed, operation)
        return error

    def _is_behind_proxy(self, url: str) -> bool:
        return bool(self._client.meta.config.proxies or get_environ_proxies(url))
