"""Direct answers are parsed as botocore parses them."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.object_clerk.transport.ways import ETAGS, MOMENTS, TEXTS, XML, body_of

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
