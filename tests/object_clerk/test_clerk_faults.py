import os

import pytest

from tasks.object_clerk import errors
from tasks.object_clerk.s3_requests import SOUND_TRIES
from tests.object_clerk.conftest import PART
from tests.support.proxy import Fault, flipped
from tests.support.stores import closed_port

KIB = 1024


UNPROVEN = "the server stores no checksum that can be computed here"


def flip_down(head, body):
    return head, flipped(body) if body else body


READS = {
    "get": lambda clerk, bucket, tmp_path: clerk.get_object(bucket, "key"),
    "iterate": lambda clerk, bucket, tmp_path: b"".join(clerk.iterate_object(bucket, "key")),
    "download": lambda clerk, bucket, tmp_path: (
        clerk.download_object(bucket, "key", tmp_path / "file"),
        (tmp_path / "file").read_bytes(),
    )[1],
}


@pytest.fixture(name="read", params=READS)
def make_read(request, travelling_clerk, store, tmp_path):
    """Reads the object `key` in one of the ways there are."""
    return lambda: READS[request.param](travelling_clerk, store.bucket, tmp_path)


@pytest.mark.parametrize("size", [KIB, PART + 1])
@pytest.mark.usefixtures("five_mib_parts")
def test_a_bit_flipped_on_the_way_up_is_found_and_sent_again(travelling_clerk, store, way, body, size):
    way.add(Fault("PUT", "/key", up=flipped))
    travelling_clerk.upload_object(body[:size], store.bucket, "key")
    assert store.bytes_of("key") == body[:size]


@pytest.mark.parametrize("tries", [3, -1])
@pytest.mark.parametrize("size", [KIB, PART + 1])
@pytest.mark.usefixtures("five_mib_parts")
def test_bits_flipped_on_the_way_up_for_ever_are_raised_and_the_old_object_stays(store, way, body, size, tries):
    store.put("key", b"old")
    way.add(Fault("PUT", "/key", times=99, up=flipped))
    clerk = store.clerk(port=way.listens_on, tries=tries)
    with pytest.raises(errors.ObjectVerificationException, match=f"memory -> s3://{store.bucket}/key") as caught:
        clerk.upload_object(body[:size], store.bucket, "key")
    assert caught.value.attempts == SOUND_TRIES
    assert store.bytes_of("key") == b"old"
    assert not store.open_uploads()


@pytest.mark.usefixtures("five_mib_parts")
def test_parts_that_are_named_in_the_wrong_order_are_not_published(travelling_clerk, store, way, body):
    def swap(request):
        first, second = (b"<PartNumber>%d</PartNumber>" % number for number in (1, 2))
        return request.replace(first, b"\0").replace(second, first).replace(b"\0", second)

    store.put("key", b"old")
    way.add(Fault("POST", "uploadId", times=9, up=swap))
    with pytest.raises(errors.ObjectClerkException, match=f"-> s3://{store.bucket}/key"):
        travelling_clerk.upload_object(body[: 2 * PART], store.bucket, "key")
    assert store.bytes_of("key") == b"old"
    assert not store.open_uploads()


@pytest.mark.parametrize("size", [KIB, PART + 1])
@pytest.mark.usefixtures("five_mib_parts")
def test_a_bit_flipped_on_the_way_down_is_found_and_read_again(travelling_clerk, store, way, body, size):
    store.put("key", body[:size])
    way.add(Fault("GET", "/key", after=size > PART, down=flip_down))
    assert travelling_clerk.get_object(store.bucket, "key") == body[:size]


@pytest.mark.parametrize("size", [KIB, PART + 1])
@pytest.mark.usefixtures("five_mib_parts")
def test_bits_flipped_on_the_way_down_for_ever_are_raised(read, store, way, body, size):
    store.put("key", body[:size])
    way.add(Fault("GET", "/key", times=99, down=flip_down))
    with pytest.raises(errors.ObjectVerificationException, match=f"get_object s3://{store.bucket}/key"):
        read()


def test_a_download_that_is_damaged_for_ever_keeps_the_old_file(travelling_clerk, store, way, tmp_path):
    store.put("key", b"new")
    (tmp_path / "file").write_bytes(b"old")
    way.add(Fault("GET", "/key", times=99, down=flip_down))
    with pytest.raises(errors.ObjectVerificationException):
        travelling_clerk.download_object(store.bucket, "key", tmp_path / "file")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("file", b"old")]


def without_checksum(head, body):
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"x-amz-checksum")]
    return b"\r\n".join(lines), flipped(body) if body else body


