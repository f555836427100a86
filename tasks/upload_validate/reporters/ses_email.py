"""The e-mail that says what is wrong with a set, through Amazon SES.

It carries the id of the outcome that it is about: the same e-mail, sent twice by whatever chance, has the same. As its
`Message-ID` it gets no further than SES, which sets its own ("Amazon SES header fields", Amazon SES Developer Guide); a
server that only speaks SES's API may keep it. SES leaves `References`, by which mail readers put the two together, and
`X-Bucket-Brigade-Outcome`, which a filter can look for.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProxyConnectionError,
)

from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.upload_validate.reporters.in_time import in_time
from tasks.upload_validate.reporters.tls import failed_in_handshake
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

LOGGER = logging.getLogger("bucket_brigade")

# No connection came about, so nothing was sent.
UNSENT = (ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ProxyConnectionError)
# "Common errors", Amazon SES API Reference: 500 (InternalFailure) is "the request processing has failed", 503
# (ServiceUnavailable) "the request has failed due to a temporary failure". Others, such as 502 and 504, come from what
# stands between: SES may have sent the e-mail.
UNDONE = (500, 503)
PATIENCE_CODES = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable"})

# Seconds at most to connect and to wait for the answer.
TIMEOUT = (5, 60)
OUTCOME_HEADER = "X-Bucket-Brigade-Outcome"


@dataclass(frozen=True)
class SesEmail:
    """Sends e-mails to one address.

    Attributes:
        ses: takes the time-outs to connect and to read in seconds, and returns a boto3 SES client that makes each call
            once.
        sender: the address that it comes from, verified in SES.
        recipient: the address that it goes to, or "": then what would be sent is logged.
        policy: how often and how patiently.
        deadline: no call lasts longer, and no wait is begun that would end after it.
    """

    ses: Callable[[float, float], Any]
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
            DeadlineException: it was not sent, because the call could not have ended in time.
        """
        if not self.recipient:
            LOGGER.info("would send an e-mail", extra={"subject": mail.subject, "text": mail.text})
            return ""
        return self.policy.run(lambda: self._send(mail), deadline=self.deadline)[0]

    def _send(self, mail):
        raw = self._message(mail).as_bytes()
        try:
            answer = in_time(
                self.deadline,
                lambda *left: self.ses(*map(min, TIMEOUT, left)).send_raw_email(
                    Source=self.sender, Destinations=[self.recipient], RawMessage={"Data": raw}
                ),
            )
        except ClientError as error:
            raise _of_answer(error) from error
        except UNSENT as error:
            raise ServiceFailedError(f"SES: {error}") from error
        except (BotoCoreError, TimeoutError) as error:
            kind = ServiceFailedError if failed_in_handshake(error) else AnswerLostError
            raise kind(f"SES: {str(error) or type(error).__name__}") from error
        return answer["MessageId"]

    def _message(self, mail):
        # Not `EmailMessage`, which loses spaces where it folds a header that is not ASCII. In base64 every text is fit
        # for every server on the way.
        message = MIMEMultipart("alternative", _subparts=(_part(mail.text, "plain"), _part(mail.html, "html")))
        message["From"], message["To"] = self.sender, self.recipient
        message["Subject"] = Header(mail.subject, header_name="Subject")
        # Half of a SHA-256 is more than enough, and a line of a header should have 78 characters at most. RFC 2606
        # keeps `.invalid` free, so that no other sender has such an id.
        message["Message-ID"] = message["References"] = f"<{mail.outcome[:32]}@bucket-brigade.invalid>"
        message[OUTCOME_HEADER] = mail.outcome[:32]
        return message


def _part(text, kind):
    # Half a surrogate pair, which a key may hold, has no encoding.
    return MIMEText(text.encode("utf-8", "replace").decode("utf-8"), kind, "utf-8")


def _of_answer(error):
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response.get("Error", {}).get("Code", "")
    if status in UNDONE or code in PATIENCE_CODES:
        return ServiceFailedError(f"SES: {error}")
    return (AnswerLostError if status >= 500 else RefusedError)(f"SES: {error}")
