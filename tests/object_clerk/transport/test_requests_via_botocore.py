"""Requests that only botocore can send, and clients that are set up in botocore."""

import io
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import MagicMock

import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError, SSLError

from tasks.object_clerk.transport import clients, direct
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tests.object_clerk.transport.ways import S3_CONFIG, Raw, Ways, body_of, closed, is_direct, said

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


def test_request_whose_certificate_is_not_trusted_goes_via_botocore(ways):
    ways.sent, ways.answers = [], [SSLError(endpoint_url="", error="why"), (200, {"content-length": "0"}, b"")]
    ways.direct.get_object(Bucket="a-bucket", Key="key")
    assert [is_direct(request) for request in ways.sent] == [True, False]


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
