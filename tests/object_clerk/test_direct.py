"""Direct requests and answers are those of botocore: each test makes the same call both ways and compares."""

import io
import json
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import MagicMock, patch

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError, SSLError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.object_clerk.bodies import BytesBody
from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.transport import clients, direct
from tasks.object_clerk.transport.direct_dynamodb import DirectDynamoDB
from tasks.object_clerk.transport.direct_s3 import DirectS3
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


@pytest.fixture(scope="module", name="ways")
def both_ways_to_one_place():
    for ways in closed(Ways("s3", DirectS3, S3_CONFIG, region_name="eu-west-1")):
        ways.know("a-bucket")
        yield ways


@pytest.fixture(scope="module", params=PLACES.values(), ids=PLACES, name="ways_there")
def both_ways_to_each_place(request):
    options = {**request.param}
    config = {**S3_CONFIG, **options.pop("config", {})}
    yield from closed(Ways("s3", DirectS3, config, **options))


@pytest.fixture(scope="module", name="tables")
def both_ways_to_tables():
    yield from closed(Ways("dynamodb", DirectDynamoDB, {"retries": {"total_max_attempts": 3}}, region_name="eu-west-1"))


def closed(ways):
    yield ways
    ways.direct.close()


def body_of(data):
    return {"Body": BytesBody(data).section(0, len(data)), "ChecksumAlgorithm": "CRC32", "ChecksumCRC32": "AAAAAA=="}


def but_for_the_digest_of_the_body(request):
    method, url, headers, body = request
    return method, url, {name: value for name, value in headers.items() if name not in OF_THE_DIGEST}, body


