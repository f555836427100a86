"""The e-mail that lists the errors of a set, sent through Amazon SES.

Each e-mail carries the id of its outcome, so a repeated one has the same id. SES replaces `Message-ID` by its own
("Amazon SES header fields", Amazon SES Developer Guide); another server with SES's API may keep it. SES keeps
`References`, by which mail readers group the two, and `X-Bucket-Brigade-Outcome`, which a filter can search for.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProxyConnectionError,
)

from tasks.upload_validate.errors import AnswerLostError, RefusedError, ReporterError, ServiceFailedError
from tasks.upload_validate.messages import Mail
from tasks.upload_validate.reporters.http import failed_in_handshake, run_within
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

if TYPE_CHECKING:
    from mypy_boto3_ses import SESClient

LOGGER = logging.getLogger("bucket_brigade")

# Errors before a connection was made, so that nothing was sent.
UNSENT = (ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ProxyConnectionError)
# "Common errors", Amazon SES API Reference: 500 (InternalFailure) is "the request processing has failed", 503
# (ServiceUnavailable) "the request has failed due to a temporary failure". Others, such as 502 and 504, come from a
# gateway: SES may have sent the e-mail.
UNDONE = (500, 503)
PATIENCE_CODES = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable"})

# Seconds to connect, and to wait for the response.
TIMEOUT = (5, 60)
OUTCOME_HEADER = "X-Bucket-Brigade-Outcome"


@dataclass(frozen=True)
class SesMail:
    """Sends e-mails to one address.

    Attributes:
        ses: takes the time-outs to connect and to read in seconds, and returns a boto3 SES client that makes each call
            once.
        sender: the sender's address, verified in SES.
        recipient: the recipient's address, or "": then the e-mail is logged instead.
        policy: how often and how patiently a call is repeated.
        deadline: no call lasts longer, and no wait is begun that would end after it.
    """

    ses: Callable[[float, float], "SESClient"]
    sender: str
    recipient: str
    policy: RetryPolicy = RetryPolicy(tries=4, delay=1.0, jitter=(0.0, 1.0), max_delay=20.0)
    deadline: Deadline = Deadline()

    def send(self, mail: Mail) -> str:
        """Send an e-mail, and return SES's id of it; "" if it is only logged.

        Raises:
            ServiceFailedError: SES did not accept it, after all tries.
            RefusedError: SES refused it.
            AnswerLostError: it may have been sent.
            DeadlineException: it was not sent, because the call could not have ended in time.
        """
        if not self.recipient:
            LOGGER.info("would send an e-mail", extra={"subject": mail.subject, "text": mail.text})
            return ""
        message_id: str = self.policy.run(lambda: self._send(mail), deadline=self.deadline)[0]
        return message_id

    def _send(self, mail: Mail) -> str:
        raw = self._message(mail).as_bytes()

        def call(connect: float, read: float) -> str:
            ses = self.ses(min(TIMEOUT[0], connect), min(TIMEOUT[1], read))
            answer = ses.send_raw_email(Source=self.sender, Destinations=[self.recipient], RawMessage={"Data": raw})
            return answer["MessageId"]

        try:
            return run_within(self.deadline, call)
        except ClientError as error:
            raise _of_answer(error) from error
        except UNSENT as error:
            raise ServiceFailedError(f"SES: {error}") from error
        except (BotoCoreError, TimeoutError) as error:
            kind = ServiceFailedError if failed_in_handshake(error) else AnswerLostError
            raise kind(f"SES: {str(error) or type(error).__name__}") from error

    def _message(self, mail: Mail) -> MIMEMultipart:
        # `EmailMessage` loses spaces when it folds a header that is not ASCII. Every server on the way takes base64.
        message = MIMEMultipart("alternative", _subparts=(_part(mail.text, "plain"), _part(mail.html, "html")))
        message["From"], message["To"] = self.sender, self.recipient
        # `MIMEMultipart` takes a `Header` as the value of a header, though typeshed does not say so.
        subject: Any = Header(mail.subject, header_name="Subject")
        message["Subject"] = subject
        # Half of a SHA-256 is unique enough, and a line of a header should have 78 characters at most. RFC 2606
        # reserves `.invalid`, so no other sender has such an id.
        message["Message-ID"] = message["References"] = f"<{mail.outcome[:32]}@bucket-brigade.invalid>"
        message[OUTCOME_HEADER] = mail.outcome[:32]
        return message


def _part(text: str, kind: str) -> MIMEText:
    # A key may contain half a surrogate pair, which has no encoding.
    return MIMEText(text.encode("utf-8", "replace").decode("utf-8"), kind, "utf-8")


def _of_answer(error: ClientError) -> ReporterError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response.get("Error", {}).get("Code", "")
    if status in UNDONE or code in PATIENCE_CODES:
        return ServiceFailedError(f"SES: {error}")
    return (AnswerLostError if status >= 500 else RefusedError)(f"SES: {error}")
