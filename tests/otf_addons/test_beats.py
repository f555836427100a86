"""The errors of other add-ons of these names, each on a real S3 server with the input that shows it.

The tests hold I1, no loss, and I2, the old copy lives until the new one is whole.
"""

import io
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.object_clerk import copies
from tasks.object_clerk.part_copies import CopyLimits
from tasks.otf_addons import listing
from tasks.otf_addons.s3_handlers import FILES_AT_ONCE, S3Transfer
from tests.otf_addons.conftest import moto_store
from tests.otf_addons.definitions import S3_EXECUTION, S3_TRANSFER, destination, local, source, touch, transfer
from tests.support.proxy import Fault, Proxy
from tests.support.wire import Wire

MIB = 1024 * 1024
DELETE = {"postCopyAction": {"action": "delete"}}


def handler(definition):
    return S3Transfer({**definition, "task_id": "task"})


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


@pytest.mark.parametrize(
    "where",
    [
        "source",
        "source fileWatch",
        "source conditionals size",
        "source postCopyAction",
        "source protocol",
        "destination",
        "destination flags",
        "destination rename",
        "destination protocol",
    ],
)
def test_option_that_does_not_exist_is_refused_by_name(framework, inbox, outbox, where):
    inbox.put("src/a.txt", b"a")
    given = source(
        inbox.bucket,
        fileWatch={"timeout": 1},
        conditionals={"size": {"gt": 0}},
        postCopyAction={"action": "delete"},
    )
    there = destination(outbox.bucket, flags={"fullPath": "flag"}, rename={"pattern": "a", "sub": "b"})
    there["protocol"].update(access_key_id="AKIA", secret_access_key="very-secret")
    side, *path = where.split()
    part = {"source": given, "destination": there}[side]
    for name in path:
        part = part[name]
    part["directroy"] = "x"

    ran = framework.run(transfer(given, there))

    assert not ran.ok and "directroy" in ran.said
    assert "very-secret" not in ran.said
    assert (inbox.keys_of(), outbox.keys_of()) == (["src/a.txt"], [])


MISSPELT = {"bucket": "buckt", "fileRegex": "fileRegx", "directory": "directroy"}


@pytest.mark.parametrize("option, misspelt", MISSPELT.items())
def test_misspelt_option_is_named_beside_the_missing_one(framework, inbox, outbox, option, misspelt):
    given = source(inbox.bucket)
    given[misspelt] = given.pop(option)

    ran = framework.run(transfer(given, destination(outbox.bucket)))

    assert not ran.ok and f"'{misspelt}' was unexpected" in ran.said


@pytest.mark.parametrize("where", ["execution", "protocol"])
def test_option_of_a_touched_file_that_does_not_exist_is_refused_by_name(framework, inbox, where):
    definition = touch(inbox.bucket, "flag", S3_EXECUTION)
    (definition if where == "execution" else definition["protocol"])["directroy"] = "x"

    ran = framework.run(definition)

    assert not ran.ok and "directroy" in ran.said
    assert inbox.keys_of() == []


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [
        ({"assume_role_arn": "arn", "token_expiry_seconds": 899}, "899"),
        ({"assume_role_arn": "arn", "token_expiry_seconds": 43201}, "43201"),
        ({"access_key_id": "AKIA"}, "secret_access_key"),
        ({"assume_role_external_id": "x"}, "assume_role_arn"),
    ],
    ids=["shorter than STS allows", "longer", "half of the keys", "no role"],
)
def test_protocol_that_cannot_work_is_refused_with_the_reason(framework, inbox, protocol, reason):
    ran = framework.run(touch(inbox.bucket, "flag", **protocol))

    assert not ran.ok and reason in ran.said
    assert inbox.keys_of() == []


def test_no_secret_gets_into_the_log(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    keys = {
        "access_key_id": inbox.keys["aws_access_key_id"],
        "secret_access_key": inbox.keys["aws_secret_access_key"],
        "region_name": "us-east-1",
    }
    definition = transfer(source(inbox.bucket, protocol=keys), destination(outbox.bucket, protocol=keys))
    framework.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    framework.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    ran = framework.run(definition)
    detailed = framework.run(definition, verbosity=2)

    assert ran.ok and detailed.ok, ran.said
    assert inbox.keys["aws_secret_access_key"] not in ran.said
    # At a higher level of detail the framework itself logs the definition.
    ours = [line for line in detailed.said.splitlines() if "otf_addons" in line]
    assert ours and not any(inbox.keys["aws_secret_access_key"] in line for line in ours)


HOSTILE = "src/a\r\n2026-11-21 \u2014 INFO - forged\x1b[2J\0\u2028\u202e.txt"


def test_hostile_key_stays_inside_its_log_line(inbox, outbox, caplog):
    giving = handler(source(inbox.bucket, postCopyAction={"action": "move", "destination": "src\n/"}))
    taking = handler(destination(outbox.bucket))
    calls = {
        "copied": lambda: giving.transfer_files([HOSTILE], taking.spec, dest_remote_handler=taking),
        # No path holds NUL.
        "pushed": lambda: taking.push_files_from_worker("", [HOSTILE.replace("\0", "")]),
        "moved": lambda: giving.handle_post_copy_action([HOSTILE]),
        "named twice": lambda: giving.transfer_files([HOSTILE, f"{HOSTILE}/{HOSTILE}"], taking.spec, taking),
    }
    for name, call in calls.items():
        caplog.clear()
        assert call() == 1, name
        assert "forged" in caplog.text, name
        assert all(message.isprintable() for message in caplog.messages), name


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"source": {"fileRegex": "("}}, "'(' is no regular expression"),
        ({"source": {"fileWatch": {"fileRegex": "*"}}}, "'*' is no regular expression"),
        ({"destination": {"rename": {"pattern": "[", "sub": ""}}}, "'[' is no regular expression"),
        ({"destination": {"rename": {"pattern": "a", "sub": r"\1"}}}, "cannot take the place of 'a'"),
    ],
    ids=["regex", "watch", "pattern", "sub"],
)
def test_broken_regular_expression_is_refused_with_a_sentence(framework, inbox, outbox, options, reason):
    inbox.put("src/a.txt", b"a")
    given = source(inbox.bucket, **options.get("source", {}))

    ran = framework.run(transfer(given, destination(outbox.bucket, **options.get("destination", {}))))

    assert not ran.ok and reason in ran.said
    assert outbox.keys_of() == []


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