@pytest.mark.parametrize("bucket", ["a-bucket", "a.bucket.with.dots"])
@pytest.mark.parametrize("operation", ["head_object", "get_object", "put_object", "upload_part"])
def test_request_has_the_url_and_signature_of_botocores(ways_there, operation, bucket):
    more = {
        "put_object": body_of(b"bytes"),
        "upload_part": {**body_of(b"bytes"), "UploadId": "an id/+=", "PartNumber": 7},
    }
    given_to_both = {"Bucket": bucket, "Key": "a/key with %20 and +, ü and 🪣", **more.get(operation, {})}
    ordinary, short = ways_there.requests(operation, **given_to_both)
    if short[2]["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD":
        # botocore does so with a checksum that it has computed itself. If one is given, it reads the body.
        assert short[1].startswith("https:") and short[2]["x-amz-checksum-crc32"]
        short, ordinary = map(but_for_the_digest_of_the_body, (short, ordinary))
    assert short == ordinary


# A key may hold all characters but surrogates, a header those that HTTP allows.
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
NAMES = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789-_"), min_size=1, max_size=10)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
ETAGS = TEXTS.map(lambda text: f'"{text}"')
READ = {
    "VersionId": TEXTS,
    "ChecksumMode": st.just("ENABLED"),
    "IfMatch": ETAGS,
    "IfNoneMatch": ETAGS,
    "IfModifiedSince": MOMENTS,
    "Range": st.just("bytes=5-9"),
    "PartNumber": st.integers(1, 10_000),
    "ExpectedBucketOwner": st.just("123456789012"),
}
WRITE = {
    "ACL": st.just("bucket-owner-full-control"),
    "IfMatch": ETAGS,
    "IfNoneMatch": st.just("*"),
    "CacheControl": TEXTS,
    "ContentDisposition": TEXTS,
    "ContentEncoding": TEXTS,
    "ContentLanguage": TEXTS,
    "ContentType": TEXTS,
    "Expires": MOMENTS,
    "StorageClass": st.just("STANDARD_IA"),
    "Tagging": TEXTS,
    "ServerSideEncryption": st.just("aws:kms"),
    "SSEKMSKeyId": TEXTS,
    "BucketKeyEnabled": st.booleans(),
    "Metadata": st.dictionaries(NAMES, TEXTS, max_size=3),
}


@given(st.sampled_from(["head_object", "get_object"]), KEYS, st.fixed_dictionaries({}, optional=READ))
@example("get_object", "/", {})
@example("get_object", "a//b/./../c?d#e&f", {})
@example("get_object", "\n", {})
@settings(max_examples=60, deadline=None)
def test_any_read_is_sent_as_botocore_does(ways, operation, key, parameters):
    ordinary, short = ways.requests(operation, Bucket="a-bucket", Key=key, **parameters)
    assert short == ordinary


@given(KEYS, st.fixed_dictionaries({}, optional=WRITE), st.sampled_from([b"", b"bytes", bytes(LARGE)]))
@settings(max_examples=60, deadline=None)
def test_any_write_is_sent_as_botocore_does(ways, key, parameters, data):
    given_to_both = {"Bucket": "a-bucket", "Key": key, **parameters}
    ways.answers, ways.sent = [(200, {"content-length": "0"}, b"")], []
    with patch("botocore.auth.get_current_datetime", return_value=NOW):
        # Each request has its own body, which can be read once.
        ways.ordinary.put_object(**given_to_both, **body_of(data))
        ways.direct.put_object(**given_to_both, **body_of(data))
    ordinary, short = (but_for_the_digest_of_the_body(said(request)) for request in ways.sent)
    assert short == ordinary


def test_write_without_a_body_is_sent_as_botocore_does(ways):
    ordinary, short = map(but_for_the_digest_of_the_body, ways.requests("put_object", Bucket="a-bucket", Key="key"))
    assert short == ordinary


@pytest.fixture(scope="module", name="expecting_ways")
def both_ways_of_a_client_that_expects_owners():
    for ways in closed(Ways("s3", DirectS3, S3_CONFIG, region_name="eu-west-1")):
        expect_owners(ways.ordinary, {"*": "123456789012", "shared": "210987654321"})
        yield ways


@pytest.mark.parametrize("bucket, owner", [("a-bucket", "123456789012"), ("shared", "210987654321")])
@pytest.mark.parametrize("operation", ["head_object", "get_object", "put_object", "upload_part"])
def test_request_expects_the_same_owner_as_botocores(expecting_ways, operation, bucket, owner):
    more = {"put_object": body_of(b"bytes"), "upload_part": {**body_of(b"bytes"), "UploadId": "id", "PartNumber": 7}}
    asked = {"Bucket": bucket, "Key": "key", **more.get(operation, {})}
    ordinary, short = map(but_for_the_digest_of_the_body, expecting_ways.requests(operation, **asked))
    assert short == ordinary
    assert short[2]["x-amz-expected-bucket-owner"] == owner


@pytest.mark.parametrize("operation", ["head_object", "get_object"])
def test_refusal_names_the_same_owner_as_botocores(expecting_ways, operation):
    expecting_ways.know("a-bucket")
    body = b"" if operation == "head_object" else XML % b"AccessDenied"
    asked = {"Bucket": "a-bucket", "Key": "key"}
    ordinary, short = expecting_ways.outcomes(operation, 403, {"content-length": str(len(body))}, body, **asked)
    assert short == ordinary
    assert short[1]["Message"].endswith("(the bucket a-bucket must belong to account 123456789012)")


@pytest.mark.parametrize("size", [0, 1, LARGE])
@pytest.mark.parametrize("operation", ["put_object", "upload_part"])
def test_request_with_a_body_has_no_expect_header(ways, operation, size):
    more = {"UploadId": "id", "PartNumber": 1} if operation == "upload_part" else {}
    ways.answers, ways.sent = [(200, {"content-length": "0"}, b"")], []
    getattr(ways.direct, operation)(Bucket="a-bucket", Key="key", **more, **body_of(bytes(size)))
    assert "Expect" not in ways.sent[0].headers


@pytest.mark.parametrize("bucket", ["a-bucket", "a-bucket-not-seen-before"])
def test_body_is_released_after_the_request(ways, bucket):
    data = bytearray(LARGE)
    ways.answers = [(200, {"content-length": "0"}, b"")]
    ways.direct.put_object(Bucket=bucket, Key="key", **body_of(data))
    ways.sent.clear()
    # A buffer with a view cannot be cleared: it would be a BufferError.
    data.clear()


@pytest.mark.parametrize("operation", ["create_multipart_upload", "list_parts"])
def test_first_part_goes_directly_after_the_beginning_of_its_upload(ways, operation):
    bucket = f"bucket-of-{operation.replace('_', '-')}"
    more = {"UploadId": "id"} if operation == "list_parts" else {}
    ways.answers, ways.sent = [(200, {"content-length": "0"}, b"")], []
    getattr(ways.direct, operation)(Bucket=bucket, Key="key", **more)
    ways.direct.upload_part(Bucket=bucket, Key="another key", UploadId="id", PartNumber=1, **body_of(b"bytes"))
    assert [is_direct(request) for request in ways.sent] == [False, True]


HEADERS = {
    "Last-Modified": MOMENTS.map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    "ETag": ETAGS,
    "x-amz-version-id": TEXTS,
    "x-amz-tagging-count": st.integers(0, 10).map(str),
    "x-amz-mp-parts-count": st.integers(1, 10_000).map(str),
    "x-amz-checksum-crc32": TEXTS,
    "x-amz-checksum-type": st.sampled_from(["FULL_OBJECT", "COMPOSITE"]),
    "x-amz-delete-marker": st.sampled_from(["true", "false"]),
    "x-amz-server-side-encryption-bucket-key-enabled": st.sampled_from(["true", "True", "false"]),
    "x-amz-object-lock-retain-until-date": st.just("2030-01-02T03:04:05.678Z"),
    "x-amz-meta-one": TEXTS,
    "X-Amz-Meta-Two": TEXTS,
    "Expires": TEXTS | st.just("Wed, 21 Oct 2015 07:28:00 GMT") | st.just("0"),
    "Content-Type": TEXTS,
    "x-amz-something-new": TEXTS,
}


@given(
    st.sampled_from(["head_object", "get_object", "put_object"]),
    st.fixed_dictionaries({}, optional=HEADERS),
    st.binary(),
)
@example("head_object", {"Expires": "Wed, 32 Oct 2015 07:28:00 GMT"}, b"")
@settings(max_examples=100, deadline=None)
def test_any_answer_is_parsed_as_botocore_does(ways, operation, headers, body):
    body = body if operation == "get_object" else b""
    more = body_of(b"sent") if operation == "put_object" else {}
    headers = {**headers, "Content-Length": str(len(body))}
    ordinary, short = ways.outcomes(operation, 200, headers, body, Bucket="a-bucket", Key="key", **more)
    assert short == ordinary


XML = b"<Error><Code>%s</Code><Message>why</Message><Key>key</Key></Error>"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, XML % b"NoSuchKey"),
        (404, b""),
        (403, XML % b"AccessDenied"),
        (412, XML % b"PreconditionFailed"),
        (400, XML % b"BadDigest"),
        (503, XML % b"SlowDown"),
        (500, b""),
        (502, b"<html>Bad gateway</html>"),
        (304, b""),
    ],
)
@pytest.mark.parametrize("operation", ["head_object", "get_object"])
def test_error_is_parsed_as_botocore_does(ways, operation, status, body):
    headers = {"content-length": str(len(body)), "x-amz-request-id": "an-id"}
    ordinary, short = ways.outcomes(operation, status, headers, body, Bucket="a-bucket", Key="key")
    assert short == ordinary


