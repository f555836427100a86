import pytest

from tasks.object_clerk import errors
from tasks.object_clerk.moves import move_object
from tasks.object_clerk.part_copies import CopyLimits
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.s3_object import S3Object
from tests.object_clerk.conftest import PART
from tests.support.proxy import Fault
from tests.support.stores import ON_MOTO

MIB = 1024 * 1024
HEADERS = {
    "CacheControl": "max-age=60",
    "ContentDisposition": "inline",
    "ContentEncoding": "identity",
    "ContentLanguage": "de",
    "ContentType": "text/csv",
    "Metadata": {"station": "north"},
}


def copied(clerk, bucket, *keys):
    clerk.copy_object(bucket, keys[0], bucket, keys[1])


def moved(clerk, bucket, *keys):
    clerk.move_object(bucket, keys[0], bucket, keys[1])


@pytest.mark.parametrize("part_size", [5 * MIB, 8 * MIB, 16 * MIB])
def test_an_object_of_any_part_size_copies_moves_and_reads_back(clerk, store, part_size):
    body = bytes(range(256)) * (17 * MIB // 256)
    store.put_parts("key", body, part_size)
    clerk.copy_object(store.bucket, "key", store.bucket, "copy")
    clerk.move_object(store.bucket, "key", store.bucket, "moved")
    assert store.keys_of() == ["copy", "moved"]
    assert clerk.get_object(store.bucket, "copy") == body
    assert clerk.get_object(store.bucket, "moved") == body


@pytest.mark.parametrize("by", [copied, moved])
def test_a_copy_keeps_metadata_tags_headers_and_storage_class(clerk, store, by):
    store.put("key", b"1", Tagging="a=1&b=x%20y", StorageClass="STANDARD_IA", **HEADERS)
    by(clerk, store.bucket, "key", "copy")
    found = store.head("copy")
    assert {name: found[name] for name in HEADERS} == HEADERS
    assert found["StorageClass"] == "STANDARD_IA"
    tags = store.client.get_object_tagging(Bucket=store.bucket, Key="copy")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "x y"}


def test_a_copy_replaces_an_existing_object(clerk, store):
    store.put("key", b"new")
    store.put("copy", b"old")
    clerk.copy_object(store.bucket, "key", store.bucket, "copy")
    assert store.bytes_of("copy") == b"new"


@pytest.mark.parametrize("change", [{"Tagging": "a=2"}, {"Metadata": {"a": "2"}}, {"StorageClass": "STANDARD_IA"}])
def test_a_copy_replaces_an_object_with_equal_bytes_and_other_headers(clerk, store, change):
    same = {"Tagging": "a=1", "Metadata": {"a": "1"}, "StorageClass": "STANDARD"}
    store.put("key", b"1", **same)
    store.put("copy", b"1", **{**same, **change})
    clerk.copy_object(store.bucket, "key", store.bucket, "copy")
    tags = store.client.get_object_tagging(Bucket=store.bucket, Key="copy")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}]
    assert store.head("copy")["Metadata"] == {"a": "1"}
    assert store.head("copy").get("StorageClass", "STANDARD") == "STANDARD"


def test_a_copy_of_an_absent_object_keeps_the_destination(clerk, store):
    store.put("copy", b"old")
    with pytest.raises(errors.ObjectNotFoundException, match="copy_object s3://.*/absent -> s3://.*/copy"):
        clerk.move_object(store.bucket, "absent", store.bucket, "copy")
    assert store.bytes_of("copy") == b"old"


def test_move_object_deletes_the_source(clerk, store):
    store.put("key", b"1")
    clerk.move_object(store.bucket, "key", store.bucket, "moved")
    assert store.keys_of() == ["moved"]


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("by", ["copy_object", "move_object"])
def test_an_object_moved_or_copied_onto_itself_stays(clerk, store, by, verify):
    store.put("key", b"1")
    getattr(clerk, by)(store.bucket, "key", store.bucket, "key", verify_checksum=verify)
    assert store.bytes_of("key") == b"1"


def test_move_object_onto_itself_keeps_every_version(clerk, store):
    store.keep_versions()
    store.put("key", b"1")
    store.put("key", b"2")
    clerk.move_object(store.bucket, "key", store.bucket, "key")
    versions = store.client.list_object_versions(Bucket=store.bucket)
    assert len(versions["Versions"]) == 2
    assert "DeleteMarkers" not in versions


def test_move_object_spares_a_source_that_was_overwritten_after_the_copy(store, way):
    store.put("key", b"moved")

    def overwrite(head, body):
        store.put("key", b"newer")
        return head, body

    way.add(Fault("PUT", "/copy", down=overwrite))
    store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "copy")
    assert store.bytes_of("copy") == b"moved"
    assert store.bytes_of("key") == b"newer"