def test_damage_to_an_object_without_a_checksum_is_found_by_its_md5(read, store, way):
    store.put("key", bytes(KIB))
    way.add(Fault("GET", "/key", times=99, down=without_checksum))
    with pytest.raises(errors.ObjectVerificationException, match="MD5"):
        read()


def test_an_object_without_a_proof_is_read_and_that_is_logged(read, store, way, body, caplog):
    caplog.set_level("INFO", "bucket_brigade")
    store.put_parts("key", body, PART)
    way.add(Fault("GET", "/key", times=9, down=lambda head, answer: (without_checksum(head, b"")[0], answer)))
    assert read() == body
    assert f"only the number of bytes was verified: {UNPROVEN}" in caplog.text


def test_damaged_bytes_are_returned_without_verification(store, way):
    store.put("key", bytes(KIB))
    way.add(Fault("GET", "/key", down=flip_down))
    clerk = store.clerk(port=way.listens_on)
    assert clerk.get_object(store.bucket, "key", verify_checksum=False) == flipped(bytes(KIB))


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("whole_parts", [0, 1])
@pytest.mark.usefixtures("five_mib_parts")
def test_a_broken_body_is_continued_at_the_same_byte(read, store, way, whole_parts, reset):
    content = os.urandom(whole_parts * PART + 700 * KIB)
    store.put("key", content)
    way.add(Fault("GET", "/key", after=whole_parts, cut=600 * KIB, reset=reset))
    assert read() == content


@pytest.mark.parametrize("whole_parts", [0, 1])
@pytest.mark.usefixtures("five_mib_parts")
def test_a_broken_body_is_continued_without_a_permission_on_versions(read, store, way, whole_parts):
    """A request that names a version needs s3:GetObjectVersion, which the role of upload_validate does not have."""
    store.keep_versions()
    content = os.urandom(whole_parts * PART + 700 * KIB)
    store.put("key", content)
    way.add(Fault("GET", "/key", times=2, cut=600 * KIB))
    assert read() == content
    assert len(way.requests) >= 2 and not any("versionId" in line for line in way.requests)


@pytest.mark.parametrize("reset", [True, False])
def test_a_body_that_keeps_breaking_is_an_error(read, store, way, reset):
    store.put("key", bytes(KIB))
    way.add(Fault("GET", "/key", times=99, cut=0, reset=reset))
    with pytest.raises(errors.ObjectClerkServerInternalException, match=f"get_object s3://{store.bucket}/key.*3 times"):
        read()


@pytest.mark.usefixtures("five_mib_parts")
def test_an_object_that_is_replaced_during_a_read_is_read_again(travelling_clerk, store, way, body):
    def replace(head, answer):
        store.put("key", body[::-1])
        return head, answer

    store.put("key", body)
    way.add(Fault("GET", "/key", down=replace))
    assert travelling_clerk.get_object(store.bucket, "key") == body[::-1]


def test_blocks_of_an_object_that_is_replaced_half_way_are_not_mixed(travelling_clerk, store, way, body):
    def replace(head, answer):
        store.put("key", body[::-1])
        return head, answer

    store.put("key", body)
    way.add(Fault("GET", "/key", down=replace, cut=600 * KIB))
    with pytest.raises(errors.ObjectChangedException, match=f"get_object s3://{store.bucket}/key"):
        b"".join(travelling_clerk.iterate_object(store.bucket, "key"))


OPERATIONS = {
    "get_object": ("GET", lambda clerk, bucket: clerk.get_object(bucket, "key")),
    "head_object": ("HEAD", lambda clerk, bucket: clerk.get_object_info(bucket, "key")),
    "put_object": ("PUT", lambda clerk, bucket: clerk.upload_object(b"1", bucket, "other")),
    "copy_object": ("PUT", lambda clerk, bucket: clerk.copy_object(bucket, "key", bucket, "other")),
    "delete_object": ("DELETE", lambda clerk, bucket: clerk.delete_object(bucket, "key")),
    "list_objects_v2": ("GET", lambda clerk, bucket: clerk.list_objects(bucket)),
}


@pytest.fixture(name="operation", params=OPERATIONS)
def make_operation(request, store):
    """The name of a request, its HTTP method, and a call of the clerk that makes it."""
    store.put("key", b"1")
    return request.param, *OPERATIONS[request.param]


