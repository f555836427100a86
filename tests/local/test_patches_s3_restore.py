import threading

from local.patches import s3_events, s3_restore
from tests.local.patching import patched
from tests.local.test_patches_s3_events import KEY, listen, listen_to_event_bridge

ONE_DAY = {"Days": 1}


def state(s3, **where):
    return s3.head_object(**KEY, **where).get("Restore", "")


def archive(stage, **settings):
    """Create a bucket with an archived object; `clock.run_all` completes its restore."""
    stage.hooks.restore_seconds = None
    s3, sent = listen(stage, **settings)
    s3.put_object(**KEY, Body=b"cold", StorageClass="DEEP_ARCHIVE")
    sent()
    return s3, lambda: [record["eventName"] for record in sent()]


@patched(s3_restore.complete_restores, s3_restore.read_status_without_side_effect)
def test_restore_is_ongoing_until_it_completes(stage):
    s3, sent = archive(stage)
    s3.restore_object(**KEY, RestoreRequest=ONE_DAY)
    assert [state(s3) for _ in range(3)] == ['ongoing-request="true"'] * 3
    assert stage.refusal(s3.get_object, **KEY) == (403, "InvalidObjectState")
    assert sent() == ["ObjectRestore:Post"]
    stage.hooks.clock.run_all()
    assert sent() == ["ObjectRestore:Completed"]
    assert state(s3).startswith('ongoing-request="false", expiry-date=')
    assert s3.get_object(**KEY)["Body"].read() == b"cold"


@patched()
def test_restored_object_can_be_copied_whole_and_in_parts(stage):
    s3, _ = archive(stage)
    s3.restore_object(**KEY, RestoreRequest=ONE_DAY)
    stage.hooks.clock.run_all()
    s3.copy_object(Bucket="uploads", Key="copy", CopySource=KEY)
    assert s3.head_object(Bucket="uploads", Key="copy").get("StorageClass", "STANDARD") == "STANDARD"
    upload = {"Bucket": "uploads", "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    assert s3.upload_part_copy(**upload, PartNumber=1, CopySource=KEY)["CopyPartResult"]["ETag"]


@patched(s3_restore.complete_restores)
def test_restore_completes_after_the_set_time(stage):
    s3, sent = archive(stage)
    stage.hooks.restore_seconds = 0.01
    ended = threading.Event()
    s3.restore_object(**KEY, RestoreRequest=ONE_DAY)
    # The clock makes calls in the order of their due times.
    stage.hooks.clock.call_later(0.02, ended.set)
    assert ended.wait(10)
    assert sent() == ["ObjectRestore:Post", "ObjectRestore:Completed"]
    assert state(s3).startswith('ongoing-request="false"')


@patched(s3_events.format_notification)
def test_notification_of_completed_restore_has_its_expiry(stage):
    stage.hooks.restore_seconds = None
    s3, sent = listen(stage)
    version = s3.put_object(**KEY, Body=b"cold", StorageClass="GLACIER")["VersionId"]
    s3.restore_object(**KEY, RestoreRequest=ONE_DAY)
    stage.hooks.clock.run_all()
    started, completed = sent()[1:]
    assert "glacierEventData" not in started
    restored = completed["glacierEventData"]["restoreEventData"]
    assert restored["lifecycleRestoreStorageClass"] == "GLACIER"
    assert restored["lifecycleRestorationExpiryTime"].endswith("T00:00:00.000Z")
    described = completed["s3"]["object"]
    assert (described["key"], described["size"]) == ("dir/a+b%2Bc%25%C3%A9.txt", 4)
    assert described["versionId"] == version


@patched(s3_events.format_event)
def test_events_of_restore_name_storage_class_and_expiry(stage):
    stage.hooks.restore_seconds = None
    s3, sent = listen_to_event_bridge(stage)
    s3.put_object(**KEY, Body=b"cold", StorageClass="GLACIER")
    s3.restore_object(**KEY, RestoreRequest=ONE_DAY)
    stage.hooks.clock.run_all()
    started, completed = sent()[1:]
    assert started["detail-type"] == "Object Restore Initiated"
    assert started["detail"]["source-storage-class"] == "GLACIER"
    assert completed["detail-type"] == "Object Restore Completed"
    assert completed["detail"]["requester"] == "s3.amazonaws.com"
    assert completed["detail"]["source-storage-class"] == "GLACIER"
    assert completed["detail"]["restore-expiry-time"].endswith("T00:00:00Z")
    assert "sequencer" not in completed["detail"]["object"]


@patched(s3_restore.restore_requested_version)
def test_restore_of_a_version_restores_that_version(stage):
    stage.hooks.restore_seconds = None
    s3, sent = listen(stage)
    version = s3.put_object(**KEY, Body=b"old", StorageClass="GLACIER")["VersionId"]
    s3.put_object(**KEY, Body=b"new", StorageClass="GLACIER")
    s3.restore_object(**KEY, VersionId=version, RestoreRequest=ONE_DAY)
    stage.hooks.clock.run_all()
    assert s3.get_object(**KEY, VersionId=version)["Body"].read() == b"old"
    assert state(s3) == ""
    assert [record["s3"]["object"]["versionId"] for record in sent()[2:]] == [version, version]


@patched(s3_restore.restore_requested_version)
def test_second_restore_is_refused_during_the_first(stage):
    s3, sent = archive(stage)
    assert s3.restore_object(**KEY, RestoreRequest=ONE_DAY)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert stage.refusal(s3.restore_object, **KEY, RestoreRequest=ONE_DAY) == (409, "RestoreAlreadyInProgress")
    stage.hooks.clock.run_all()
    sent()
    assert s3.restore_object(**KEY, RestoreRequest={"Days": 9})["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert not sent()


@patched()
def test_restore_of_missing_or_present_object_is_refused(stage):
    s3, _ = archive(stage)
    s3.put_object(Bucket="uploads", Key="warm", Body=b"warm")
    for key, refusal in (("warm", (403, "InvalidObjectState")), ("missing", (404, "NoSuchKey"))):
        assert stage.refusal(s3.restore_object, Bucket="uploads", Key=key, RestoreRequest=ONE_DAY) == refusal


@patched()
def test_restore_of_an_object_that_was_replaced_sends_no_event(stage):
    s3, sent = archive(stage, versioned=False)
    s3.restore_object(**KEY, RestoreRequest=ONE_DAY)
    s3.put_object(**KEY, Body=b"warm")
    stage.hooks.clock.run_all()
    assert sent() == ["ObjectRestore:Post", "ObjectCreated:Put"]


@patched(s3_restore.read_tags_of_archived_objects)
def test_tags_of_archived_object_are_read(stage):
    s3 = stage.s3("uploads")
    s3.put_object(**KEY, Body=b"cold", StorageClass="GLACIER", Tagging="a=b")
    assert s3.get_object_tagging(**KEY)["TagSet"] == [{"Key": "a", "Value": "b"}]