MOVED = b"<Error><Code>%s</Code><Region>eu-central-1</Region></Error>"


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        ("get_object", 301, MOVED % b"PermanentRedirect"),
        ("get_object", 400, MOVED % b"AuthorizationHeaderMalformed"),
        ("head_object", 301, b""),
        ("head_object", 400, b""),
    ],
)
def test_redirected_request_goes_via_botocore_and_its_place_is_cached(ways, operation, status, body):
    bucket = f"bucket-of-{operation.replace('_', '-')}-{status}"
    ways.know(bucket)
    there = {"content-length": str(len(body)), "x-amz-bucket-region": "eu-central-1"}
    ways.sent, ways.answers = [], [(status, there, body), (status, there, body), (200, {"content-length": "0"}, b"")]
    for _ in range(2):
        getattr(ways.direct, operation)(Bucket=bucket, Key="key")
    assert [is_direct(request) for request in ways.sent] == [True, False, False, True]
    assert ["eu-central-1" in request.url for request in ways.sent] == [False, False, True, True]
    assert "/eu-central-1/s3/" in said(ways.sent[3])[2]["authorization"]


NOT_PLAIN = {
    "an access point": {"Bucket": "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine"},
    "a name of the old days": {"Bucket": "Upper_Case"},
    "a customer's key": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32},
    "a file": {"Body": io.BufferedReader(Raw(b"bytes")), "ChecksumCRC32": "AAAAAA=="},
    "a body without a checksum": {"Body": io.BytesIO(b"bytes")},
    "a moment without a zone": {"Expires": datetime(2030, 1, 1)},
}