def test_move_object_spares_a_version_that_came_after_the_copy(store, way):
    store.keep_versions()
    store.put("key", b"moved")

    def overwrite(head, body):
        store.put("key", b"newer")
        return head, body

    way.add(Fault("PUT", "/copy", down=overwrite))
    store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "copy")
    assert store.bytes_of("copy") == b"moved"
    assert store.bytes_of("key") == b"newer"
    versions = store.client.list_object_versions(Bucket=store.bucket, Prefix="key")["Versions"]
    assert len(versions) == 1


def test_a_source_overwritten_before_the_copy_is_copied_in_its_new_state(store, way):
    store.put("key", b"older")

    def overwrite(head, body):
        store.put("key", b"newer", Metadata={"a": "1"})
        return head, body

    way.add(Fault("HEAD", "/key", down=overwrite))
    store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "copy")
    assert store.bytes_of("copy") == b"newer"
    assert store.keys_of() == ["copy"]


def test_move_object_with_a_delete_whose_answer_is_lost_succeeds(store, way):
    store.put("key", b"1")
    way.add(Fault("DELETE", "/key", lost=True))
    store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved")
    assert store.keys_of() == ["moved"]


def test_move_object_keeps_the_source_when_the_delete_is_not_allowed(store, way):
    store.put("key", b"1")
    way.add(Fault("DELETE", "/key", refusal=(403, "AccessDenied")))
    with pytest.raises(errors.ObjectClerkServerAuthException, match="delete_object s3://.*/key -> s3://.*/moved"):
        store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved")
    assert store.keys_of() == ["key", "moved"]


def test_move_object_on_a_server_without_conditional_requests_looks_before_it_acts(store, way):
    store.put("key", b"1")
    unknown = (501, "NotImplemented")
    way.add(Fault("PUT", "/moved", times=2, refusal=unknown), Fault("DELETE", "/key", refusal=unknown))
    store.put("moved", b"old")
    store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved")
    assert store.keys_of() == ["moved"]
    assert store.bytes_of("moved") == b"1"


def with_etag(head, etag):
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"etag:")]
    return b"\r\n".join([lines[0], b'ETag: "%s"' % etag, *lines[1:]])


def test_a_copy_with_another_etag_is_compared_by_checksums(clerk, store):
    # One object was put whole and the other in two parts, so neither has an ETag of the other's kind.
    body = bytes(PART + 1)
    store.put_parts("key", body, PART)
    store.put("copy", body)
    clerk.move_object(store.bucket, "key", store.bucket, "copy")
    assert store.keys_of() == ["copy"]
    assert store.bytes_of("copy") == body


def test_a_copy_that_is_not_the_source_is_found_and_the_source_stays(store, way):
    store.put("key", b"right", ContentType="a/b")

    def damage(head, body):
        store.put("moved", b"wrong", ContentType="a/b")
        right, wrong = (store.head(key)["ETag"].strip('"').encode() for key in ("key", "moved"))
        return head, body.replace(right, wrong)

    way.add(Fault("PUT", "/moved", down=damage))
    with pytest.raises(errors.ObjectVerificationException, match="s3://.*/key -> s3://.*/moved: the copy is not"):
        store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved")
    assert store.bytes_of("key") == b"right"


def test_a_large_copy_goes_in_parts_and_keeps_everything(store, body):
    store.put_parts("key", body, PART, Tagging="a=1", StorageClass="STANDARD_IA", **HEADERS)
    store.put("copy", b"old")
    # 5 GiB are too much for a test, so the limit of one request is lower here.
    limits = CopyLimits(single=PART, part_size=PART)
    source, destination = S3Object(store.bucket, "key"), S3Object(store.bucket, "copy")
    move_object(S3Requests(store.client), source, destination, limits=limits)
    found = store.head("copy")
    assert store.keys_of() == ["copy"]
    assert store.bytes_of("copy") == body
    assert {name: found[name] for name in HEADERS} == HEADERS
    assert (found["StorageClass"], found["TagCount"]) == ("STANDARD_IA", 1)
    assert found["ETag"].strip('"').endswith("-3")


# SeaweedFS needs a key service for KMS.
@ON_MOTO
def test_an_object_with_a_kms_etag_reads_copies_and_moves(store, way):
    # Real S3 gives KMS objects an ETag that is no MD5; moto gives them one that is.
    etag = b"0" * 32
    for about in ("/key", "/copy"):
        way.add(Fault("GET", about, times=9, down=lambda head, body: (with_etag(head, etag), body)))
    store.put("key", b"1" * 1000, ServerSideEncryption="aws:kms")
    clerk = store.clerk(port=way.listens_on)
    assert clerk.get_object(store.bucket, "key") == b"1" * 1000
    clerk.move_object(store.bucket, "key", store.bucket, "copy")
    assert clerk.get_object(store.bucket, "copy") == b"1" * 1000


@pytest.mark.parametrize("by", ["copy_object", "move_object"])
def test_a_copy_without_verification_is_made(clerk, store, by):
    store.put("key", b"1")
    getattr(clerk, by)(store.bucket, "key", store.bucket, "copy", verify_checksum=False)
    assert store.bytes_of("copy") == b"1"
