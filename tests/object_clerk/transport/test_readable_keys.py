"""A client reads the answers about every key, also of one that XML cannot hold."""

from types import SimpleNamespace
from xml.sax.saxutils import escape

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk.transport import clients
from tests.conftest import client_of_the_tests, session_beneath_the_tasks

EXCLUDED = [*map(chr, range(0x20)), "\x7f", "\ufffe", "\uffff"]
ALLOWED = "\t\n\r\x7f"


@pytest.fixture(name="s3", scope="module")
def client_of_the_tasks():
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return clients.s3(direct=False, of=session_beneath_the_tasks(), region_name="eu-west-1", **keys)


def answered(s3, operation, body, status=200, tries=1, **arguments):
    """Call an operation; the server answers with a body."""
    requests = []

    def answer(request, **_):
        requests.append(request)
        return AWSResponse(request.url, status, {}, SimpleNamespace(stream=lambda: [body.encode()]))

    name = "".join(word.capitalize() for word in operation.split("_"))
    s3.meta.events.register(f"before-send.s3.{name}", answer)
    try:
        return getattr(s3, operation)(Bucket="bucket", **arguments)
    finally:
        s3.meta.events.unregister(f"before-send.s3.{name}", answer)
        assert len(requests) == tries


def begun(key):
    return f"<InitiateMultipartUploadResult><Key>{key}</Key><UploadId>one</UploadId></InitiateMultipartUploadResult>"


@pytest.mark.parametrize("form", ["{}", "&#{:d};", "&#{:04d};", "&#x{:x};", "&#x{:X};", "&#x00{:x};"])
def test_upload_begins_for_every_character_in_every_form(s3, form):
    for character in EXCLUDED:
        written = form.format(character if form == "{}" else ord(character))
        assert answered(s3, "create_multipart_upload", begun(written), Key="key")["UploadId"] == "one"


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_upload_begins_for_any_key(s3, key):
    assert answered(s3, "create_multipart_upload", begun(escape(key)), Key="key")["UploadId"] == "one"


@pytest.mark.parametrize("written", ["&#9;", "&#10;", "&#xD;", "&#32;", "&#x20;", "&#x109;", "&#169;", *ALLOWED])
def test_character_that_xml_allows_stays(s3, written):
    found = answered(s3, "create_multipart_upload", begun(f"-{written}-"), Key="key")["Key"]
    assert "\uf8ff" not in found


def test_content_that_is_no_xml_stays(s3):
    policy = '{"Sid": "a&#1;\x02\uf8ff"}'
    assert answered(s3, "get_bucket_policy", policy)["Policy"] == policy


def test_error_about_a_key_has_its_own_code(s3):
    body = "<Error><Code>NoSuchUpload</Code><Key>a&#x1;\x02</Key></Error>"
    with pytest.raises(s3.exceptions.NoSuchUpload):
        answered(s3, "list_parts", body, 404, Key="key", UploadId="one")


def test_answer_that_was_cut_off_is_an_error_as_before(s3):
    with pytest.raises(s3.exceptions.ClientError):
        answered(s3, "create_multipart_upload", begun("key")[:-5], tries=3, Key="key")


KEYS = sorted({f"a {character}b" for character in EXCLUDED} | {"%41", "a+b c", "é/\N{BUCKET}", "\uf8ff0001"})


@pytest.mark.usefixtures("aws")
def test_uploads_are_listed_with_their_keys():
    s3 = client_of_the_tests("s3", "eu-west-1")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    # moto writes a carriage return as it is, and every XML parser makes it a line feed. S3 writes a reference.
    keys = [key for key in KEYS if "\r" not in key]
    for key in keys:
        s3.create_multipart_upload(Bucket="bucket", Key=key)
    assert sorted(upload["Key"] for upload in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]) == keys


@pytest.mark.parametrize("key", KEYS)
def test_listing_with_references_has_the_keys(s3, key):
    written = "".join(f"&#{ord(character)};" for character in key)
    body = f"<ListMultipartUploadsResult><Upload><Key>{written}</Key></Upload></ListMultipartUploadsResult>"
    listed = answered(s3, "list_multipart_uploads", body)["Uploads"]
    assert [upload["Key"] for upload in listed] == [key]
