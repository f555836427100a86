"""The webhook that gets the report as JSON."""

import logging
from dataclasses import dataclass
from typing import Any

from tasks.upload_validate.reporters.http import Http

LOGGER = logging.getLogger("bucket_brigade")


@dataclass(frozen=True)
class Webhook:
    """Calls one address.

    Attributes:
        http: an `Http`.
        url: the address.
        key: a `Key`, or None: then what would be sent is logged.
    """

    http: Http
    url: str
    key: Any

    def tell(self, report):
        """Posts a report, and returns the status of the answer; 0 where it is only logged."""
        if self.key is None:
            LOGGER.info("would call the webhook", extra={"url": self.url, "report": report})
            return 0
        # For a receiver that wants to know whether it has heard this before, a retry after a 503 for one.
        headers = {"Idempotency-Key": report["digest"]}
        return self.http.send("POST", self.url, json=report, headers=headers, key=self.key).status_code
