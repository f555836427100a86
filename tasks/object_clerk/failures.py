"""The failures of requests to S3, translated into this project's errors.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

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
from tasks.object_clerk.transport.clients import OutOfTimeError

if TYPE_CHECKING:
    from tasks.object_clerk.errors import Places

# The same request may pass when it is repeated. S3 passes KMS's codes on.
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
# Requests come too fast. The answer to a HEAD has no body, so its only code is its status.
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
# These do not say that the request was refused: a part of the server may have carried it out, or may yet do so.
UNCLEAR_CODES = frozenset({"InternalError", "ServiceUnavailable"})
# The server received other bytes than were sent: they were damaged on the way.
DAMAGED_CODES = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
CHANGED_CODES = frozenset({"PreconditionFailed"})
NO_BUCKET_CODES = frozenset({"NoSuchBucket"})
NOT_FOUND_CODES = frozenset({"NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NotFound"})
# "400" is the answer to a HEAD, whose body would say why: a disabled KMS key, an expired token.
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
# Any other code of KMS: the key is disabled, being deleted, missing, or not allowed.
KMS_PREFIX = "KMS."
EXPIRED_CODES = frozenset({"ExpiredToken"})
ARCHIVED_CODES = frozenset({"InvalidObjectState", "ObjectNotInActiveTierError"})
NOT_IMPLEMENTED_CODES = frozenset({"NotImplemented"})
# The request is wrong, whatever the status.
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

# The code decides. CopyObject, UploadPartCopy and CompleteMultipartUpload may answer 200 with an error in the body.
# botocore then shows status 500, whatever the code: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
BY_CODE: tuple[tuple[frozenset[str], type[ObjectClerkException]], ...] = (
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
# For all other codes: the answer to a HEAD has no other code than its status.
BY_STATUS: dict[int, type[ObjectClerkException]] = {
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
# The errors of reading the body of an answer.
BODY_ERRORS = (BotoCoreError, HTTPError, OSError)
# botocore raises these, besides its own errors, if an answer has another form than S3's: a length that is no number, a
# code that is an element, elements within elements without end.
UNREADABLE = (ValueError, TypeError, RecursionError)
# Characters that are kept of a server's error; S3's own sentences have a few hundred.
CODE_LIMIT, MESSAGE_LIMIT = 100, 2_000

BY_TYPE: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[ObjectClerkException]], ...] = (
    (OutOfTimeError, NotBegunException),
    (CONNECTION_ERRORS, ObjectClerkServerInternalException),
    (FlexibleChecksumError, ObjectVerificationException),
    ((NoCredentialsError, PartialCredentialsError), ObjectClerkServerAuthException),
)


def translated(error: Exception, **places: Unpack[Places]) -> ObjectClerkException:
    """Return this project's error for an error of botocore."""
    if isinstance(error, ClientError):
        return _from_answer(error, places)
    kind = next((kind for types, kind in BY_TYPE if isinstance(error, types)), ObjectClerkException)
    made = kind(str(error), code=type(error).__name__, **places)
    made.answer_lost = made.code not in NOT_SENT and isinstance(error, (*CONNECTION_ERRORS, ResponseParserError))
    return made


def unreadable(reason: str, places: Places) -> ObjectClerkException:
    """Return the error for an answer that has another form than S3's."""
    made = ObjectClerkServerInternalException(reason, code="UnreadableAnswer", **places)
    made.answer_lost = True
    return made


def _from_answer(error: ClientError, places: Places) -> ObjectClerkException:
    code = _text(error, "Code")[:CODE_LIMIT]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = _text(error, "Message")[:MESSAGE_LIMIT] or "no message"
    made = _kind(code, status)(f"{code} {message}", code=code, **places)
    # CompleteMultipartUpload may answer 200 with such a code in the body.
    is_unknown = status >= 500 and code not in PASSING_CODES and made.retryable
    made.answer_lost = is_unknown or code in UNCLEAR_CODES
    return made


def _text(error: ClientError, name: str) -> str:
    """Return a text of an error's answer, or "" if it has none."""
    value: object = error.response.get("Error", {}).get(name)
    return value if isinstance(value, str) else ""


def _kind(code: str, status: int) -> type[ObjectClerkException]:
    for codes, kind in BY_CODE:
        if code in codes:
            return kind
    if code.startswith(KMS_PREFIX):
        return ObjectClerkServerAuthException
    if status in BY_STATUS:
        return BY_STATUS[status]
    return ObjectClerkServerInternalException if status >= 500 else ObjectClerkException
