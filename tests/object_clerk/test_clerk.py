import gzip
import io
from itertools import islice

import pytest

from tasks.object_clerk import errors
from tasks.object_clerk.clerk import ObjectClerk
from tests.object_clerk.conftest import PART
from tests.support.proxy import Fault
from tests.support.stores import ON_MOTO


def test_get_object_returns_what_was_uploaded(store):
    clerk = store.clerk_of_its_own()
    clerk.upload_object(b"some bytes", store.bucket, "key")
    assert clerk.get_object(store.bucket, "key") == b"some bytes"


def test_get_object_of_an_empty_object_returns_no_bytes(clerk, store):
    store.put("key", b"")
    assert clerk.get_object(store.bucket, "key") == b""
    assert not list(clerk.iterate_object(store.bucket, "key"))


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 2 * PART])
@pytest.mark.usefixtures("five_mib_parts")
def test_objects_around_the_part_size_read_back_whole(store, body, size, tmp_path):
    clerk = store.clerk()
    clerk.upload_object(body[:size], store.bucket, "key")
    clerk.download_object(store.bucket, "key", tmp_path / "file")
    assert clerk.get_object(store.bucket, "key") == body[:size]
    assert (tmp_path / "file").read_bytes() == body[:size]


@pytest.mark.parametrize("size, etag_end", [(PART - 1, None), (PART, "-1"), (2 * PART, "-2"), (2 * PART + 1, "-3")])
@pytest.mark.usefixtures("five_mib_parts")
def test_upload_object_cuts_at_the_multipart_threshold(store, body, size, etag_end):
    store.clerk().upload_object(body[:size], store.bucket, "key")
    etag = store.head("key")["ETag"].strip('"')
    assert etag.endswith(etag_end) if etag_end else "-" not in etag


