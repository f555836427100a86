"""Annotations go along with their object."""

from tests.archive_copy.conftest import PROTECTED, RESTORED
from tests.archive_copy.outcomes import failed_files, put
from tests.archive_copy.source_objects import CONTENT
from tests.support.events import s3_event, s3_record


def annotate(s3, key, **notes):
    for name, payload in notes.items():
        s3.put_object_annotation(Bucket=RESTORED, Key=key, AnnotationName=name, AnnotationPayload=payload)


def notes_of(s3, key):
    where = {"Bucket": PROTECTED, "Key": key}
    names = [one["AnnotationName"] for one in s3.list_object_annotations(**where).get("Annotations", [])]
    found = {name: s3.get_object_annotation(**where, AnnotationName=name) for name in names}
    return {name: answer["AnnotationPayload"].read() for name, answer in found.items()}


def test_annotations_go_along_in_the_one_request(archive, s3, wire):
    put(s3, "a.hdf")
    annotate(s3, "a.hdf", note=b"{}")
    wire.sent.clear()
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert wire.sent == ["CopyObject"]
    assert notes_of(s3, "a.hdf") == {"note": b"{}"}


def test_annotations_go_along_in_parts(large_from_6_mib, s3):
    s3.put_object(Bucket=RESTORED, Key="a.hdf", Body=CONTENT)
    annotate(s3, "a.hdf", note=b"{}")
    large_from_6_mib(s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT))))
    assert notes_of(s3, "a.hdf") == {"note": b"{}"}


def test_annotations_that_an_interrupted_copy_left_come_with_the_next_delivery(large_from_6_mib, s3, wire):
    s3.put_object(Bucket=RESTORED, Key="a.hdf", Body=CONTENT)
    annotate(s3, "a.hdf", note=b"{}")
    event = s3_event(s3_record(RESTORED, "a.hdf", size=len(CONTENT)))
    wire.fail("PutObjectAnnotation", (403, "AccessDenied"))
    failed = failed_files(large_from_6_mib, event)
    assert "s3:PutObjectAnnotation" in failed[0]["err_msg"]
    large_from_6_mib(event)
    assert notes_of(s3, "a.hdf") == {"note": b"{}"}


def test_ignored_annotations_are_not_copied_and_are_logged(archive, environment, s3, wire, capsys):
    environment(ANNOTATIONS="ignore")
    put(s3, "a.hdf")
    annotate(s3, "a.hdf", note=b"{}")
    wire.sent.clear()
    archive(s3_event(s3_record(RESTORED, "a.hdf")))
    assert (wire.sent, notes_of(s3, "a.hdf")) == (["CopyObject", *wire.sent[1:]], {})
    assert '"not_carried":["annotations"]' in capsys.readouterr().out


def test_refused_copy_names_the_permissions_for_annotations(archive, s3, wire):
    put(s3, "a.hdf")
    wire.fail("CopyObject", (403, "AccessDenied"))
    failed = failed_files(archive, s3_event(s3_record(RESTORED, "a.hdf")))
    assert "s3:GetObjectAnnotation" in failed[0]["err_msg"] and "s3:PutObjectAnnotation" in failed[0]["err_msg"]
