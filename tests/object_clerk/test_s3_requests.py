import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    FlexibleChecksumError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError

from local.patches.hooks import HOOKS
from tasks.object_clerk import errors
from tasks.object_clerk.failures import translated
from tasks.object_clerk.s3_requests import SOUND_TRIES, S3Requests, client_config, head, request
from tasks.object_clerk.transport import clients
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tests.conftest import REGION

HERE, THERE = S3Object("from", "a"), S3Object("to", "b")


def answer(status, code):
    return ClientError({"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "X")


class Client:  # pylint: disable=too-few-public-methods  # one method of a client
    """A client with one method, which returns or raises the given results in turn."""

    def __init__(self, *script):
        self.script = list(script)

    def copy_object(self, **_):
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


@pytest.mark.parametrize(
    "status, code, kind",
    [
        (500, "InternalError", errors.ObjectClerkServerInternalException),
        (503, "SlowDown", errors.ObjectClerkServerInternalException),
        (503, "", errors.ObjectClerkServerInternalException),
        (429, "TooManyRequests", errors.ObjectClerkServerInternalException),
        (400, "RequestTimeout", errors.ObjectClerkServerInternalException),
        (400, "IncompleteBody", errors.ObjectClerkServerInternalException),
        (409, "ConditionalRequestConflict", errors.ObjectClerkServerInternalException),
        (400, "BadDigest", errors.ObjectVerificationException),
        (400, "XAmzContentSHA256Mismatch", errors.ObjectVerificationException),
        (401, "", errors.ObjectClerkServerAuthException),
        (403, "AccessDenied", errors.ObjectClerkServerAuthException),
        (403, "InvalidObjectState", errors.ObjectArchivedException),
        (400, "ExpiredToken", errors.CredentialsExpiredException),
        (404, "NoSuchKey", errors.KeyNotFoundException),
        (404, "404", errors.KeyNotFoundException),
        (412, "PreconditionFailed", errors.ObjectChangedException),
        (501, "NotImplemented", errors.ConditionNotSupportedException),
        (400, "InvalidArgument", errors.ObjectClerkException),
        (400, "KMS.ThrottlingException", errors.ObjectClerkServerInternalException),
        (400, "KMS.DisabledException", errors.ObjectClerkServerAuthException),
        (403, "AllAccessDisabled", errors.ObjectClerkServerAuthException),
    ],
)
def test_an_answer_becomes_the_error_of_its_kind(status, code, kind):
    error = translated(answer(status, code), operation="x")
    assert type(error) is kind  # pylint: disable=unidiomatic-typecheck  # A subclass would say something else.


# S3's codes, and the errors that they become.
INSIDE = {
    "PreconditionFailed": errors.ObjectChangedException,
    "ConditionalRequestConflict": errors.ObjectClerkServerInternalException,
    "SlowDown": errors.ObjectClerkServerInternalException,
    "InternalError": errors.ObjectClerkServerInternalException,
    "RequestTimeout": errors.ObjectClerkServerInternalException,
    "KMS.ThrottlingException": errors.ObjectClerkServerInternalException,
    "SomethingNew": errors.ObjectClerkServerInternalException,
    "BadDigest": errors.ObjectVerificationException,
    "NoSuchKey": errors.KeyNotFoundException,
    "NoSuchUpload": errors.KeyNotFoundException,
    "InvalidObjectState": errors.ObjectArchivedException,
    "AccessDenied": errors.ObjectClerkServerAuthException,
    "KMS.DisabledException": errors.ObjectClerkServerAuthException,
    "ExpiredToken": errors.CredentialsExpiredException,
    "NotImplemented": errors.ConditionNotSupportedException,
    "InvalidPart": errors.ObjectClerkException,
    "EntityTooSmall": errors.ObjectClerkException,
    "InvalidRequest": errors.ObjectClerkException,
    "RequestHeaderSectionTooLarge": errors.ObjectClerkException,
}


def each_operation_that_answers_before_it_ends(s3):
    """Yield each operation, its method and its parameters, after its preparation."""
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="bucket", Key="source", Body=b"1")
    where = {"Bucket": "bucket", "Key": "copy"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    part = {**upload, "PartNumber": 1, "CopySource": {"Bucket": "bucket", "Key": "source"}}
    etag = s3.upload_part_copy(**part)["CopyPartResult"]["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    yield "CopyObject", "copy_object", {**where, "CopySource": part["CopySource"]}
    yield "UploadPartCopy", "upload_part_copy", part
    yield "CompleteMultipartUpload", "complete_multipart_upload", {**upload, "MultipartUpload": parts}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("code", INSIDE)
def test_an_error_inside_a_successful_answer_has_the_type_of_its_code(s3, direct, code):
    client = clients.s3(direct=direct, config=client_config())
    for operation, method, asked in each_operation_that_answers_before_it_ends(s3):
        HOOKS.faults.add(operation, times=1, status=200, code=code)
        with pytest.raises(errors.ObjectClerkException) as caught:
            request(client, method, **asked)
        assert (operation, type(caught.value)) == (operation, INSIDE[code])
        assert caught.value.code == code
        # The same request passes without the fault.
        assert request(client, method, **asked)
    client.close()


@pytest.mark.usefixtures("aws")
def test_an_operation_that_answers_at_its_end_has_no_error_inside():
    with pytest.raises(ValueError, match="PutObject never answers 200"):
        HOOKS.faults.add("PutObject", times=1, status=200, code="SlowDown")


@pytest.mark.parametrize(
    "error, kind",
    [
        (EndpointConnectionError(endpoint_url="u"), errors.ObjectClerkServerInternalException),
        (ConnectTimeoutError(endpoint_url="u"), errors.ObjectClerkServerInternalException),
        (ReadTimeoutError(endpoint_url="u"), errors.ObjectClerkServerInternalException),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), errors.ObjectClerkServerInternalException),
        (ConnectionResetError("reset"), errors.ObjectClerkServerInternalException),
        (FlexibleChecksumError(error_msg="m"), errors.ObjectVerificationException),
        (NoCredentialsError(), errors.ObjectClerkServerAuthException),
        (ParamValidationError(report="r"), errors.ObjectClerkException),
    ],
)
def test_a_connection_failure_becomes_the_error_of_its_kind(error, kind):
    assert type(translated(error, operation="x")) is kind  # pylint: disable=unidiomatic-typecheck  # not a subclass


@pytest.mark.parametrize(
    "error, is_lost",
    [
        (answer(500, "InternalError"), True),
        # CompleteMultipartUpload may answer this with status 200.
        (answer(200, "InternalError"), True),
        (answer(502, "502"), True),
        (answer(503, "503"), True),
        (answer(503, "ServiceUnavailable"), True),
        (answer(504, "GatewayTimeout"), True),
        (answer(503, "SlowDown"), False),
        (answer(501, "NotImplemented"), False),
        (answer(400, "RequestTimeout"), False),
        (answer(403, "AccessDenied"), False),
        (answer(409, "ConditionalRequestConflict"), False),
        (answer(412, "PreconditionFailed"), False),
        (ConnectionClosedError(endpoint_url="u"), True),
        (ReadTimeoutError(endpoint_url="u"), True),
        (ResponseStreamingError(error="cut"), True),
        (ResponseParserError("cut"), True),
        (ConnectTimeoutError(endpoint_url="u"), False),
        (EndpointConnectionError(endpoint_url="u"), False),
        (ParamValidationError(report="r"), False),
    ],
)
def test_an_answer_is_lost_if_the_server_may_have_carried_out_the_request(error, is_lost):
    assert translated(error, operation="put_object").answer_lost is is_lost


def test_attempts_whose_answer_was_lost_are_recorded():
    lost = ConnectionClosedError(endpoint_url="u")
    requests = S3Requests(Client(lost, answer(503, "SlowDown"), {"done": 1}))
    assert requests("copy_object") == {"done": 1}
    assert requests.unanswered == ["copy_object"]


def test_an_error_names_operation_source_and_destination():
    with pytest.raises(errors.ObjectClerkException, match="^copy_object s3://from/a -> s3://to/b: SlowDown m$"):
        request(Client(answer(503, "SlowDown")), "copy_object", source=HERE, destination=THERE)


def test_a_retryable_failure_is_repeated_and_counted():
    requests = S3Requests(Client(answer(503, "SlowDown"), answer(500, "InternalError"), {"done": 1}))
    assert requests("copy_object") == {"done": 1}
    assert requests.retries == 2


def test_a_permanent_failure_is_raised_at_once():
    client = Client(answer(403, "AccessDenied"), {"done": 1})
    with pytest.raises(errors.ObjectClerkServerAuthException):
        S3Requests(client)("copy_object")
    assert client.script == [{"done": 1}]


@pytest.mark.parametrize("tries", [-1, 10])
def test_damage_is_tried_three_times_under_any_policy(tries):
    client = Client(*[answer(400, "BadDigest")] * 20)
    with pytest.raises(errors.ObjectVerificationException) as caught:
        S3Requests(client, RetryPolicy(tries=tries))("copy_object")
    assert caught.value.attempts == SOUND_TRIES
    assert len(client.script) == 20 - SOUND_TRIES


@pytest.mark.parametrize("tries, calls", [(1, 1), (2, 2), (9, 3), (-1, 3)])
def test_until_sound_repeats_a_call_with_damaged_bytes(tries, calls):
    client = Client(*[answer(400, "BadDigest")] * 20)
    requests = S3Requests(client, RetryPolicy(tries=tries))
    with pytest.raises(errors.ObjectVerificationException) as caught:
        requests.until_sound(lambda: request(client, "copy_object"))
    assert caught.value.attempts == calls
    assert len(client.script) == 20 - calls


def test_until_sound_returns_the_result_of_the_first_sound_attempt():
    client = Client(answer(400, "BadDigest"), {"done": 1})
    assert S3Requests(client).until_sound(lambda: request(client, "copy_object")) == {"done": 1}


def test_until_sound_does_not_wait_beyond_the_deadline():
    client = Client(answer(400, "BadDigest"), {"done": 1})
    requests = S3Requests(client, RetryPolicy(delay=5), Deadline(0))
    with pytest.raises(errors.ObjectVerificationException):
        requests.until_sound(lambda: request(client, "copy_object"))
    assert client.script == [{"done": 1}]


class HeadClient:  # pylint: disable=too-few-public-methods  # one method of a client
    """A client that answers every HEAD with one error."""

    def __init__(self, error):
        self.error = error

    def head_object(self, **_):
        raise self.error


def test_head_distinguishes_an_absent_key_from_an_absent_bucket():
    assert head(S3Requests(HeadClient(answer(404, "404"))), HERE) is None
    with pytest.raises(errors.ObjectNotFoundException):
        head(S3Requests(HeadClient(answer(404, "NoSuchBucket"))), HERE)
