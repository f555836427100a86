"""The webhook that receives the report as JSON.

The path or the query of a webhook's address is often a key, so messages show only its scheme and host.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.upload_validate.addresses import fault_of
from tasks.upload_validate.api_keys import Key
from tasks.upload_validate.errors import KeyUnavailableError
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.http_exchange import shown

LOGGER = logging.getLogger("bucket_brigade")


@dataclass(frozen=True)
class Webhook:
    """Posts reports to one address.

    Attributes:
        http: an `HttpClient`.
        url: the address, or a `Key` that holds it.
        key: a `Key`, or None: then the report is logged instead.
    """

    http: HttpClient
    url: str | Key = field(repr=False)
    key: Key | None

    def post(self, report: Mapping[str, Any]) -> int:
        """Post a report, and return the status of the response; 0 if it is only logged.

        Raises:
            ReporterError: the report was not posted, or may have been.
            KeyUnavailableError: the entry of the key or of the address cannot be read, or holds no usable one.
        """
        url = self._address()
        if self.key is None:
            LOGGER.info("would call the webhook", extra={"url": shown(url), "report": report})
            return 0
        # The receiver can recognise a repeated report by it, for example after a 503.
        headers = {"Idempotency-Key": report["digest"]}
        # Only the status counts. A slow or broken body does not turn a successful call into a failed one.
        response = self.http.send("POST", url, json=report, headers=headers, key=self.key, with_body=False)
        return response.status

    def _address(self) -> str:
        url = self.url if isinstance(self.url, str) else self.url.value()
        fault = fault_of(url)
        if fault:
            raise KeyUnavailableError(f"the address of the webhook {fault}")
        self.http.secrets.add_address(url)
        return url