@pytest.mark.parametrize("refusal", [(503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests")])
def test_refusals_up_to_the_limit_are_retried(operation, travelling_clerk, store, way, refusal):
    _, method, call = operation
    way.add(Fault(method, times=2, refusal=refusal))
    call(travelling_clerk, store.bucket)


@pytest.mark.parametrize("fault", [{"refusal": (503, "SlowDown")}, {"lost": True}])
def test_failures_beyond_the_limit_name_operation_and_addresses(operation, travelling_clerk, store, way, fault):
    name, method, call = operation
    way.add(Fault(method, times=99, **fault))
    with pytest.raises(errors.ObjectClerkServerInternalException) as caught:
        call(travelling_clerk, store.bucket)
    assert name in str(caught.value)
    assert f"s3://{store.bucket}/" in str(caught.value)
    assert "tried 3 times" in str(caught.value)
    if name == "copy_object":
        assert f"s3://{store.bucket}/key -> s3://{store.bucket}/other" in str(caught.value)


def test_a_request_to_a_silent_server_ends_after_the_time_out(store, way):
    store.put("key", b"1")
    clerk = store.clerk(port=way.listens_on, tries=2, client_config={"read_timeout": 0.2})
    way.add(Fault("GET", "/key", silent=True))
    assert clerk.get_object(store.bucket, "key") == b"1"
    way.add(Fault("GET", "/key", times=99, silent=True))
    with pytest.raises(errors.ObjectClerkServerInternalException, match="get_object s3://.*ime.*2 times"):
        clerk.get_object(store.bucket, "key")


def test_an_absent_server_is_an_error_after_the_limit(store):
    clerk = store.clerk(port=closed_port(), tries=2)
    with pytest.raises(errors.ObjectClerkServerInternalException, match="put_object.*2 times"):
        clerk.upload_object(b"1", store.bucket, "key")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.usefixtures("five_mib_parts")
def test_an_upload_whose_answers_are_lost_is_whole_and_leaves_nothing_open(travelling_clerk, store, way, body, method):
    way.add(Fault(method, "uploadId", times=2, lost=True))
    travelling_clerk.upload_object(body, store.bucket, "key")
    assert store.bytes_of("key") == body
    assert not store.open_uploads()


@pytest.mark.parametrize("request_line", [("PUT", "partNumber=2"), ("POST", "uploadId")])
@pytest.mark.usefixtures("five_mib_parts")
def test_an_upload_that_fails_keeps_the_old_object_and_leaves_nothing_open(
    travelling_clerk, store, way, body, request_line
):
    store.put("key", b"old")
    way.add(Fault(*request_line, times=99, refusal=(403, "AccessDenied")))
    with pytest.raises(errors.ObjectClerkServerAuthException, match=f"bytes in memory -> s3://{store.bucket}/key"):
        travelling_clerk.upload_object(body, store.bucket, "key")
    assert store.bytes_of("key") == b"old"
    assert not store.open_uploads()


def test_a_copy_whose_answer_is_lost_is_not_made_twice(travelling_clerk, store, way):
    store.keep_versions()
    store.put("key", b"1")
    way.add(Fault("PUT", "/copy", lost=True))
    travelling_clerk.copy_object(store.bucket, "key", store.bucket, "copy")
    assert len(store.client.list_object_versions(Bucket=store.bucket, Prefix="copy")["Versions"]) == 1


def test_a_listing_continues_after_a_failed_page(store, way):
    for number in range(5):
        store.put(f"{number}", b"x")
    clerk = store.clerk(port=way.listens_on, list_objects_page_size=2)
    way.add(Fault("GET", "continuation-token", times=2, refusal=(503, "SlowDown")))
    assert [found["Key"] for found in clerk.list_objects(store.bucket)] == ["0", "1", "2", "3", "4"]


def test_a_listing_that_keeps_failing_raises_the_clerks_error(store, way):
    for number in range(3):
        store.put(f"{number}", b"x")
    listed = store.clerk(port=way.listens_on, list_objects_page_size=2).list_objects(store.bucket)
    way.add(Fault("GET", "continuation-token", times=99, refusal=(503, "SlowDown")))
    with pytest.raises(errors.ObjectClerkServerInternalException, match="list_objects_v2.*3 times"):
        list(listed)


def test_a_permanent_failure_is_not_retried(operation, travelling_clerk, store, way):
    _, method, call = operation
    way.add(Fault(method, times=99, refusal=(403, "AccessDenied")))
    with pytest.raises(errors.ObjectClerkServerAuthException) as caught:
        call(travelling_clerk, store.bucket)
    assert caught.value.attempts == 1
