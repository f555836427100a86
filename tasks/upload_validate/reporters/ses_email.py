"""The e-mail that says what is wrong with a set, through Amazon SES."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

LOGGER = logging.getLogger("bucket_brigade")

# No connection came about, so nothing was sent.
UNSENT = (ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ProxyConnectionError, SSLError)
PATIENCE_CODES = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable"})


@dataclass(frozen=True)
class SesEmail:
    """Sends e-mails to one address.

    Attributes:
        ses: returns a boto3 SES client that makes each call once.
        sender: the address that it comes from, verified in SES.
        recipient: the address that it goes to, or "": then what would be sent is logged.
        policy: how often and how patiently.
        deadline: no wait is begun that would end after it.
    """

    ses: Callable[[], Any]
    sender: str
    recipient: str
    policy: RetryPolicy = RetryPolicy(tries=4, delay=1.0, jitter=(0.0, 1.0), max_delay=20.0)
    deadline: Deadline = Deadline()

    def tell(self, mail):
        """Sends a `Mail`, and returns SES's id of it; "" where it is only logged.

        Raises:
            ServiceFailedError: again and again it was not taken.
            RefusedError: it was refused.
            AnswerLostError: it may have been sent.
        """
        if not self.recipient:
            LOGGER.info("would send an e-mail", extra={"subject": mail.subject, "text": mail.text})
            return ""
        return self.policy.run(lambda: self._send(mail), deadline=self.deadline)[0]

    def _send(self, mail):
        try:
            answer = self.ses().send_email(
                Source=self.sender,
                Destination={"ToAddresses": [self.recipient]},
                Message={
                    "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                    "Body": {
                        "Text": {"Data": mail.text, "Charset": "UTF-8"},
                        "Html": {"Data": mail.html, "Charset": "UTF-8"},
                    },
                },
            )
        except ClientError as error:
            raise _of_answer(error) from error
        except UNSENT as error:
            raise ServiceFailedError(f"SES: {error}") from error
        except BotoCoreError as error:
            raise AnswerLostError(f"SES: {error}") from error
        return answer["MessageId"]


def _of_answer(error):
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response.get("Error", {}).get("Code", "")
    kind = ServiceFailedError if status >= 500 or code in PATIENCE_CODES else RefusedError
    return kind(f"SES: {error}")
