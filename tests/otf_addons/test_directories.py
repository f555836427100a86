"""Errors of other S3 add-ons for the framework with directories, listings and flag files, on a real S3 server."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.otf_addons import listing
from tasks.otf_addons.s3_handlers import FILES_AT_ONCE
from tests.otf_addons.conftest import moto_store
from tests.otf_addons.definitions import S3_EXECUTION, S3_TRANSFER, destination, local, source, touch, transfer
from tests.otf_addons.transfers import DELETE, handler
from tests.support.proxy import Fault, Proxy
from tests.support.wire import Wire


def test_move_into_its_own_directory_keeps_the_object(framework, inbox):
    inbox.put("src/a.txt", b"a")
    given = source(inbox.bucket, postCopyAction={"action": "move", "destination": "src/"})

    ran = framework.run(transfer(given))

    assert not ran.ok and "src/a.txt would be put onto itself" in ran.said
    assert inbox.bytes_of("src/a.txt") == b"a"


def test_move_that_is_refused_is_refused_before_anything_is_copied(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    given = source(inbox.bucket, postCopyAction={"action": "move", "destination": "src/"})

    assert not framework.run(transfer(given, destination(outbox.bucket))).ok

    assert outbox.keys_of() == []


def test_two_keys_of_one_name_are_refused_and_both_stay(framework, inbox, outbox, tmp_path):
    inbox.put("a/x.txt", b"1")
    inbox.put("b/x.txt", b"2")
    (tmp_path / "in").mkdir()
    given = source(inbox.bucket, directory=None, **DELETE)

    for target in (destination(outbox.bucket), local(tmp_path / "in")):
        ran = framework.run(transfer(given, target))

        assert not ran.ok and "a/x.txt, b/x.txt would all become" in ran.said
        assert (inbox.keys_of(), outbox.keys_of()) == (["a/x.txt", "b/x.txt"], [])
        assert not list((tmp_path / "in").iterdir())


def test_rename_leaves_the_directory_alone(framework, inbox):
    inbox.put("abc/abc.txt", b"a")
    action = {"action": "rename", "destination": "abc/done/", "pattern": "abc", "sub": "xyz"}

    ran = framework.run(transfer(source(inbox.bucket, directory="abc", postCopyAction=action)))

    assert ran.ok, ran.said
    assert inbox.keys_of() == ["abc/done/xyz.txt"]


def test_pattern_has_to_match_the_whole_name(framework, inbox, outbox):
    for name in ("a.txt", "a.txt.bak", "ba.txt"):
        inbox.put(f"src/{name}", b"a")

    ran = framework.run(transfer(source(inbox.bucket, fileRegex=r"a.*\.txt"), destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == ["dest/a.txt"]


@pytest.mark.parametrize("directory", ["", None])
def test_missing_directory_gives_no_key_with_a_slash_in_front(framework, inbox, tmp_path, directory):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_bytes(b"a")

    there = destination(inbox.bucket, directory=directory)
    ran = framework.run(transfer(local(tmp_path / "out", fileRegex=".*"), there))

    assert ran.ok, ran.said
    assert inbox.keys_of() == ["a.txt"]


@pytest.mark.parametrize(
    ("count", "page_size"), [(25, 10), pytest.param(1500, None, marks=pytest.mark.chaos)], ids=["few", "many"]
)
def test_files_of_several_pages_are_listed_copied_and_deleted(inbox, outbox, monkeypatch, count, page_size):
    if page_size:
        monkeypatch.setattr(listing, "PAGE_SIZE", page_size)
    pages = -(-count // (page_size or 1000))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: inbox.put(f"src/{number:04}.txt", b"%d" % number), range(count)))
    giving, taking = handler(source(inbox.bucket, **DELETE)), handler(destination(outbox.bucket))
    wire = Wire()
    with wire.listening(giving.connection.client.meta.events):
        files = giving.list_files("src", r".*\.txt")
        # Whole pages, and no request for a single file.
        assert wire.sent == ["ListObjectsV2"] * pages
        assert len(files) == count
        assert files["src/0020.txt"]["size"] == 2
        assert giving.transfer_files(files, taking.spec, dest_remote_handler=taking) == 0
        assert giving.handle_post_copy_action(files) == 0
        # The first observations show that there are no versions. After that a file takes a copy, which the other side
        # requests, and its deletion.
        assert wire.sent.count("DeleteObject") == count
        assert len(wire.sent) <= pages + count + FILES_AT_ONCE

    assert outbox.keys_of() == [f"dest/{number:04}.txt" for number in range(count)]
    assert outbox.bytes_of("dest/0020.txt") == b"20"
    assert inbox.keys_of() == []


@pytest.fixture(name="store", params=["moto", "seaweedfs"])
def bucket_of_each_server(request):
    if request.param == "moto":
        return moto_store(request.getfixturevalue("aws"), "bucket")
    return request.getfixturevalue("inbox")


def test_markers_of_directories_are_no_files(store):
    for key in ("src/", "src/deeper/", "src/a.txt"):
        store.put(key, b"")

    assert list(handler(source(store.bucket)).list_files("src", ".*")) == ["src/a.txt"]
    assert list(handler(source(store.bucket)).list_files("", ".*")) == ["src/a.txt"]


@pytest.mark.parametrize("name", [S3_TRANSFER, S3_EXECUTION])
def test_execution_of_either_name_touches_a_file(framework, inbox, name):
    ran = framework.run(touch(inbox.bucket, "test_key.flg", name))

    assert ran.ok, ran.said
    assert inbox.bytes_of("test_key.flg") == b""


def test_flag_is_not_written_when_an_upload_failed(framework, inbox, tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "out" / name).write_bytes(b"x")
    given = local(tmp_path / "out", fileRegex=".*")
    with Proxy(inbox.host, inbox.port) as way:
        way.add(Fault(method="PUT", about="b.txt", times=99, refusal=(403, "AccessDenied")))
        there = destination(
            inbox.bucket, protocol={"endpoint_url": f"http://127.0.0.1:{way.listens_on}"}, flags={"fullPath": "done"}
        )

        ran = framework.run(transfer(given, there))
        taking = handler(there)
        assert taking.push_files_from_worker(str(tmp_path / "out")) == 1
        assert taking.create_flag_files() == 1

    assert not ran.ok and "b.txt" in ran.said
    assert inbox.keys_of() == ["dest/a.txt"]


def test_flag_that_would_replace_a_file_is_refused(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    there = destination(outbox.bucket, flags={"fullPath": "dest/a.txt"})

    ran = framework.run(transfer(source(inbox.bucket, **DELETE), there))

    assert not ran.ok and "src/a.txt would be replaced by the flag file" in ran.said
    assert (inbox.keys_of(), outbox.keys_of()) == (["src/a.txt"], [])
