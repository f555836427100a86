"""One request to S3, with its failure translated into this project's errors.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from tasks.object_clerk.errors import (
    BucketNotFoundException,
    ConditionNotSupportedException,
    CredentialsExpiredException,
    KeyNotFoundException,
    NotBegunException,
    ObjectArchivedException,
    ObjectChangedException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectClerkServerInternalException,
    ObjectVerificationException,
)
from tasks.object_clerk.pacer import Pacer
from tasks.object_clerk.transport.clients import OutOfTimeError
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

# The same request, made again, may well pass. KMS says so of a key by way of S3.
PASSING_CODES = frozenset(
    {
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "KMS.DependencyTimeoutException",
        "KMS.KMSInternalException",
        "KMS.ThrottlingException",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)
# What says that requests come too fast. The answer to a HEAD has no body, so all it says is its status.
THROTTLING_CODES = frozenset(
    {
        "429",
        "503",
        "KMS.ThrottlingException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)
# botocore raises these while it opens a connection: the request never left.
NOT_SENT = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "SSLError"})
# By these a server does not say that it refused: something behind it may have done the work, or may do it yet.
UNCLEAR_CODES = frozenset({"InternalError", "ServiceUnavailable"})
# The server saw other bytes than we sent: they were damaged on the way.
DAMAGED_CODES = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
CHANGED_CODES = frozenset({"PreconditionFailed"})
NO_BUCKET_CODES = frozenset({"NoSuchBucket"})
NOT_FOUND_CODES = frozenset({"NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NotFound"})
# "400" is the answer to a HEAD, which has no body to say why: a KMS key that is disabled, a token that has run out.
AUTH_CODES = frozenset(
    {
        "400",
        "AccessDenied",
        "AccountProblem",
        "AllAccessDisabled",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
    }
)
# Any other of KMS's: the key is disabled, being deleted, not there, or not for us.
KMS_PREFIX = "KMS."
EXPIRED_CODES = frozenset({"ExpiredToken"})
ARCHIVED_CODES = frozenset({"InvalidObjectState", "ObjectNotInActiveTierError"})
NOT_IMPLEMENTED_CODES = frozenset({"NotImplemented"})
# What was asked is wrong, whatever the status says.
WRONG_CODES = frozenset(
    {
        "EntityTooLarge",
        "EntityTooSmall",
        "InvalidArgument",
        "InvalidPart",
        "InvalidPartOrder",
        "InvalidRange",
        "InvalidRequest",
        "InvalidStorageClass",
        "InvalidTag",
        "KeyTooLongError",
        "MalformedXML",
        "MetadataTooLarge",
        "MethodNotAllowed",
        "RequestHeaderSectionTooLarge",
    }
)

# The code decides. CopyObject, UploadPartCopy and CompleteMultipartUpload may answer 200 and have the error inside;
# botocore then shows status 500, whatever the code: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
BY_CODE = (
    (PASSING_CODES, ObjectClerkServerInternalException),
    (DAMAGED_CODES, ObjectVerificationException),
    (CHANGED_CODES, ObjectChangedException),
    (ARCHIVED_CODES, ObjectArchivedException),
    (NO_BUCKET_CODES, BucketNotFoundException),
    (NOT_FOUND_CODES, KeyNotFoundException),
    (AUTH_CODES, ObjectClerkServerAuthException),
    (EXPIRED_CODES, CredentialsExpiredException),
    (NOT_IMPLEMENTED_CODES, ConditionNotSupportedException),
    (WRONG_CODES, ObjectClerkException),
)
# For codes that are none of these: the answer to a HEAD has no other code than its status.
BY_STATUS = {
    401: ObjectClerkServerAuthException,
    403: ObjectClerkServerAuthException,
    404: KeyNotFoundException,
    408: ObjectClerkServerInternalException,
    409: ObjectClerkServerInternalException,
    412: ObjectChangedException,
    429: ObjectClerkServerInternalException,
    501: ConditionNotSupportedException,
}
CONNECTION_ERRORS = (BotoConnectionError, HTTPClientError, IncompleteReadError, HTTPError, OSError)
# What reading the body of an answer may raise.
BODY_ERRORS = (BotoCoreError, HTTPError, OSError)


# What every answer of S3 has and the work here rests on.
OBJECT_MEMBERS = ("ETag", "ContentLength")
NEEDED = {
    "head_object": OBJECT_MEMBERS,
    "get_object": OBJECT_MEMBERS,
    "put_object": ("ETag",),
    "upload_part": ("ETag",),
    "create_multipart_upload": ("UploadId",),
    "complete_multipart_upload": ("ETag",),
}
# What botocore raises, besides its own errors, where an answer has another form than S3's: a length that is no number,
# a code that is an element, elements within elements without end.
UNREADABLE = (ValueError, TypeError, RecursionError)
# Characters of what a server says went wrong; S3's own sentences have a few hundred.
CODE_LIMIT, MESSAGE_LIMIT = 100, 2_000


# Seconds. S3 sends white space while a large copy runs, so a minute of silence is a lost connection.
READ_TIMEOUT = 60


def client_config(**overrides):
    """Returns the botocore configuration that every S3 client of this project is made with.

    Retries are counted in one place, by `RetryPolicy`, so botocore makes each request once.
    """
    # 3 s: a host that does not take a connection by then is down; it is less than what a deadline keeps back.
    settings = {"connect_timeout": 3, "read_timeout": READ_TIMEOUT, "retries": {"total_max_attempts": 1}}
    return Config(**{**settings, **overrides})


# Bytes that were damaged three times running are damaged by the way they take, or where they lie: no patience patches
# that, not even that of a policy which tries for ever.
SOUND_TRIES = 3


@dataclass
class S3Requests:
    """A boto3 S3 client whose requests are retried by type, within a deadline.

    Attributes:
        client: a boto3 S3 client, made with `client_config()` so that botocore does not retry as well.
        policy: how often and how patiently.
        deadline: no request is begun after it, and no retry whose wait would end after it; see `deadline`.
        retries: how many requests had to be repeated so far; one `S3Requests` serves one piece of work.
        pacer: slows down where the server asks for it; shared by all that speak to one server.
        unanswered: the operation of each attempt whose answer was lost, as `ObjectClerkException.answer_lost` says;
            also of those whose repetition passed.
    """

    client: Any
    policy: RetryPolicy = RetryPolicy()
    deadline: Deadline = Deadline()
    retries: int = 0
    pacer: Pacer = field(default_factory=Pacer)
    unanswered: list = field(default_factory=list)

    def __call__(self, operation, *, source=None, destination=None, **parameters):
        """Makes one request, as `request` does, again and again until it passes or the policy gives up."""
        return self.run(lambda: request(self.client, operation, source=source, destination=destination, **parameters))

    def closing(self):
        """Returns what makes requests that end the work, such as an abort: `Deadline.closing` is their deadline."""
        return replace(self, deadline=self.deadline.closing())

    def run(self, call):
        """Calls `call()`, which makes a request and may read its answer, until it passes or the policy gives up."""
        damaged = 0

        def attempt():
            nonlocal damaged
            try:
                return self._paced(call)
            except ObjectVerificationException as error:
                damaged += 1
                error.retryable = damaged < SOUND_TRIES
                raise

        answer, attempts = self.policy.run(attempt, deadline=self.deadline)
        self.retries += attempts - 1
        return answer

    def _paced(self, call):
        moment = self.pacer.wait(self.deadline)
        if moment is None:
            reason = "requests are throttled, and no time is left to wait"
            raise ObjectClerkServerInternalException(reason, code="SlowDown")
        try:
            answer = self.deadline.limit(call)
        except ObjectClerkException as error:
            if error.code in THROTTLING_CODES:
                self.pacer.throttled(moment)
            if error.answer_lost:
                self.unanswered.append(error.operation)
            raise
        self.pacer.passed()
        return answer

    def until_sound(self, call):
        """Calls `call()`, whose own requests are retried already, again where its bytes turned out to be damaged."""
        tries = min(self.policy.tries, SOUND_TRIES) if self.policy.tries > 0 else SOUND_TRIES
        for attempt in range(1, tries):
            try:
                return call()
            except ObjectVerificationException:
                wait = self.policy.wait(attempt)
                if wait >= self.deadline.remaining():
                    raise
                self.retries += 1
                time.sleep(wait)
        try:
            return call()
        except ObjectVerificationException as error:
            error.attempts = tries
            raise


def head(requests, address):
    """Returns the HEAD answer of an object, checksums included, or None where there is no such object."""
    try:
        return requests("head_object", source=address, ChecksumMode="ENABLED", **address.parameters)
    except KeyNotFoundException:
        return None


def request(client, operation, *, source=None, destination=None, **parameters):
    """Calls one method of a boto3 S3 client, once.

    Args:
        client: a boto3 S3 client.
        operation: the name of the client's method, e.g. `copy_object`.
        source: the address read from, for the error's text.
        destination: the address written to, for the error's text.
        **parameters: what the method takes; None means that a parameter is left out.

    Returns:
        boto3's answer.

    Raises:
        ObjectClerkException: of the type that fits, with operation, source and destination in its text.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    call, places = getattr(client, operation), {"operation": operation, "source": source, "destination": destination}
    try:
        answer = call(**given)
    except (ClientError, BotoCoreError) as error:
        raise translated(error, **places) from error
    except UNREADABLE as error:
        raise _unreadable(f"the answer cannot be read: {error}", places) from error
    lacking = [name for name in NEEDED.get(operation, ()) if answer.get(name) is None]
    if lacking or answer.get("ContentLength", 0) < 0:
        if operation == "get_object":
            answer["Body"].close()
        raise _unreadable(f"the answer has no {' and no '.join(lacking or ['length'])}", places)
    return answer


