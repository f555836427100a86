"""Direct requests are those of botocore."""

from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tests.object_clerk.transport.ways import (
    ETAGS,
    LARGE,
    MOMENTS,
    NOW,
    S3_CONFIG,
    TEXTS,
    XML,
    Ways,
    body_of,
    but_for_the_digest_of_the_body,
    closed,
    is_direct,
    said,
)


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


# A key may have all characters but surrogates.
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
NAMES = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789-_"), min_size=1, max_size=10)
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