def uploads_of(body, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(body)
    half = len(body) // 2
    read_only = open(path, "rb")  # pylint: disable=consider-using-with  # the test closes it
    read_only.read(100)
    at_its_end = io.BytesIO()
    at_its_end.write(body)
    zipped = io.BytesIO(gzip.compress(body, compresslevel=0))
    return {
        "text": str(path),
        "path": path,
        "file": read_only,
        "bytesio": at_its_end,
        "bytes": body,
        "bytearray": bytearray(body),
        "blocks": iter([body[:half], b"", body[half:]]),
        "gzip": gzip.GzipFile(fileobj=zipped),
    }


@pytest.mark.parametrize("kind", ["text", "path", "file", "bytesio", "bytes", "bytearray", "blocks", "gzip"])
@pytest.mark.parametrize("size", [1000, 2 * PART + 1])
@pytest.mark.usefixtures("five_mib_parts")
def test_upload_object_takes_every_kind_of_data_from_its_start(moto_store, body, tmp_path, kind, size):
    data = uploads_of(body[:size], tmp_path)
    moto_store.clerk().upload_object(data[kind], moto_store.bucket, "key")
    data["file"].close()
    assert moto_store.bytes_of("key") == body[:size]


@pytest.mark.parametrize("data", [b"", io.BytesIO(), iter([]), iter([b"", b""])])
def test_upload_object_of_nothing_is_refused_and_keeps_the_old_object(clerk, store, data):
    store.put("key", b"old")
    with pytest.raises(errors.ObjectSaveException, match=f"upload_object .* -> s3://{store.bucket}/key: .*no bytes"):
        clerk.upload_object(data, store.bucket, "key")
    assert store.bytes_of("key") == b"old"


def test_upload_object_of_a_file_that_is_not_there_names_it(clerk, store, tmp_path):
    with pytest.raises(errors.ObjectSaveException, match="absent.txt -> s3://.*/key: .*No such file"):
        clerk.upload_object(tmp_path / "absent.txt", store.bucket, "key")


@pytest.mark.parametrize("data", [7, None, io.StringIO("text")])
def test_upload_object_of_what_holds_no_bytes_is_a_type_error(moto_store, data):
    with pytest.raises(TypeError, match="binary"):
        moto_store.clerk().upload_object(data, moto_store.bucket, "key")


@pytest.mark.usefixtures("five_mib_parts")
def test_upload_object_of_blocks_that_fail_leaves_nothing_behind(clerk, store, body):
    def blocks():
        yield body
        raise RuntimeError("the source is gone")

    store.put("key", b"old")
    with pytest.raises(RuntimeError, match="the source is gone"):
        clerk.upload_object(blocks(), store.bucket, "key")
    assert store.bytes_of("key") == b"old"
    assert not store.open_uploads()


@pytest.mark.usefixtures("five_mib_parts")
def test_upload_object_of_a_file_that_changes_meanwhile_keeps_the_old_object(store, way, body, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(body)

    def change(head, answer):
        path.write_bytes(body[::-1])
        return head, answer

    way.add(Fault("POST", "?uploads", down=change))
    store.put("key", b"old")
    with pytest.raises(errors.ObjectSaveException, match="changed while it was being uploaded"):
        store.clerk(port=way.listens_on).upload_object(path, store.bucket, "key")
    assert store.bytes_of("key") == b"old"
    assert not store.open_uploads()


@pytest.mark.usefixtures("five_mib_parts")
def test_upload_object_keeps_type_metadata_and_storage_class(clerk, store, body):
    about = {"content_type": "text/csv", "metadata": {"station": "north"}, "storage_class": "STANDARD_IA"}
    for key, data in (("small", b"a,b"), ("large", body)):
        clerk.upload_object(data, store.bucket, key, **about)
        found = store.head(key)
        assert (found["ContentType"], found["Metadata"]) == ("text/csv", {"station": "north"})
        assert found["StorageClass"] == "STANDARD_IA"


@pytest.mark.usefixtures("five_mib_parts")
def test_upload_object_stores_a_checksum_over_the_whole(clerk, store, body):
    clerk.upload_object(body, store.bucket, "large")
    clerk.upload_object(body[:100], store.bucket, "small")
    assert all("-" not in store.head(key)["ChecksumCRC32"] for key in ("large", "small"))


def test_get_object_info_returns_the_http_headers(clerk, store):
    store.put("key", b"12345", ContentType="text/plain", Metadata={"station": "north"})
    headers = clerk.get_object_info(store.bucket, "key")
    assert headers["content-length"] == "5"
    assert headers["content-type"] == "text/plain"
    assert headers["x-amz-meta-station"] == "north"


def test_delete_object_deletes_and_accepts_an_absent_object(clerk, store):
    store.put("key", b"1")
    clerk.delete_object(store.bucket, "key")
    clerk.delete_object(store.bucket, "key")
    assert not store.keys_of()


def test_list_objects_lists_every_page_below_the_prefix(store):
    for number in range(7):
        store.put(f"in/{number}", b"x")
    store.put("out", b"x")
    clerk = store.clerk(list_objects_page_size=2)
    assert [found["Key"] for found in clerk.list_objects(store.bucket, "in/")] == [f"in/{n}" for n in range(7)]
    assert len(list(clerk.list_objects(store.bucket))) == 8


def test_list_objects_with_a_number_lists_at_most_so_many(clerk, store):
    for number in range(3):
        store.put(f"{number}", b"x")
    assert len(list(clerk.list_objects(store.bucket, 1000))) == 3
    assert [found["Key"] for found in clerk.list_objects(store.bucket, 2)] == ["0", "1"]


def test_list_objects_of_an_absent_bucket_fails_when_it_is_called(clerk):
    with pytest.raises(errors.ObjectNotFoundException, match="list_objects_v2 s3://no-such-bucket"):
        clerk.list_objects("no-such-bucket")


@pytest.mark.parametrize("key", ["a b+c%2B&=é ü.txt", "日本/語.txt", "tab\tin it", "x" * 200])
def test_keys_with_unusual_characters_round_trip(clerk, store, key):
    clerk.upload_object(b"1", store.bucket, key)
    clerk.copy_object(store.bucket, key, store.bucket, key + ".copy")
    clerk.move_object(store.bucket, key, store.bucket, key + ".moved")
    assert sorted(found["Key"] for found in clerk.list_objects(store.bucket)) == [key + ".copy", key + ".moved"]
    assert clerk.get_object(store.bucket, key + ".moved") == b"1"


# SeaweedFS takes such keys for paths.
@ON_MOTO
@pytest.mark.parametrize("key", ["trailing/", "a//b", "a\\b", "../a", "./a"])
def test_keys_that_look_like_odd_paths_round_trip(clerk, store, key):
    clerk.upload_object(b"1", store.bucket, key)
    clerk.move_object(store.bucket, key, store.bucket, key + ".moved")
    assert store.keys_of() == [key + ".moved"]


@pytest.mark.parametrize(
    "call",
    [
        lambda clerk, bucket: clerk.get_object(bucket, "absent"),
        lambda clerk, bucket: clerk.get_object_info(bucket, "absent"),
        lambda clerk, bucket: list(clerk.iterate_object(bucket, "absent")),
        lambda clerk, bucket: clerk.download_object(bucket, "absent", "/tmp/never-written"),
        lambda clerk, bucket: clerk.copy_object(bucket, "absent", bucket, "copy"),
        lambda clerk, bucket: clerk.move_object(bucket, "absent", bucket, "copy"),
        lambda clerk, bucket: clerk.move_object(bucket, "absent", bucket, "absent"),
    ],
)
def test_an_absent_object_is_an_error_with_its_address(clerk, store, call):
    with pytest.raises(errors.ObjectNotFoundException, match=f"s3://{store.bucket}/absent") as caught:
        call(clerk, store.bucket)
    assert isinstance(caught.value, errors.ObjectClerkException)
    assert caught.value.attempts == 1


# SeaweedFS makes the bucket.
@ON_MOTO
@pytest.mark.usefixtures("store")
def test_an_absent_bucket_is_an_error_at_once(clerk):
    with pytest.raises(errors.ObjectNotFoundException, match="NoSuchBucket") as caught:
        clerk.upload_object(b"1", "no-such-bucket", "key")
    assert caught.value.attempts == 1


def test_wrong_keys_are_an_auth_error_at_once(store):
    clerk = ObjectClerk(store.host, store.port, "unknown", "wrong", 0, 1, 0, 0, 5)
    with pytest.raises(errors.ObjectClerkServerAuthException, match=f"get_object s3://{store.bucket}/key") as caught:
        clerk.get_object(store.bucket, "key")
    assert caught.value.attempts == 1


# SeaweedFS has no archive classes.
@ON_MOTO
def test_an_archived_object_is_an_error_of_its_own_type(clerk, store):
    store.put("key", b"1", StorageClass="GLACIER")
    with pytest.raises(errors.ObjectArchivedException):
        clerk.get_object(store.bucket, "key")
    with pytest.raises(errors.ObjectArchivedException):
        clerk.move_object(store.bucket, "key", store.bucket, "other")
    assert store.keys_of() == ["key"]


def test_from_client_works_with_a_client_that_exists(store):
    clerk = ObjectClerk.from_client(store.client, retry_tries=1)
    clerk.upload_object(b"1", store.bucket, "key")
    assert clerk.get_object(store.bucket, "key") == b"1"


@pytest.mark.usefixtures("five_mib_parts")
def test_iterate_object_yields_blocks_in_bounded_memory(clerk, store, body):
    store.put("key", body)
    blocks = clerk.iterate_object(store.bucket, "key")
    first = list(islice(blocks, 3))
    assert max(len(block) for block in first) <= 1024 * 1024
    assert b"".join([*first, *blocks]) == body


def test_download_object_replaces_a_file_only_when_it_is_complete(clerk, store, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(errors.ObjectNotFoundException):
        clerk.download_object(store.bucket, "absent", path)
    assert path.read_bytes() == b"old"
    store.put("key", b"new")
    clerk.download_object(store.bucket, "key", path)
    assert path.read_bytes() == b"new"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_download_object_to_where_no_file_can_be_is_a_save_error(clerk, store, tmp_path):
    store.put("key", b"1")
    with pytest.raises(errors.ObjectSaveException, match="download_object s3://.*/key -> .*absent/file"):
        clerk.download_object(store.bucket, "key", tmp_path / "absent" / "file")
    with pytest.raises(errors.ObjectSaveException, match="not a file"):
        clerk.download_object(store.bucket, "key", "/dev/null")


def test_download_object_writes_through_a_link(clerk, store, tmp_path):
    store.put("key", b"new")
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    clerk.download_object(store.bucket, "key", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_an_object_clerk_does_not_show_its_secret(store):
    clerk = store.clerk_of_its_own()
    assert store.keys["aws_secret_access_key"] not in f"{clerk} {clerk!r} {vars(clerk)}"
