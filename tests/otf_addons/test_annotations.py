"""Annotations of files that are transferred: they arrive, or the source stays and the log says why."""

import os

import pytest

from tasks.otf_addons.bucket_copies import BucketCopies
from tasks.otf_addons.listing import list_objects
from tasks.otf_addons.s3_handlers import S3Transfer
from tests.otf_addons.conftest import moto_store
from tests.otf_addons.definitions import destination, local, source, transfer

NOTES = {"note": b"{}", "other": "ü".encode()}
DELETE = {"action": "delete"}


@pytest.fixture(name="inbox")
def make_inbox(aws):
    return moto_store(aws, "inbox")


@pytest.fixture(name="outbox")
def make_outbox(aws):
    return moto_store(aws, "outbox")


@pytest.fixture(name="elsewhere")
def bucket_of_seaweedfs(new_store):
    return new_store("elsewhere", number=1)


def protocol_of(store):
    return {
        "endpoint_url": store.endpoint_url,
        "access_key_id": store.keys["aws_access_key_id"],
        "secret_access_key": store.keys["aws_secret_access_key"],
        "region_name": store.keys["region_name"],
    }


def put(store, key, body=b"bytes", **notes):
    store.put(key, body)
    annotate(store, key, **notes)


def annotate(store, key, **notes):
    for name, payload in notes.items():
        where = {"Bucket": store.bucket, "Key": key, "AnnotationName": name}
        store.client.put_object_annotation(**where, AnnotationPayload=payload)


def notes_of(store, key):
    where = {"Bucket": store.bucket, "Key": key}
    names = [one["AnnotationName"] for one in store.client.list_object_annotations(**where).get("Annotations", [])]
    found = {name: store.client.get_object_annotation(**where, AnnotationName=name) for name in names}
    return {name: answer["AnnotationPayload"].read() for name, answer in found.items()}


@pytest.mark.parametrize("way", ["direct", "proxy"])
@pytest.mark.parametrize("action", ["none", "delete", "move"])
def test_annotations_go_along(framework, inbox, outbox, way, action):
    put(inbox, "src/a", **NOTES)
    after = {"action": action, **({"destination": "archive/"} if action == "move" else {})}
    there = destination(outbox.bucket, **({"transferType": "proxy"} if way == "proxy" else {}))

    ran = framework.run(transfer(source(inbox.bucket, postCopyAction=after), there))

    assert ran.ok, ran.said
    assert notes_of(outbox, "dest/a") == NOTES
    stays = {"none": ["src/a"], "delete": [], "move": ["archive/a"]}[action]
    assert [(key, notes_of(inbox, key)) for key in inbox.keys_of()] == [(key, NOTES) for key in stays]


def test_annotations_go_along_through_this_machine(inbox, outbox):
    """This is the way of two sides with different credentials."""
    body = os.urandom(1024)
    put(inbox, "src/a", body, **NOTES)
    ours, theirs = (
        S3Transfer({**one, "task_id": "task"}) for one in (source(inbox.bucket), destination(outbox.bucket))
    )
    copies = BucketCopies(ours.connection, theirs.connection)
    copies.inside_s3 = False
    ours.list_files()
    (found,) = list_objects(ours.connection.requests(), ours.options.place, None).values()
    copies.copy(found, theirs.targets_of(["src/a"])["src/a"])
    assert (outbox.bytes_of("dest/a"), notes_of(outbox, "dest/a")) == (body, NOTES)


@pytest.fixture(name="places")
def places_that_keep_no_annotations(elsewhere, tmp_path):
    (tmp_path / "in").mkdir()
    server = destination(elsewhere.bucket, protocol=protocol_of(elsewhere))
    return {"folder": local(tmp_path / "in"), "server without annotations": server}


@pytest.mark.parametrize("notes", [{}, NOTES], ids=["none", "some"])
@pytest.mark.parametrize("to", ["server without annotations", "folder"])
def test_source_whose_annotations_cannot_arrive_stays(framework, inbox, places, notes, to):
    put(inbox, "src/a", **notes)
    there = places[to]

    ran = framework.run(transfer(source(inbox.bucket, postCopyAction=DELETE), there))

    assert ran.ok == (not notes), ran.said
    assert inbox.keys_of() == (["src/a"] if notes else [])
    if notes:
        assert "the source stays, for 2 of its annotations did not arrive: note, other" in ran.said
        assert notes_of(inbox, "src/a") == NOTES


@pytest.mark.parametrize("late", [{"late": b"late"}, {"note": b"changed"}], ids=["new", "changed"])
def test_source_that_was_annotated_after_the_copy_stays(inbox, outbox, late):
    put(inbox, "src/a", **NOTES)
    given = source(inbox.bucket, postCopyAction=DELETE)
    ours, theirs = (S3Transfer({**one, "task_id": "task"}) for one in (given, destination(outbox.bucket)))
    files = list(ours.list_files())
    assert ours.transfer_files(files, {}, theirs) == 0
    annotate(inbox, "src/a", **late)
    assert ours.handle_post_copy_action(files) == 1
    assert notes_of(inbox, "src/a") == {**NOTES, **late}
    assert inbox.bytes_of("src/a") == b"bytes"


def test_source_whose_annotations_cannot_be_listed_stays(framework, inbox, outbox):
    put(inbox, "src/a")
    ours = S3Transfer({**source(inbox.bucket, postCopyAction=DELETE), "task_id": "task"})
    theirs = S3Transfer({**destination(outbox.bucket), "task_id": "task"})
    files = list(ours.list_files())
    assert ours.transfer_files(files, {}, theirs) == 0
    client = ours.connection.requests().client
    client.meta.events.register("before-send.s3.ListObjectAnnotations", refuse)
    assert ours.handle_post_copy_action(files) == 1
    assert inbox.keys_of() == ["src/a"]
    del framework


def refuse(request, **_):
    del request
    raise TimeoutError("injected")
