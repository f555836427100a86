"""Annotations of objects, which moto does not implement."""

import pytest

from local.patches import s3_annotations, s3_events, s3_permissions
from tests.local.patching import patched
from tests.local.test_patches_iam import allow, client_of_role, is_permitted
from tests.local.test_patches_s3_events import ACCOUNT, REGION, listen_to_event_bridge, queue_policy_for_s3

KEY = {"Bucket": "bucket", "Key": "dir/key"}
NOTE = {**KEY, "AnnotationName": "note"}


def put(s3, text=b"text", **how):
    return s3.put_object_annotation(**{**NOTE, **how}, AnnotationPayload=text)


def names(s3, **where):
    return [entry["AnnotationName"] for entry in s3.list_object_annotations(**{**KEY, **where}).get("Annotations", [])]


def payload(s3, **where):
    return s3.get_object_annotation(**{**NOTE, **where}, ChecksumMode="ENABLED")["AnnotationPayload"].read()


@patched(s3_annotations.read_annotations, s3_annotations.put_annotations)
def test_annotation_is_listed_and_read_and_the_object_is_unchanged(stage):
    s3 = stage.s3("bucket")
    etag = s3.put_object(**KEY, Body=b"object")["ETag"]
    put(s3, b"first")
    answer = put(s3, b"{}")
    assert payload(s3) == b"{}"
    (listed,) = s3.list_object_annotations(**KEY)["Annotations"]
    assert (listed["AnnotationName"], listed["Size"], listed["ETag"]) == ("note", 2, answer["ETag"])
    assert s3.get_object(**KEY)["Body"].read() == b"object"
    assert s3.head_object(**KEY)["ETag"] == etag


@patched(s3_annotations.delete_annotations)
def test_deleted_annotation_is_absent_and_the_object_is_unchanged(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"object")
    put(s3)
    s3.delete_object_annotation(**NOTE)
    assert names(s3) == []
    assert stage.refusal(s3.get_object_annotation, **NOTE) == (404, "NoSuchAnnotation")
    assert s3.get_object(**KEY)["Body"].read() == b"object"


@patched(s3_annotations.read_annotations)
def test_annotations_belong_to_one_version(stage):
    s3 = stage.s3("bucket", versioned=True)
    first = s3.put_object(**KEY, Body=b"1")["VersionId"]
    put(s3, b"of the first")
    second = s3.put_object(**KEY, Body=b"2")["VersionId"]
    assert names(s3) == []
    assert (names(s3, VersionId=first), names(s3, VersionId=second)) == (["note"], [])
    s3.delete_object(**KEY)
    assert payload(s3, VersionId=first) == b"of the first"


@patched(s3_annotations.put_annotations)
def test_overwrite_without_versions_drops_annotations(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"1")
    put(s3)
    assert names(s3) == ["note"]
    s3.put_object(**KEY, Body=b"2")
    assert names(s3) == []


@patched(s3_annotations.put_annotations, s3_annotations.delete_annotations)
def test_condition_on_the_object_is_checked(stage):
    s3 = stage.s3("bucket")
    etag = s3.put_object(**KEY, Body=b"1")["ETag"]
    put(s3, ObjectIfMatch=etag)
    for call, more in ((s3.put_object_annotation, {"AnnotationPayload": b"x"}), (s3.delete_object_annotation, {})):
        assert stage.refusal(call, **NOTE, **more, ObjectIfMatch='"other"') == (412, "PreconditionFailed")
    assert payload(s3) == b"text"