@pytest.mark.parametrize("parameters", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_request_that_is_not_plain_goes_via_botocore(ways, parameters):
    ways.sent, ways.answers = [], [(200, {"content-length": "0"}, b"")]
    ways.direct.put_object(**{"Bucket": "a-bucket", "Key": "key", **parameters})
    assert [is_direct(request) for request in ways.sent] == [False]


@pytest.mark.parametrize(
    "parameters",
    [{"Key": ""}, {"Key": "key", "Nonsense": "x"}, {"Key": "key", "Metadata": {"a": "ü"}}, {"Key": "key", "ACL": 1.5}],
)
def test_invalid_parameter_is_refused_by_botocore(ways, parameters):
    with pytest.raises(ParamValidationError):
        ways.direct.put_object(Bucket="a-bucket", **parameters)


@pytest.mark.parametrize("without", ["", "127.0.0.1", ".amazonaws.com"])
def test_request_through_a_proxy_goes_via_botocore(monkeypatch, without):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", without)
    for ways in closed(Ways("s3", DirectS3, S3_CONFIG, region_name="eu-west-1")):
        ways.know("a-bucket")
        ways.direct.get_object(Bucket="a-bucket", Key="key")
        assert is_direct(ways.sent[1]) == (without == ".amazonaws.com")


def test_other_operation_goes_via_botocore(ways):
    ways.sent, ways.answers = [], [(200, {"content-length": "0"}, b"")]
    ways.direct.delete_object(Bucket="a-bucket", Key="key")
    assert [is_direct(request) for request in ways.sent] == [False]


def test_handlers_of_the_client_are_called_for_a_direct_request(ways):
    heard = []
    with listening(ways, lambda event_name, **_: heard.append(event_name)):
        ways.answers = [(200, {"content-length": "0"}, b"")]
        ways.direct.head_object(Bucket="a-bucket", Key="key")
    assert heard == [f"{event}.s3.HeadObject" for event in ("before-call", "before-send", "after-call")]


def test_handler_of_the_client_can_answer_a_direct_request(ways):
    answer = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
    ways.sent = []
    with listening(ways, lambda **_: (AWSResponse("", 503, {}, None), answer), "before-call"):
        with pytest.raises(ClientError, match="SlowDown"):
            ways.direct.head_object(Bucket="a-bucket", Key="key")
    assert not ways.sent


@contextmanager
def listening(ways, handler, *events):
    events = events or ("before-call", "before-send", "after-call")
    for event in events:
        ways.ordinary.meta.events.register_first(f"{event}.s3.HeadObject", handler)
    yield
    for event in events:
        ways.ordinary.meta.events.unregister(f"{event}.s3.HeadObject", handler)


ITEM = {"Key": {"S": "a/ü"}, "Revision": {"N": "7"}, "Made": {"M": {"ETag": {"S": '"e"'}}}, "Skipped": {"BOOL": True}}
PUT = {"TableName": "objects", "Item": ITEM, "ConditionExpression": "attribute_not_exists(Revision)"}


def test_item_is_put_and_read_with_botocores_requests(tables):
    asked = {"TableName": "objects", "Key": {"Key": {"S": "a"}}}
    for operation, parameters in (("put_item", PUT), ("get_item", asked)):
        ordinary, short = both_with_json(tables, operation, parameters)
        assert short == ordinary


def both_with_json(tables, operation, parameters):
    """Yield what both ways send, without the signature: the same JSON may be written in several ways."""
    tables.answers, tables.sent = [(200, {"content-length": "2"}, b"{}")], []
    getattr(tables.ordinary, operation)(**parameters)
    getattr(tables.direct, operation)(**parameters)
    for request in tables.sent:
        method, url, headers, body = said(request)
        for name in ("authorization", "x-amz-date", "content-length", "accept-encoding"):
            headers.pop(name, None)
        yield method, url, headers, json.loads(body)


def test_answer_about_an_item_is_parsed_as_botocore_does(tables):
    body = json.dumps({"Item": ITEM}).encode()
    tables.answers = [(200, {"content-length": str(len(body))}, body)]
    asked = {"TableName": "objects", "Key": {"Key": {"S": "a"}}}
    assert tables.direct.get_item(**asked)["Item"] == tables.ordinary.get_item(**asked)["Item"] == ITEM


FAILED = b'{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"why"}'


def test_failed_condition_is_botocores_error_and_is_not_repeated(tables):
    tables.sent = []
    body = FAILED % b"ConditionalCheckFailedException"
    ordinary, short = tables.outcomes("put_item", 400, {"content-length": str(len(body))}, body, **PUT)
    assert short == ordinary
    assert [is_direct(request) for request in tables.sent] == [False, True]


@pytest.mark.parametrize(
    "failure",
    [
        (400, {}, FAILED % b"ThrottlingException"),
        (500, {}, b""),
        ConnectionClosedError(endpoint_url="https://dynamodb"),
    ],
    ids=["throttled", "broken", "lost"],
)
def test_failed_put_of_an_item_is_repeated_by_botocore(tables, failure):
    tables.sent, tables.answers = [], [failure, failure, (200, {"content-length": "2"}, b"{}")]
    with patch("time.sleep"):
        tables.direct.put_item(**PUT)
    assert [is_direct(request) for request in tables.sent] == [True, False, False]


def test_request_whose_certificate_is_not_trusted_goes_via_botocore(ways):
    ways.sent, ways.answers = [], [SSLError(endpoint_url="", error="why"), (200, {"content-length": "0"}, b"")]
    ways.direct.get_object(Bucket="a-bucket", Key="key")
    assert [is_direct(request) for request in ways.sent] == [True, False]


def test_request_without_credentials_goes_via_botocore(tables):
    client = DirectDynamoDB(tables.ordinary, None)
    tables.sent, tables.answers = [], [(200, {"content-length": "2"}, b"{}")]
    client.put_item(**PUT)
    assert [is_direct(request) for request in tables.sent] == [False]


def test_client_has_the_credentials_and_the_certificates_of_the_session(aws, monkeypatch, tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    trusted, sent = [], []
    monkeypatch.setattr(direct, "Connections", lambda config, ca_bundle: trusted.append(ca_bundle) or MagicMock())
    aws.client("s3").create_bucket(Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client = clients.s3(direct=True, config=Config(**S3_CONFIG))
    client.meta.events.register("before-send.s3", lambda request, **_: sent.append(request))
    for _ in range(2):
        client.put_object(Bucket="a-bucket", Key="key", **body_of(b""))
    assert [is_direct(request) for request in sent] == [False, True]
    # The algorithm and the key. The day and the signature follow.
    ordinary, short = (said(request)[2]["authorization"].partition("/")[0] for request in sent)
    assert short == ordinary != ""
    assert trusted == [str(bundle)]
    client.close()
