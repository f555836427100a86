"""A client of botocore and its direct client: each request and each answer goes both ways, and a test compares them."""

import io
from datetime import UTC, datetime
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import strategies as st

from tasks.object_clerk.bodies import BytesBody
from tasks.object_clerk.parts import MIB
from tests.support.stores import session

NOW = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
# Headers that describe the client and not the request.
OF_THE_CLIENT = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request"}
OF_THE_DIGEST = {"x-amz-content-sha256", "authorization"}
S3_CONFIG = {
    "retries": {"total_max_attempts": 1},
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}

# More than one slice.
LARGE = MIB + 1

PLACES = {
    "commercial": {"region_name": "eu-west-1"},
    "the first region": {"region_name": "us-east-1"},
    "gov": {"region_name": "us-gov-west-1"},
    "china": {"region_name": "cn-north-1"},
    "dual stack": {"region_name": "eu-west-1", "config": {"use_dualstack_endpoint": True}},
    "fips": {"region_name": "us-gov-west-1", "config": {"use_fips_endpoint": True}},
    "a store": {"region_name": "us-east-1", "endpoint_url": "https://store.example:9000"},
    "a store without tls": {"region_name": "us-east-1", "endpoint_url": "http://store.example:9000"},
    "path": {"region_name": "eu-west-1", "config": {"s3": {"addressing_style": "path"}}},
    "signed bodies": {"region_name": "eu-west-1", "config": {"s3": {"payload_signing_enabled": True}}},
}

# Headers may have these characters.
TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
ETAGS = TEXTS.map(lambda text: f'"{text}"')

XML = b"<Error><Code>%s</Code><Message>why</Message><Key>key</Key></Error>"


class Ways:
    """A client and its direct client. Each request of both is kept, and gets the answer of the test."""

    def __init__(self, service, kind, config, **options):
        keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret", "aws_session_token": "a-token"}
        self.ordinary = session().client(service, config=Config(**config), **keys, **options)
        credentials = boto3.session.Session(**keys).get_credentials()
        self.direct = kind(self.ordinary, credentials)
        self.sent = []
        self.answers = []
        self.ordinary.meta.events.register("before-send", self._answer)

    def _answer(self, request, **_):
        self.sent.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, headers, body = answer
        return AWSResponse(request.url, status, headers, Raw(body))

    def know(self, bucket):
        """Send the first request to a bucket, which goes via botocore and shows its place."""
        self.answers = [(200, {"content-length": "0"}, b"")]
        self.direct.head_object(Bucket=bucket, Key="first")

    def requests(self, operation, **asked):
        """Return the request of each way, in a form that compares."""
        self.know(asked["Bucket"])
        self.sent = []
        with patch("botocore.auth.get_current_datetime", return_value=NOW):
            getattr(self.ordinary, operation)(**asked)
            getattr(self.direct, operation)(**asked)
        assert [is_direct(request) for request in self.sent] == [False, True]
        return [said(request) for request in self.sent]

    def outcomes(self, operation, *answer, **asked):
        """Return the result of each way for an answer."""
        self.answers = [answer]
        return [outcome(getattr(way, operation), asked) for way in (self.ordinary, self.direct)]


class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


def is_direct(request):
    agent = request.headers["User-Agent"]
    return (agent if isinstance(agent, bytes) else agent.encode()).startswith(b"bucket-brigade")


def said(request):
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
    }
    # botocore sends Expect before each body, a direct client never.
    kept = {name: value for name, value in headers.items() if name not in OF_THE_CLIENT | {"expect"}}
    body = request.body
    return request.method, request.url, kept, bytes(body.read() if hasattr(body, "read") else body or b"")


def outcome(call, asked):
    try:
        answer = call(**asked)
    except ClientError as error:
        return type(error), error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    if "Body" in answer:
        answer["Body"] = answer["Body"].read()
    metadata = answer.pop("ResponseMetadata")
    # botocore removes an Expires that it cannot parse.
    return answer, metadata["HTTPStatusCode"], {**metadata["HTTPHeaders"], "expires": answer.get("ExpiresString")}


def closed(ways):
    yield ways
    ways.direct.close()


def body_of(data):
    return {"Body": BytesBody(data).section(0, len(data)), "ChecksumAlgorithm": "CRC32", "ChecksumCRC32": "AAAAAA=="}


def but_for_the_digest_of_the_body(request):
    method, url, headers, body = request
    return method, url, {name: value for name, value in headers.items() if name not in OF_THE_DIGEST}, body
