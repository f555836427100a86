"""Copies and moves carry annotations. A source whose annotations were not carried is not deleted."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from local.patches import s3_annotations
from tasks.object_clerk import annotation_lists, annotations, errors
from tasks.object_clerk.copies import copy_object
from tasks.object_clerk.moves import move_object
from tasks.object_clerk.part_copies import CopyLimits
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tests.support.proxy import Fault

MIB = 1024 * 1024
LARGE = 6 * MIB
IN_PARTS = CopyLimits(single=5 * MIB, part_size=5 * MIB)
NOTES = {"note": b"{}", "größe.v-1_x": "ü".encode() * 1000, "large": b"x" * MIB}

# More than two pages of the test's own size.
MANY = 45

# A request for an annotation, and one for the list of them, as they read on the way.
ONE, LIST = "annotationName=", "?annotation"


@pytest.fixture(name="store")
def make_store(moto_store):
    """The embedded AWS, which knows annotations; `way` leads to it."""
    return moto_store


def annotate(store, key, notes, **where):
    for name, payload in notes.items():
        about = {"Bucket": store.bucket, "Key": key, "AnnotationName": name, **where}
        store.client.put_object_annotation(**about, AnnotationPayload=payload)


def notes_of(store, key, **where):
    where = {"Bucket": store.bucket, "Key": key, **where}
    pages = store.client.get_paginator("list_object_annotations").paginate(**where)
    names = [one["AnnotationName"] for page in pages for one in page.get("Annotations", [])]
    answers = {name: store.client.get_object_annotation(**where, AnnotationName=name) for name in names}
    return {name: answer["AnnotationPayload"].read() for name, answer in answers.items()}


def requests_to(client):
    return S3Requests(client, RetryPolicy(tries=3, delay=0, jitter=(0, 0), max_delay=0))


def copy_in_parts(store, key, copy, clerk=None):
    del clerk
    places = (S3Object(store.bucket, name) for name in (key, copy))
    return copy_object(requests_to(store.client), *places, size=LARGE, limits=IN_PARTS)


def move_in_parts(store, key, copy, clerk=None):
    del clerk
    move_object(requests_to(store.client), *(S3Object(store.bucket, name) for name in (key, copy)), limits=IN_PARTS)


def copied(store, key, copy, clerk=None):
    (clerk or store.clerk()).copy_object(store.bucket, key, store.bucket, copy)


def moved(store, key, copy, clerk=None):
    (clerk or store.clerk()).move_object(store.bucket, key, store.bucket, copy)


@contextmanager
def after(store, operation, happen):
    """Call a function once, after the client has sent a request."""
    calls = []

    def once(**_):
        if not calls:
            calls.append(True)
            happen()

    store.client.meta.events.register(f"after-call.s3.{operation}", once)
    try:
        yield
    finally:
        store.client.meta.events.unregister(f"after-call.s3.{operation}", once)


@pytest.mark.parametrize("versions", [False, True])
@pytest.mark.parametrize("by", [copied, moved, copy_in_parts, move_in_parts])
def test_annotations_are_carried(store, by, versions):
    if versions:
        store.keep_versions()
    store.put("key", b"1" * LARGE)
    annotate(store, "key", NOTES)
    by(store, "key", "copy")
    assert notes_of(store, "copy") == NOTES
    assert store.bytes_of("copy") == b"1" * LARGE


def test_a_copy_in_parts_carries_annotations_of_several_pages(store, monkeypatch):
    monkeypatch.setattr(s3_annotations, "PAGE", 20)
    store.put("key", b"1" * LARGE)
    many = {f"n{number:04}": b"%d" % number for number in range(MANY)}
    annotate(store, "key", many)
    copy_in_parts(store, "key", "copy")
    assert notes_of(store, "copy") == many


@pytest.mark.parametrize("by", [copied, moved])
def test_an_existing_equal_object_gets_the_annotations(store, by):
    store.put("key", b"1")
    annotate(store, "key", {"note": b"new", "same": b"same"})
    store.put("copy", b"1")
    annotate(store, "copy", {"note": b"old", "same": b"same", "own": b"its own"})
    by(store, "key", "copy")
    assert notes_of(store, "copy") == {"note": b"new", "same": b"same", "own": b"its own"}


def test_equal_annotations_under_kms_are_not_put_again(store, way):
    for key in ("key", "copy"):
        store.put(key, b"1", ServerSideEncryption="aws:kms")
        annotate(store, key, {"note": b"text"})
    store.clerk(port=way.listens_on).copy_object(store.bucket, "key", store.bucket, "copy")
    assert not [line for line in way.requests if line.startswith("PUT") and ONE in line]


def test_a_copy_without_annotations_leaves_them(store):
    store.put("key", b"1" * LARGE)
    annotate(store, "key", NOTES)
    places = [S3Object(store.bucket, name) for name in ("key", "whole", "parts")]
    requests, ignoring = requests_to(store.client), {"annotations": annotations.IGNORE}
    copy_object(requests, places[0], places[1], **ignoring)
    copy_object(requests, places[0], places[2], size=LARGE, limits=IN_PARTS, **ignoring)
    assert (notes_of(store, "whole"), notes_of(store, "parts")) == ({}, {})


# A move.


def lists_that_fail():
    always = partial(Fault, "GET", LIST, times=99)
    yield pytest.param(always(refusal=(403, "AccessDenied")), "ListObjectAnnotations", id="list refused")
    yield pytest.param(always(refusal=(500, "InternalError")), "could not be carried", id="list fails")
    yield pytest.param(always(lost=True), "could not be carried", id="answers lost")
    yield pytest.param(Fault("GET", LIST, times=99, cut=30), "could not be carried", id="list cut short")


@pytest.mark.parametrize("fault, reason", list(lists_that_fail()))
@pytest.mark.parametrize("noted", [True, False])
def test_a_move_whose_annotations_cannot_be_listed_leaves_the_source(store, way, fault, reason, noted):
    store.put("key", b"1")
    annotate(store, "key", {"note": b"text"} if noted else {})
    way.add(fault)
    with pytest.raises(errors.ObjectClerkException, match=f"the source stays.*{reason}"):
        store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved")
    assert store.bytes_of("key") == b"1"
    assert notes_of(store, "key") == ({"note": b"text"} if noted else {})


def writes_that_fail():
    always = {"about": ONE, "times": 99}
    broken = "_object_annotation s3://.*/key"
    denied = (403, "AccessDenied")
    yield pytest.param(Fault("GET", **always, refusal=denied), "GetObjectAnnotation", id="read refused")
    yield pytest.param(Fault("GET", **always, cut=3), broken, id="read cut short")
    yield pytest.param(Fault("PUT", **always, refusal=denied), "PutObjectAnnotation", id="put refused")
    yield pytest.param(Fault("PUT", **always, refusal=(503, "SlowDown")), broken, id="put fails")
    yield pytest.param(Fault("PUT", **always, refusal=(501, "NotImplemented")), broken, id="put unknown")
    yield pytest.param(Fault("PUT", **always, lost=True), broken, id="answers lost")


@pytest.mark.parametrize("fault, reason", list(writes_that_fail()))
def test_a_move_whose_annotations_cannot_be_carried_leaves_the_source(store, way, fault, reason):
    store.put("key", b"1")
    annotate(store, "key", {"note": b"text"})
    # An equal object exists already, so CopyObject does not carry them.
    store.put("moved", b"1")
    way.add(fault)
    with pytest.raises(errors.ObjectClerkException, match=reason):
        store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved")
    assert (store.bytes_of("key"), notes_of(store, "key")) == (b"1", {"note": b"text"})


def test_a_move_to_a_server_without_annotations_leaves_the_source(store, monkeypatch):
    store.put("key", b"1")
    annotate(store, "key", {"note": b"text"})
    listed = annotations.annotations_of
    monkeypatch.setattr(
        annotations, "annotations_of", lambda requests, at: None if at.key == "moved" else listed(requests, at)
    )
    with pytest.raises(errors.ObjectClerkException, match="the destination does not take any"):
        store.clerk().move_object(store.bucket, "key", store.bucket, "moved")
    assert (store.bytes_of("key"), notes_of(store, "key")) == (b"1", {"note": b"text"})


@pytest.mark.parametrize("versions", [False, True])
def test_an_annotation_put_after_the_copy_is_moved_too(store, versions):
    if versions:
        store.keep_versions()
    store.put("key", b"1")
    annotate(store, "key", {"note": b"old"})
    with after(store, "CopyObject", lambda: annotate(store, "key", {"note": b"new", "late": b"late"})):
        moved_by = S3Object(store.bucket, "key"), S3Object(store.bucket, "moved")
        move_object(requests_to(store.client), *moved_by)
    assert notes_of(store, "moved") == {"note": b"new", "late": b"late"}
    assert store.keys_of() == ["moved"]


def test_annotations_are_not_put_on_an_object_that_replaced_the_copy(store):
    store.put("key", b"1" * LARGE)
    annotate(store, "key", {"note": b"text"})
    store.keep_versions()
    other = []
    with after(store, "CompleteMultipartUpload", lambda: other.append(store.put("copy", b"other")["VersionId"])):
        copy = copy_in_parts(store, "key", "copy")
    assert notes_of(store, "copy", VersionId=other[0]) == {}
    assert notes_of(store, "copy", VersionId=copy.destination.version_id) == {"note": b"text"}


@pytest.mark.parametrize("change", ["replaced", "deleted"])
def test_annotations_of_an_unversioned_copy_wait_for_the_copy(store, change):
    store.put("key", b"1" * LARGE)
    annotate(store, "key", {"note": b"text"})
    happen = {
        "replaced": lambda: store.put("copy", b"other"),
        "deleted": lambda: store.clerk().delete_object(store.bucket, "copy"),
    }
    with after(store, "CompleteMultipartUpload", happen[change]):
        if change == "deleted":
            with pytest.raises(errors.ObjectNotFoundException):
                copy_in_parts(store, "key", "copy")
            return
        copy_in_parts(store, "key", "copy")
    # A lost race: both sides were observed again, and the copy was made again.
    assert (store.bytes_of("copy"), notes_of(store, "copy")) == (b"1" * LARGE, {"note": b"text"})


def test_annotations_of_a_kept_version_are_carried(store):
    store.keep_versions()
    first = store.put("key", b"1" * LARGE)["VersionId"]
    annotate(store, "key", {"note": b"first"})
    store.put("key", b"2")
    annotate(store, "key", {"note": b"second"})
    source, copy = S3Object(store.bucket, "key", first), S3Object(store.bucket, "copy")
    copy_object(requests_to(store.client), source, copy, size=LARGE, limits=IN_PARTS)
    assert notes_of(store, "copy") == {"note": b"first"}


def test_a_refused_copy_names_the_permissions_for_annotations(store, way):
    store.put("key", b"1")
    way.add(Fault("PUT", "/copy", refusal=(403, "AccessDenied")))
    with pytest.raises(errors.ObjectClerkServerAuthException, match="s3:GetObjectAnnotation.*s3:PutObjectAnnotation"):
        store.clerk(port=way.listens_on).copy_object(store.bucket, "key", store.bucket, "copy")


@pytest.mark.parametrize("code", [(501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "InvalidArgument")])
def test_an_object_of_a_server_without_annotations_is_moved(store, way, code):
    store.put("key", b"1")
    way.add(Fault("GET", LIST, times=99, refusal=code))
    store.clerk(port=way.listens_on).move_object(store.bucket, "key", store.bucket, "moved")
    assert store.keys_of() == ["moved"]


def test_nothing_is_written_before_the_server_has_shown_that_it_knows_annotations(store):
    etag = store.put("key", b"1")["ETag"]
    requests, address = requests_to(store.client), S3Object(store.bucket, "key")
    work = annotations.AnnotationCopy(requests, address, requests, address, etag)
    with pytest.raises(errors.ObjectClerkException, match="has not shown that it knows annotations"):
        getattr(work, "_write")("put_object_annotation", "note", AnnotationPayload=b"x")
    assert store.bytes_of("key") == b"1"


def test_threads_prepare_a_new_client_for_lists_in_turn(store, monkeypatch):
    """In parallel, each thread would get its own description, and botocore would use one that is not prepared."""
    store.put("key", b"bytes")
    annotate(store, "key", NOTES)
    both, together = threading.Barrier(2), []
    described = store.client.meta.service_model.operation_model

    def describe(name):
        if name == annotation_lists.LIST and threading.current_thread() not in together:
            together.append(threading.current_thread())
            with suppress(threading.BrokenBarrierError):
                both.wait(0.3)
                pytest.fail("two threads prepare the client at the same time")
        return described(name)

    monkeypatch.setattr(store.client.meta.service_model, "operation_model", describe)
    requests, address = requests_to(store.client), S3Object(store.bucket, "key")
    with ThreadPoolExecutor(2) as pool:
        lists = [pool.submit(annotation_lists.annotations_of, requests, address) for _ in range(2)]
        assert [sorted(each.result()) for each in lists] == [sorted(NOTES)] * 2


def test_limits_are_those_of_s3():
    assert annotations.MOST_BYTES == s3_annotations.PAYLOAD_BYTES
    assert annotation_lists.MOST_LISTED > s3_annotations.PAGE * (s3_annotations.NAME_BYTES + 400)
