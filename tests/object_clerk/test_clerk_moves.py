"""A move deletes the object that it copied with its tags and annotations, and no later object (I1)."""

import itertools

import pytest

from tasks.object_clerk import ObjectClerk, errors
from tests.support.dying_client import DyingClient, Killed
from tests.support.proxy import Fault

LIST = "annotation"


def tags_of(store, key):
    tags = store.client.get_object_tagging(Bucket=store.bucket, Key=key)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def put_tags(store, key, **tags):
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    store.client.put_object_tagging(Bucket=store.bucket, Key=key, Tagging={"TagSet": tag_set})


def meanwhile(do):
    """Something that happens once, after the server has done a request and before its answer arrives."""

    def down(head, body):
        if not done:
            done.append(True)
            do()
        return head, body

    done = []
    return down


def move(store, way, **how):
    store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved", **how)


REWRITES = {
    "metadata": {"Metadata": {"station": "south"}},
    "content type": {"Metadata": {"station": "north"}, "ContentType": "text/csv"},
}


MOMENTS = {"look": ("HEAD", "/key"), "copy": ("PUT", "/moved"), "annotations": ("GET", LIST)}


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES)
@pytest.mark.parametrize("at", MOMENTS.values(), ids=MOMENTS)
def test_a_newer_write_of_the_same_bytes_is_not_deleted(store, way, at, rewrite):
    store.put("key", b"1", Metadata={"station": "north"})
    way.add(Fault(*at, down=meanwhile(lambda: store.put("key", b"1", **rewrite))))
    move(store, way)
    found = store.head("key")
    assert {name: found[name] for name in rewrite} == rewrite
    assert store.bytes_of("moved") == b"1"


def test_a_newer_write_that_differs_in_its_time_alone_is_not_deleted(store, way):
    store.put("key", b"1")

    def older(head, body):
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"last-modified:")]
        return b"\r\n".join([lines[0], b"Last-Modified: Fri, 01 May 2026 12:00:00 GMT", *lines[1:]]), body

    way.add(Fault("HEAD", "/key", down=older))
    move(store, way)
    assert store.keys_of() == ["key", "moved"]


def test_a_newer_write_of_the_same_bytes_survives_the_second_try_of_a_delete(store, way):
    store.put("key", b"1")
    newer = meanwhile(lambda: store.put("key", b"1", Metadata={"a": "newer"}))
    way.add(Fault("DELETE", "/key", down=newer, lost=True))
    move(store, way)
    assert store.head("key")["Metadata"] == {"a": "newer"}


@pytest.mark.parametrize("before, after", [("", {"a": "1"}), ("a=1", {"a": "2"}), ("a=1", {"b": "1"}), ("a=1", {})])
@pytest.mark.parametrize("moment", ["copy", "annotations"])
def test_tags_that_are_changed_after_the_copy_are_moved_too(store, way, moment, before, after):
    store.put("key", b"1", Tagging=before)
    way.add(Fault(*MOMENTS[moment], down=meanwhile(lambda: put_tags(store, "key", **after))))
    move(store, way)
    assert store.keys_of() == ["moved"]
    assert tags_of(store, "moved") == after


def test_tags_of_a_version_that_are_changed_after_the_copy_are_moved_too(store, way):
    store.keep_versions()
    store.put("key", b"1", Tagging="a=1")
    way.add(Fault("GET", LIST, down=meanwhile(lambda: put_tags(store, "key", a="2"))))
    move(store, way)
    assert store.keys_of() == ["moved"]
    assert tags_of(store, "moved") == {"a": "2"}


def test_tags_that_another_writer_put_on_the_copy_stay(store, way):
    store.put("key", b"1", Tagging="a=1")
    way.add(Fault("GET", LIST, down=meanwhile(lambda: put_tags(store, "moved", scanned="yes"))))
    move(store, way)
    assert tags_of(store, "moved") == {"scanned": "yes"}


# SeaweedFS does not know annotations and is asked for one list only.
@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_a_source_whose_tags_change_all_the_time_stays(store, way):
    store.put("key", b"1", Tagging="n=0")
    numbers = iter(range(1, 99))

    def change(head, body):
        put_tags(store, "key", n=str(next(numbers)))
        return head, body

    way.add(Fault("GET", LIST, times=99, down=change))
    with pytest.raises(errors.ObjectChangedException, match="move_object s3://.*/key: the source stays.*tags"):
        move(store, way)
    assert store.bytes_of("key") == b"1"


@pytest.mark.parametrize("versions, looks", [(False, 2), (True, 1)])
def test_a_move_takes_five_requests_and_four_where_versions_are_kept(store, way, versions, looks):
    if versions:
        store.keep_versions()
    store.put("key", b"1")
    # The first list shows whether the server knows annotations.
    store.clerk(port=way.listens_on).copy_object(store.bucket, "key", store.bucket, "other")
    way.requests.clear()
    move(store, way)
    assert [line.split()[0] for line in way.requests] == ["HEAD", "PUT", "GET", *["HEAD"] * (looks - 1), "DELETE"]


def test_a_move_that_is_repeated_after_its_delete_is_found_to_be_done(store, way, caplog):
    etag = store.put("key", b"1")["ETag"]
    move(store, way, etag=etag)
    caplog.set_level("INFO", "bucket_brigade")
    move(store, way, etag=etag)
    assert "already moved" in caplog.text
    assert store.keys_of() == ["moved"]


def test_a_repeated_move_keeps_an_object_written_after_the_first_move(store, way):
    etag = store.put("key", b"1")["ETag"]
    move(store, way, etag=etag)
    store.put("key", b"newer")
    move(store, way, etag=etag)
    assert (store.bytes_of("key"), store.bytes_of("moved")) == (b"newer", b"1")


def test_a_repeated_move_without_its_copy_reports_an_absent_source(store, way):
    etag = store.put("key", b"1")["ETag"]
    store.client.delete_object(Bucket=store.bucket, Key="key")
    store.put("moved", b"other")
    with pytest.raises(errors.ObjectNotFoundException, match="the source is not there"):
        move(store, way, etag=etag)


def test_a_move_without_an_etag_cannot_prove_that_it_was_done_already(store, way):
    store.put("key", b"1")
    move(store, way)
    with pytest.raises(errors.ObjectNotFoundException, match="the source is not there"):
        move(store, way)


def test_a_move_of_another_object_than_the_one_named_is_refused(store, way):
    store.put("key", b"1")
    with pytest.raises(errors.SourceReplacedException, match="ETag .* instead of"):
        move(store, way, etag='"0123"')
    assert store.keys_of() == ["key"]


@pytest.mark.long
@pytest.mark.parametrize("versions", [False, True])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_move_killed_at_any_step_and_repeated_is_done_once(store, done, versions):
    if versions:
        store.keep_versions()

    def move_until(at, etag):
        client = DyingClient(store, store.port, at, done).client
        clerk = ObjectClerk.from_client(client, retry_tries=1)
        clerk.move_object(store.bucket, "key", store.bucket, "moved", etag=etag)

    for at in itertools.count():
        etag = store.put("key", b"%d" % at, Tagging="a=1", Metadata={"n": str(at)})["ETag"]
        try:
            move_until(at, etag)
            break
        except Killed:
            assert b"%d" % at in [store.bytes_of(key) for key in store.keys_of()]
        move_until(999, etag)
        assert store.keys_of() == ["moved"]
        assert (store.bytes_of("moved"), store.head("moved")["Metadata"]) == (b"%d" % at, {"n": str(at)})
        assert tags_of(store, "moved") == {"a": "1"}
