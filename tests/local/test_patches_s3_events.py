import json

from local.patches import events, s3_events, s3_versions
from tests.local.patching import ACCOUNT, REGION, let_s3_send, patched

KEY = {"Bucket": "uploads", "Key": "dir/a b+c%é.txt"}
ALL_EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectRestore:*", "s3:ObjectTagging:*"]


def listen(stage, versioned=True):
    """A bucket that tells a queue of everything, by notification."""
    s3 = stage.s3("uploads", versioned=versioned)
    queue = stage.queue("told", Policy=let_s3_send("told"))
    told = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told", "Events": ALL_EVENTS}
    s3.put_bucket_notification_configuration(
        Bucket="uploads", NotificationConfiguration={"QueueConfigurations": [told]}
    )
    stage.bodies(queue)
    return s3, lambda: [body["Records"][0] for body in stage.bodies(queue)]


def listen_to_event_bridge(stage, versioned=True, name="told"):
    """A bucket that tells a queue of everything, by EventBridge."""
    s3 = stage.s3("uploads", versioned=versioned)
    queue = stage.queue(name, ContentBasedDeduplication="true") if name.endswith(".fifo") else stage.queue(name)
    target = {"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}
    if name.endswith(".fifo"):
        target["SqsParameters"] = {"MessageGroupId": "all"}
    bridge = stage.client("events")
    bridge.put_rule(Name="s3", EventPattern=json.dumps({"source": ["aws.s3"]}))
    bridge.put_targets(Rule="s3", Targets=[target])
    s3.put_bucket_notification_configuration(
        Bucket="uploads", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    return s3, lambda: stage.bodies(queue)


def upload_in_parts(s3):
    upload = {**KEY, "UploadId": s3.create_multipart_upload(**KEY, Tagging="a=b")["UploadId"]}
    parts = [{"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]}]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


@patched(s3_events.word_notification)
def test_notification_of_upload_names_version_size_and_etag(stage):
    s3, records = listen(stage)
    put = s3.put_object(**KEY, Body=b"12345")
    (record,) = records()
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["bucket"]["name"] == "uploads"
    told = record["s3"]["object"]
    assert told.pop("sequencer")
    assert told == {
        "key": "dir/a+b%2Bc%25%C3%A9.txt",
        "size": 5,
        "eTag": put["ETag"].strip('"'),
        "versionId": put["VersionId"],
    }


@patched(s3_events.word_notification)
def test_notification_of_unversioned_bucket_names_no_version(stage):
    s3, records = listen(stage, versioned=False)
    s3.put_object(**KEY, Body=b"12345")
    (record,) = records()
    assert set(record["s3"]["object"]) == {"key", "size", "eTag", "sequencer"}


@patched(s3_events.word_notification, s3_events.send_unless_silenced)
def test_sequencer_grows_with_each_event(stage):
    s3, records = listen(stage)
    for body in (b"1", b"2", b"3"):
        s3.put_object(**KEY, Body=body)
    s3.delete_object(**KEY)
    sequencers = [record["s3"]["object"]["sequencer"] for record in records()]
    assert len(set(sequencers)) == 4
    assert sequencers == sorted(sequencers)


@patched(s3_events.write_tags_silently, s3_events.send_unless_silenced)
def test_upload_copy_and_parts_with_tags_send_one_event_each(stage):
    s3, records = listen(stage)
    s3.put_object(**KEY, Body=b"1", Tagging="a=b")
    s3.copy_object(Bucket="uploads", Key="copy", CopySource=KEY, TaggingDirective="REPLACE", Tagging="c=d")
    upload_in_parts(s3)
    names = [record["eventName"] for record in records()]
    assert names == ["ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload"]


@patched(s3_events.tell_once_of_multipart_uploads)
def test_upload_in_parts_sends_one_event(stage):
    s3, records = listen(stage)
    upload_in_parts(s3)
    assert [record["eventName"] for record in records()] == ["ObjectCreated:CompleteMultipartUpload"]


@patched(s3_events.tell_of_tagging)
def test_tagging_sends_an_event_that_names_the_version(stage):
    s3, records = listen(stage)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    version = s3.put_object(**KEY, Body=b"1")["VersionId"]
    s3.put_object(**KEY, Body=b"2")
    s3.put_object_tagging(**KEY, VersionId=version, Tagging=tags)
    s3.delete_object_tagging(**KEY, VersionId=version)
    told = [(record["eventName"], record["s3"]["object"]["versionId"]) for record in records()[2:]]
    assert told == [("ObjectTagging:Put", version), ("ObjectTagging:Delete", version)]


@patched(s3_events.tell_of_delete_markers)
def test_delete_in_versioned_bucket_tells_of_its_marker(stage):
    s3, records = listen(stage)
    s3.put_object(**KEY, Body=b"1")
    marker = s3.delete_object(**KEY)["VersionId"]
    told = [(record["eventName"], record["s3"]["object"]["versionId"]) for record in records()[1:]]
    assert told == [("ObjectRemoved:DeleteMarkerCreated", marker)]


@patched(s3_versions.mark_absent_keys_as_deleted)
def test_delete_of_absent_key_in_versioned_bucket_makes_a_marker_and_tells_of_it(stage):
    s3, records = listen(stage)
    marker = s3.delete_object(**KEY)["VersionId"]
    (told,) = records()
    assert (told["eventName"], told["s3"]["object"]["versionId"]) == ("ObjectRemoved:DeleteMarkerCreated", marker)
    (listed,) = s3.list_object_versions(Bucket="uploads")["DeleteMarkers"]
    assert (listed["Key"], listed["VersionId"]) == (KEY["Key"], marker)


@patched(s3_events.tell_of_deleted_versions)
def test_removal_of_each_version_is_told_once(stage):
    s3, records = listen(stage)
    versions = [s3.put_object(**KEY, Body=body)["VersionId"] for body in (b"1", b"2")]
    versions.append(s3.delete_object(**KEY)["VersionId"])
    records()
    for version in (*versions, "no-such-version"):
        s3.delete_object(**KEY, VersionId=version)
    told = [(record["eventName"], record["s3"]["object"]["versionId"]) for record in records()]
    assert told == [("ObjectRemoved:Delete", version) for version in versions]


@patched()
def test_delete_in_unversioned_bucket_is_told(stage):
    s3, records = listen(stage, versioned=False)
    s3.put_object(**KEY, Body=b"1")
    s3.delete_object(**KEY)
    told = records()[1]
    assert told["eventName"] == "ObjectRemoved:Delete"
    assert set(told["s3"]["object"]) == {"key", "sequencer"}


@patched(s3_events.word_event)
def test_event_of_upload_has_its_own_words(stage):
    s3, told = listen_to_event_bridge(stage)
    put = s3.put_object(**KEY, Body=b"12345")
    (event,) = told()
    assert (event["detail-type"], event["source"], event["account"]) == ("Object Created", "aws.s3", ACCOUNT)
    detail = event["detail"]
    assert (detail["bucket"]["name"], detail["reason"], detail["requester"]) == ("uploads", "PutObject", ACCOUNT)
    assert detail["object"].pop("sequencer")
    assert detail["object"] == {
        "key": KEY["Key"],
        "size": 5,
        "etag": put["ETag"].strip('"'),
        "version-id": put["VersionId"],
    }


@patched(s3_events.word_event)
def test_event_of_unversioned_bucket_names_no_version(stage):
    s3, told = listen_to_event_bridge(stage, versioned=False)
    s3.put_object(**KEY, Body=b"1")
    (event,) = told()
    assert set(event["detail"]["object"]) == {"key", "size", "etag", "sequencer"}


@patched(s3_events.word_event)
def test_each_way_to_make_an_object_has_its_reason(stage):
    s3, told = listen_to_event_bridge(stage)
    s3.put_object(**KEY, Body=b"1")
    s3.copy_object(Bucket="uploads", Key="copy", CopySource=KEY)
    upload_in_parts(s3)
    reasons = [event["detail"]["reason"] for event in told()]
    assert reasons == ["PutObject", "CopyObject", "CompleteMultipartUpload"]


@patched(s3_events.word_event)
def test_events_of_deletion_say_which_kind_it_is(stage):
    s3, told = listen_to_event_bridge(stage)
    version = s3.put_object(**KEY, Body=b"1")["VersionId"]
    marker = s3.delete_object(**KEY)["VersionId"]
    s3.delete_object(**KEY, VersionId=version)
    details = [event["detail"] for event in told() if event["detail-type"] == "Object Deleted"]
    described = [
        (detail["reason"], detail["deletion-type"], detail["object"]["version-id"], "size" in detail["object"])
        for detail in details
    ]
    assert described == [
        ("DeleteObject", "Delete Marker Created", marker, False),
        ("DeleteObject", "Permanently Deleted", version, False),
    ]


@patched()
def test_events_of_tags_have_no_reason(stage):
    s3, told = listen_to_event_bridge(stage)
    s3.put_object(**KEY, Body=b"1")
    s3.put_object_tagging(**KEY, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(**KEY)
    tagged = told()[1:]
    assert [event["detail-type"] for event in tagged] == ["Object Tags Added", "Object Tags Deleted"]
    assert all("reason" not in event["detail"] and "sequencer" not in event["detail"]["object"] for event in tagged)


@patched(s3_events.word_event)
def test_equal_uploads_are_distinct_events_to_a_fifo_queue(stage):
    s3, told = listen_to_event_bridge(stage, versioned=False, name="told.fifo")
    for _ in range(2):
        s3.put_object(**KEY, Body=b"same")
    received = told()
    assert len({event["id"] for event in received}) == 2
    assert len({event["detail"]["request-id"] for event in received}) == 2


@patched(events.keep_events_from_idle_rules)
def test_disabled_rule_gets_no_events(stage):
    s3, told = listen_to_event_bridge(stage)
    stage.client("events").disable_rule(Name="s3")
    s3.put_object(**KEY, Body=b"1")
    assert not told()


@patched(events.keep_events_from_idle_rules)
def test_rule_with_a_schedule_alone_gets_no_events(stage):
    s3, told = listen_to_event_bridge(stage)
    bridge = stage.client("events")
    bridge.remove_targets(Rule="s3", Ids=["queue"])
    bridge.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    bridge.put_targets(Rule="hourly", Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"}])
    s3.put_object(**KEY, Body=b"1")
    assert not told()


@patched(events.deliver_to_each_target)
def test_missing_target_keeps_no_event_from_the_others(stage):
    s3, told = listen_to_event_bridge(stage)
    targets = [{"Id": name, "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"} for name in ("missing", "told")]
    bridge = stage.client("events")
    bridge.remove_targets(Rule="s3", Ids=["queue"])
    bridge.put_targets(Rule="s3", Targets=targets)
    s3.put_object(**KEY, Body=b"1")
    assert len(told()) == 1