@patched(s3_annotations.put_annotations)
def test_limits_are_enforced(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"1")
    maximum = 1024 * 1024
    put(s3, b"x" * maximum, AnnotationName="n" * 512)
    for wrong, code in (
        ({"AnnotationPayload": b"x" * (maximum + 1)}, "EntityTooLarge"),
        ({"AnnotationPayload": b"\xff"}, "UnsupportedMediaType"),
        ({"AnnotationPayload": b"x", "AnnotationName": "n" * 513}, "AnnotationNameTooLong"),
        ({"AnnotationPayload": b"x", "AnnotationName": "AWS-note"}, "InvalidAnnotationName"),
        ({"AnnotationPayload": b"x", "AnnotationName": "a/b"}, "InvalidAnnotationName"),
        ({"AnnotationPayload": b"x", "ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
    ):
        assert stage.refusal(s3.put_object_annotation, **{**NOTE, **wrong})[1] == code


@pytest.mark.long
@patched(s3_annotations.read_annotations)
def test_version_has_at_most_a_thousand_annotations_which_are_listed_in_pages(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"1")
    for number in range(1000):
        put(s3, AnnotationName=f"n{number:04}")
    assert stage.refusal(s3.put_object_annotation, **NOTE, AnnotationPayload=b"x")[1] == "AnnotationLimitExceeded"
    pages = s3.get_paginator("list_object_annotations").paginate(**KEY, MaxAnnotationResults=400)
    assert [len(page["Annotations"]) for page in pages] == [400, 400, 200]


@patched(s3_annotations.copy_annotations)
def test_copy_has_the_annotations_unless_it_excludes_them(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"1")
    put(s3)
    s3.copy_object(Bucket="bucket", Key="with", CopySource=KEY)
    s3.copy_object(Bucket="bucket", Key="without", CopySource=KEY, AnnotationDirective="EXCLUDE")
    assert (names(s3, Key="with"), names(s3, Key="without")) == (["note"], [])


@patched(s3_annotations.read_annotations)
def test_etag_of_an_annotation_under_kms_is_not_a_digest(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"1", ServerSideEncryption="aws:kms")
    assert put(s3)["ETag"] != put(s3)["ETag"]
    assert payload(s3) == b"text"


@patched(s3_permissions.use_version_actions)
def test_annotations_have_their_own_permissions(stage):
    s3 = stage.s3("bucket", versioned=True)
    version = s3.put_object(**KEY, Body=b"1")["VersionId"]
    put(s3)
    calls = {
        "s3:ListObjectAnnotations": ("list_object_annotations", KEY),
        "s3:GetObjectAnnotation": ("get_object_annotation", NOTE),
        "s3:PutObjectAnnotation": ("put_object_annotation", {**NOTE, "AnnotationPayload": b"x"}),
        "s3:DeleteObjectAnnotation": ("delete_object_annotation", NOTE),
    }
    on_objects = client_of_role(stage, "s3", allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "*"))
    for name, arguments in calls.values():
        assert not is_permitted(getattr(on_objects, name), **arguments)
    stage.client("iam").delete_role_policy(RoleName="role", PolicyName="policy")
    stage.client("iam").delete_role(RoleName="role")
    on_current = client_of_role(stage, "s3", allow(list(calls), "*"))
    for name, arguments in calls.values():
        assert is_permitted(getattr(on_current, name), **arguments)
        assert not is_permitted(getattr(on_current, name), **arguments, VersionId=version)


@patched(s3_permissions.require_read_of_copy_source)
def test_copy_of_annotated_object_needs_to_read_and_write_annotations(stage):
    s3 = stage.s3("bucket", "target")
    s3.put_object(**KEY, Body=b"1")
    put(s3)
    limited = client_of_role(stage, "s3", allow(["s3:PutObject", "s3:GetObject"], "*"))
    copy = {"Bucket": "target", "Key": "key", "CopySource": KEY}
    assert not is_permitted(limited.copy_object, **copy)
    assert is_permitted(limited.copy_object, **copy, AnnotationDirective="EXCLUDE")


@patched(s3_annotations.accept_annotation_events)
def test_notification_of_annotations_has_the_version(stage):
    s3 = stage.s3("bucket", versioned=True)
    queue = stage.queue("events", Policy=queue_policy_for_s3("events"))
    configuration = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:events", "Events": ["s3:ObjectAnnotation:*"]}
    configuration = {"QueueConfigurations": [configuration]}
    s3.put_bucket_notification_configuration(Bucket="bucket", NotificationConfiguration=configuration)
    version = s3.put_object(**KEY, Body=b"1")["VersionId"]
    put(s3)
    s3.delete_object_annotation(**NOTE)
    records = [body["Records"][0] for body in stage.bodies(queue) if "Records" in body]
    assert [record["eventName"] for record in records] == ["ObjectAnnotation:Put", "ObjectAnnotation:Delete"]
    assert {record["s3"]["object"]["versionId"] for record in records} == {version}


@patched(s3_annotations.name_annotation_events, s3_events.format_event)
def test_event_of_an_annotation_has_the_format_of_eventbridge(stage):
    s3, sent = listen_to_event_bridge(stage)
    where = {"Bucket": "uploads", "Key": "key"}
    made = s3.put_object(**where, Body=b"1")
    answer = s3.put_object_annotation(**where, AnnotationName="note", AnnotationPayload=b"text")
    s3.delete_object_annotation(**where, AnnotationName="note")
    _, put_event, deleted = sent()
    assert put_event["detail-type"] == "Object Annotation Created"
    detail = put_event["detail"]
    assert detail["reason"] == "PutObjectAnnotation"
    assert detail["object-annotation"] == {"name": "note", "size": 4, "etag": answer["ETag"].strip('"')}
    assert detail["object"].pop("sequencer")
    assert detail["object"] == {"key": "key", "etag": made["ETag"].strip('"'), "version-id": made["VersionId"]}
    assert deleted["detail-type"] == "Object Annotation Removed"
    assert (deleted["detail"]["reason"], deleted["detail"]["object-annotation"]) == (
        "DeleteObjectAnnotation",
        {"name": "note"},
    )


@patched()
def test_copy_with_an_unknown_directive_is_refused(stage):
    s3 = stage.s3("bucket")
    s3.put_object(**KEY, Body=b"1")
    with pytest.raises(s3.exceptions.ClientError, match="COPY or EXCLUDE"):
        s3.copy_object(Bucket="bucket", Key="copy", CopySource=KEY, AnnotationDirective="NEITHER")
