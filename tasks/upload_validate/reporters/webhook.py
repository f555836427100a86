"""The webhook that gets the report as JSON.

Many webhooks have their key in the path or the query of their address, so only its scheme and host are ever shown.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

from tasks.upload_validate.reporters.answer import shown
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
    url: str = field(repr=False)
    key: Any

    def __post_init__(self):
        self.http.secrets.add_address(self.url)

    def tell(self, report):
        """Posts a report, and returns the status of the answer; 0 where it is only logged."""
        if self.key is None:
            LOGGER.info("would call the webhook", extra={"url": shown(self.url), "report": report})
            return 0
        # For a receiver that wants to know whether it has heard this before, a retry after a 503 for one.
        headers = {"Idempotency-Key": report["digest"]}
        # The status says all: whatever body follows it can neither fail nor hold up a call that was taken.
        answer = self.http.send(
            "POST", self.url, json=report, headers=headers, key=self.key, with_body=False
        )
        return answer.status_code
