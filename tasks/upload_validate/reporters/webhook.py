"""The webhook that gets the report as JSON.

Many webhooks have their key in the path or the query of their address, so only its scheme and host are ever shown.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

from tasks.upload_validate.addresses import fault_of
from tasks.upload_validate.errors import KeyUnavailableError
from tasks.upload_validate.reporters.answer import shown
from tasks.upload_validate.reporters.http import Http

LOGGER = logging.getLogger("bucket_brigade")


@dataclass(frozen=True)
class Webhook:
    """Calls one address.

    Attributes:
        http: an `Http`.
        url: the address, or a `Key` that holds it.
        key: a `Key`, or None: then what would be sent is logged.
    """

    http: Http
    url: Any = field(repr=False)
    key: Any

    def tell(self, report):
        """Posts a report, and returns the status of the answer; 0 where it is only logged.

        Raises:
            KeyUnavailableError: the entry of the key or of the address cannot be read, or holds none.
        """
        url = self._address()
        if self.key is None:
            LOGGER.info("would call the webhook", extra={"url": shown(url), "report": report})
            return 0
        # For a receiver that wants to know whether it has heard this before, a retry after a 503 for one.
        headers = {"Idempotency-Key": report["digest"]}
        # The status says all: a body that follows it can neither undo nor hold up a call that was taken.
        answer = self.http.send("POST", url, json=report, headers=headers, key=self.key, with_body=False)
        return answer.status_code

    def _address(self):
        url = self.url if isinstance(self.url, str) else self.url.value()
        fault = fault_of(url)
        if fault:
            raise KeyUnavailableError(f"the address of the webhook {fault}")
        self.http.secrets.add_address(url)
        return url
