"""Errors of other S3 add-ons for the framework that lose or damage files, each shown on a real S3 server.

The tests hold I1, no loss, and I2: the old copy stays until the new one is whole.
"""

import io
import os

import pytest

from tasks.object_clerk import copies
from tasks.object_clerk.part_copies import CopyLimits
from tests.otf_addons.definitions import destination, source, transfer
from tests.otf_addons.transfers import DELETE, MIB, handler
from tests.support.proxy import Fault, Proxy


def test_source_is_not_deleted_when_its_copy_failed(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    inbox.put("src/b.txt", b"b")
    with Proxy(outbox.host, outbox.port) as way:
        way.add(Fault(method="PUT", about="b.txt", times=99, refusal=(403, "AccessDenied")))
        there = destination(outbox.bucket, protocol={"endpoint_url": f"http://127.0.0.1:{way.listens_on}"})

        ran = framework.run(transfer(source(inbox.bucket, **DELETE), there))

    assert not ran.ok
    assert inbox.keys_of() == ["src/a.txt", "src/b.txt"]


def test_newer_object_that_came_after_the_copy_is_not_deleted(inbox, outbox):
    inbox.put("src/a.txt", b"old")
    giving, taking = handler(source(inbox.bucket, **DELETE)), handler(destination(outbox.bucket))
    files = giving.list_files("src", ".*")
    assert giving.transfer_files(files, taking.spec, dest_remote_handler=taking) == 0
    inbox.put("src/a.txt", b"new")

    assert giving.handle_post_copy_action(files) == 0

    assert (inbox.bytes_of("src/a.txt"), outbox.bytes_of("dest/a.txt")) == (b"new", b"old")


@pytest.mark.usefixtures("inbox")
def test_newer_version_that_came_after_the_copy_is_not_deleted(new_store, tmp_path):
    store = new_store("versions", versions=True)
    old = store.put("src/a.txt", b"old")["VersionId"]
    giving = handler(source(store.bucket, **DELETE))
    files = giving.list_files("src", ".*")
    assert giving.pull_files_to_worker(files, str(tmp_path)) == 0
    store.put("src/a.txt", b"new")

    assert giving.handle_post_copy_action(files) == 0

    assert ((tmp_path / "a.txt").read_bytes(), store.bytes_of("src/a.txt")) == (b"old", b"new")
    versions = store.client.list_object_versions(Bucket=store.bucket)
    assert old not in [version["VersionId"] for version in versions["Versions"]]
    assert "DeleteMarkers" not in versions


def test_object_replaced_after_the_listing_is_not_copied(inbox, outbox, tmp_path):
    inbox.put("src/a.txt", b"old")
    giving, taking = handler(source(inbox.bucket)), handler(destination(outbox.bucket))
    files = giving.list_files("src", ".*")
    inbox.put("src/a.txt", b"new one")

    assert giving.transfer_files(files, taking.spec, dest_remote_handler=taking) == 1
    assert giving.pull_files_to_worker(files, str(tmp_path)) == 1
    assert (outbox.keys_of(), list(tmp_path.iterdir())) == ([], [])


def test_newer_object_that_came_after_the_copy_is_not_moved(inbox, outbox):
    inbox.put("src/a.txt", b"old")
    action = {"action": "move", "destination": "archive/"}
    giving, taking = handler(source(inbox.bucket, postCopyAction=action)), handler(destination(outbox.bucket))
    files = giving.list_files("src", ".*")
    assert giving.transfer_files(files, taking.spec, dest_remote_handler=taking) == 0
    inbox.put("src/a.txt", b"new")

    assert giving.handle_post_copy_action(files) == 1

    assert (inbox.keys_of(), inbox.bytes_of("src/a.txt")) == (["src/a.txt"], b"new")


def test_move_without_a_listing_observes_first(inbox):
    inbox.put("src/a.txt", b"a")
    action = {"action": "move", "destination": "archive/"}

    assert handler(source(inbox.bucket, postCopyAction=action)).handle_post_copy_action(["src/a.txt"]) == 0
    assert inbox.keys_of() == ["archive/a.txt"]
    assert handler(source(inbox.bucket, postCopyAction=action)).handle_post_copy_action(["src/gone.txt"]) == 1


def test_deletion_of_a_missing_source_succeeds(inbox):
    inbox.put("src/a.txt", b"a")
    giving = handler(source(inbox.bucket, **DELETE))
    files = giving.list_files("src", ".*")
    inbox.client.delete_object(Bucket=inbox.bucket, Key="src/a.txt")

    assert giving.handle_post_copy_action(files) == 0


def test_copy_in_parts_keeps_metadata_tags_and_type(framework, inbox, outbox, monkeypatch):
    # The limit of S3 is 5 GiB; the copy in parts is the same below it.
    limits = CopyLimits(single=6 * MIB, part_size=5 * MIB)
    monkeypatch.setattr(copies.copy_object, "__kwdefaults__", {**copies.copy_object.__kwdefaults__, "limits": limits})
    body = os.urandom(11 * MIB)
    inbox.put_parts(
        "src/large", body, 5 * MIB, ContentType="image/tiff", Metadata={"origin": "x"}, Tagging="k=v&name=w%20w"
    )

    ran = framework.run(transfer(source(inbox.bucket), destination(outbox.bucket)))

    assert ran.ok, ran.said
    copy = outbox.head("dest/large")
    assert (copy["ContentType"], copy["Metadata"]) == ("image/tiff", {"origin": "x"})
    assert copy["ETag"].endswith('-3"')
    tags = outbox.client.get_object_tagging(Bucket=outbox.bucket, Key="dest/large")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"k": "v", "name": "w w"}
    assert outbox.bytes_of("dest/large") == body


def test_download_that_breaks_continues(inbox, tmp_path):
    body = os.urandom(9 * MIB)
    inbox.client.upload_fileobj(io.BytesIO(body), inbox.bucket, "src/large")
    with Proxy(inbox.host, inbox.port) as way:
        way.add(Fault(method="GET", about="src/large", cut=MIB))
        giving = handler(source(inbox.bucket, protocol={"endpoint_url": f"http://127.0.0.1:{way.listens_on}"}))
        files = giving.list_files("src", ".*")

        assert giving.pull_files_to_worker(files, str(tmp_path)) == 0

    assert (tmp_path / "large").read_bytes() == body


def test_upload_in_parts_is_whole(inbox, tmp_path):
    body = os.urandom(20 * MIB)
    (tmp_path / "large").write_bytes(body)

    assert handler(destination(inbox.bucket)).push_files_from_worker(str(tmp_path)) == 0

    assert inbox.bytes_of("dest/large") == body
    assert inbox.open_uploads() == []
