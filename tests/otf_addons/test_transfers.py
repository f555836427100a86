"""Whole tasks, as users of the framework run them, on a real S3 server."""

import pytest

from tests.otf_addons.definitions import destination, local, source, transfer


def test_files_of_a_directory_go_to_another_bucket(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a", ContentType="text/plain", Metadata={"origin": "x"}, Tagging="k=v")
    inbox.put("src/deeper/b.txt", b"b")
    inbox.put("c.txt", b"c")

    ran = framework.run(transfer(source(inbox.bucket, fileRegex=r".*\.txt"), destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == ["dest/a.txt"]
    copy = outbox.head("dest/a.txt")
    assert (copy["ContentType"], copy["Metadata"]) == ("text/plain", {"origin": "x"})
    tags = outbox.client.get_object_tagging(Bucket=outbox.bucket, Key="dest/a.txt")["TagSet"]
    assert tags == [{"Key": "k", "Value": "v"}]
    assert inbox.keys_of() == ["c.txt", "src/a.txt", "src/deeper/b.txt"]


def test_files_go_to_a_folder_of_this_machine(framework, inbox, tmp_path):
    inbox.put("src/a.txt", b"a")
    inbox.put("src/empty.txt", b"")
    (tmp_path / "in").mkdir()

    ran = framework.run(transfer(source(inbox.bucket), local(tmp_path / "in")))

    assert ran.ok, ran.said
    assert {file.name: file.read_bytes() for file in (tmp_path / "in").iterdir()} == {"a.txt": b"a", "empty.txt": b""}
    assert not (tmp_path / "staging").exists() or not list((tmp_path / "staging").iterdir())


def test_files_of_this_machine_go_to_a_bucket(framework, inbox, tmp_path):
    (tmp_path / "out").mkdir()
    for name, data in {"a.txt": b"a", ".hidden.txt": b"h", "empty.txt": b""}.items():
        (tmp_path / "out" / name).write_bytes(data)

    ran = framework.run(transfer({**local(tmp_path / "out"), "fileRegex": ".*txt"}, destination(inbox.bucket)))

    assert ran.ok, ran.said
    assert {key: inbox.bytes_of(key) for key in inbox.keys_of()} == {
        "dest/.hidden.txt": b"h",
        "dest/a.txt": b"a",
        "dest/empty.txt": b"",
    }


@pytest.mark.parametrize("option", ["flags", "flag"])
def test_flag_file_is_written_after_the_files(framework, inbox, outbox, option):
    inbox.put("src/a.txt", b"a")
    flag = {option: {"fullPath": "dest/some_fin.flg"}}

    ran = framework.run(transfer(source(inbox.bucket), destination(outbox.bucket, **flag)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == ["dest/a.txt", "dest/some_fin.flg"]
    assert outbox.bytes_of("dest/some_fin.flg") == b""


def test_destination_renames_the_files(framework, inbox, outbox):
    inbox.put("src/abc-abc.txt", b"a")
    rename = {"pattern": "abc", "sub": "def"}

    ran = framework.run(transfer(source(inbox.bucket), destination(outbox.bucket, directory="abc", rename=rename)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == ["abc/def-def.txt"]


def test_destination_without_directory_is_the_root_of_the_bucket(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")

    ran = framework.run(transfer(source(inbox.bucket), destination(outbox.bucket, directory=None)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == ["a.txt"]


def test_post_copy_delete_removes_the_sources(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    inbox.put("src/b.csv", b"b")
    given = source(inbox.bucket, fileRegex=r".*\.txt", postCopyAction={"action": "delete"})

    ran = framework.run(transfer(given, destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert (inbox.keys_of(), outbox.keys_of()) == (["src/b.csv"], ["dest/a.txt"])


def test_post_copy_move_within_the_bucket(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a", Metadata={"origin": "x"})
    given = source(inbox.bucket, postCopyAction={"action": "move", "destination": "src/archive/"})

    ran = framework.run(transfer(given, destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert (inbox.keys_of(), outbox.keys_of()) == (["src/archive/a.txt"], ["dest/a.txt"])
    assert inbox.head("src/archive/a.txt")["Metadata"] == {"origin": "x"}


@pytest.mark.parametrize(("directory", "key"), [("PCA/", "PCA/a.txt"), ("", "a.txt")])
def test_post_copy_move_to_another_bucket(framework, inbox, outbox, directory, key):
    inbox.put("src/a.txt", b"a")
    action = {"action": "move", "destination": f"s3://{outbox.bucket}/{directory}"}

    ran = framework.run(transfer(source(inbox.bucket, postCopyAction=action), destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert (inbox.keys_of(), outbox.keys_of()) == ([], sorted([key, "dest/a.txt"]))


def test_post_copy_rename_changes_the_name_and_not_the_directory(framework, inbox):
    inbox.put("src/file-1.txt", b"1")
    action = {"action": "rename", "destination": "file-archive/", "pattern": "file-(.*)", "sub": r"done-\1"}

    ran = framework.run(transfer(source(inbox.bucket, postCopyAction=action)))

    assert ran.ok, ran.said
    assert inbox.keys_of() == ["file-archive/done-1.txt"]


@pytest.mark.parametrize("action", ["none", ""])
def test_post_copy_action_none_leaves_the_sources(framework, inbox, outbox, action):
    inbox.put("src/a.txt", b"a")

    ran = framework.run(transfer(source(inbox.bucket, postCopyAction={"action": action}), destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert (inbox.keys_of(), outbox.keys_of()) == (["src/a.txt"], ["dest/a.txt"])


def test_two_destinations_get_the_same_files(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")

    destinations = destination(outbox.bucket, transferType="push"), destination(inbox.bucket)
    ran = framework.run(transfer(source(inbox.bucket), *destinations))

    assert ran.ok, ran.said
    assert (outbox.bytes_of("dest/a.txt"), inbox.bytes_of("dest/a.txt")) == (b"a", b"a")