def translated(error, *, operation, source=None, destination=None):
    """Returns this project's error for one of botocore's."""
    places = {"operation": operation, "source": source, "destination": destination}
    if isinstance(error, ClientError):
        return _from_answer(error, places)
    by_type = (
        (OutOfTimeError, NotBegunException),
        (CONNECTION_ERRORS, ObjectClerkServerInternalException),
        (FlexibleChecksumError, ObjectVerificationException),
        ((NoCredentialsError, PartialCredentialsError), ObjectClerkServerAuthException),
    )
    kind = next((kind for types, kind in by_type if isinstance(error, types)), ObjectClerkException)
    made = kind(str(error), code=type(error).__name__, **places)
    made.answer_lost = made.code not in NOT_SENT and isinstance(error, (*CONNECTION_ERRORS, ResponseParserError))
    return made


def _unreadable(reason, places):
    made = ObjectClerkServerInternalException(reason, code="UnreadableAnswer", **places)
    made.answer_lost = True
    return made


def _from_answer(error, places):
    code = _said(error, "Code")[:CODE_LIMIT]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = _said(error, "Message")[:MESSAGE_LIMIT] or "no message"
    made = _kind(code, status)(f"{code} {message}", code=code, **places)
    # CompleteMultipartUpload may answer 200 and have such a code inside.
    is_unknown = status >= 500 and code not in PASSING_CODES and made.retryable
    made.answer_lost = is_unknown or code in UNCLEAR_CODES
    return made


def _said(error, name):
    """Returns a text of an error's answer, "" where it has none."""
    value = error.response.get("Error", {}).get(name)
    return value if isinstance(value, str) else ""


def _kind(code, status):
    for codes, kind in BY_CODE:
        if code in codes:
            return kind
    if code.startswith(KMS_PREFIX):
        return ObjectClerkServerAuthException
    if status in BY_STATUS:
        return BY_STATUS[status]
    return ObjectClerkServerInternalException if status >= 500 else ObjectClerkException
