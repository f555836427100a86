"""File watches, and conditions for files."""

import pytest

from tests.otf_addons.definitions import destination, source, transfer


def test_watch_alone_ends_when_the_file_is_there(framework, inbox):
    inbox.put("src/a.txt", b"a")
    watch = {"timeout": 15, "directory": "src", "fileRegex": r".*\.txt"}

    assert framework.run(transfer(source(inbox.bucket, directory=None, fileRegex=None, fileWatch=watch))).ok


def test_watch_that_times_out_fails(framework, inbox):
    inbox.put("src/a.csv", b"a")
    inbox.put("src/deeper/a.txt", b"a")
    watch = {"timeout": 1, "directory": "src", "fileRegex": r".*\.txt"}

    ran = framework.run(transfer(source(inbox.bucket, directory=None, fileRegex=None, fileWatch=watch)))

    assert not ran.ok and "No valid files found after 1 seconds" in ran.said


def test_watch_only_copies_nothing(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    watch = {"timeout": 5, "watchOnly": True}

    ran = framework.run(transfer(source(inbox.bucket, fileWatch=watch), destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == []


def test_watch_for_one_file_starts_the_copy_of_others(framework, inbox, outbox):
    inbox.put("flags/go", b"")
    inbox.put("src/a.txt", b"a")
    watch = {"timeout": 5, "directory": "flags", "fileRegex": "go"}

    ran = framework.run(transfer(source(inbox.bucket, fileWatch=watch), destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == ["dest/a.txt"]


def test_files_of_the_watch_are_copied_if_the_source_names_no_others(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    inbox.put("src/b.csv", b"b")
    watch = {"timeout": 5, "directory": "src", "fileRegex": r".*\.txt"}
    given = source(inbox.bucket, directory=None, fileRegex=None, fileWatch=watch)

    ran = framework.run(transfer(given, destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == ["dest/a.txt"]


@pytest.mark.parametrize(
    ("conditionals", "arrive"),
    [
        ({"size": {"gt": 1, "lt": 100}}, ["dest/middle"]),
        ({"size": {"gt": 1}}, ["dest/large", "dest/middle"]),
        ({"age": {"lt": 600}}, ["dest/large", "dest/middle", "dest/small"]),
        ({"count": {"minCount": 3, "maxCount": 3}}, ["dest/large", "dest/middle", "dest/small"]),
    ],
    ids=str,
)
def test_only_files_that_fulfil_the_conditions_are_copied(framework, inbox, outbox, conditionals, arrive):
    for name, size in {"small": 1, "middle": 50, "large": 1000}.items():
        inbox.put(f"src/{name}", b"x" * size)

    ran = framework.run(transfer(source(inbox.bucket, conditionals=conditionals), destination(outbox.bucket)))

    assert ran.ok, ran.said
    assert outbox.keys_of() == arrive


@pytest.mark.parametrize("conditionals", [{"age": {"gt": 600}}, {"count": {"minCount": 2}}], ids=str)
def test_no_file_that_fulfils_the_conditions_is_a_failure_unless_it_is_none(framework, inbox, outbox, conditionals):
    inbox.put("src/a.txt", b"a")
    given = source(inbox.bucket, conditionals=conditionals)

    ran = framework.run(transfer(given, destination(outbox.bucket)))
    allowed = framework.run(transfer({**given, "error": False}, destination(outbox.bucket)))

    assert not ran.ok and "Valid remote files could not be found" in ran.said
    assert allowed.ok, allowed.said
    assert outbox.keys_of() == []


def test_watch_continues_until_the_conditions_are_fulfilled(framework, inbox):
    inbox.put("src/a.txt", b"a")
    given = source(
        inbox.bucket,
        fileWatch={"timeout": 1},
        conditionals={"size": {"gt": 10}, "age": {"lt": 600}, "count": {"minCount": 1}, "checkDuringFilewatch": True},
    )

    ran = framework.run(transfer(given))
    inbox.put("src/b.txt", b"b" * 11)
    fulfilled = framework.run(transfer(given))

    assert not ran.ok and "No valid files found after 1 seconds" in ran.said
    assert fulfilled.ok, fulfilled.said


def test_missing_bucket_fails_with_a_sentence(framework, inbox):
    ran = framework.run(transfer(source(f"{inbox.bucket}-2")))

    assert not ran.ok and "NoSuchBucket" in ran.said
