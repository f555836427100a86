import json

from local.patches import events, s3_events, s3_versions
from tests.local.patching import ACCOUNT, REGION, patched, queue_policy_for_s3

KEY = {"Bucket": "uploads", "Key": "dir/a b+c%é.txt"}
ALL_EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectRestore:*", "s3:ObjectTagging:*"]


def listen(stage, versioned=True):
    """Create a bucket that sends all its notifications to a queue."""
    s3 = stage.s3("uploads", versioned=versioned)
    queue = stage.queue("events", Policy=queue_policy_for_s3("events"))
    configuration = {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:events", "Events": ALL_EVENTS}
    s3.put_bucket_notification_configuration(
        Bucket="uploads", NotificationConfiguration={"QueueConfigurations": [configuration]}
    )
    stage.bodies(queue)
    return s3, lambda: [body["Records"][0] for body in stage.bodies(queue)]


def listen_to_event_bridge(stage, versioned=True, name="events"):
    """Create a bucket that sends all its events to a queue, through EventBridge."""
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


@patched(s3_events.format_notification)
def test_notification_of_upload_names_version_size_and_etag(stage):
    s3, records = listen(stage)
    put = s3.put_object(**KEY, Body=b"12345")
    (record,) = records()
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["bucket"]["name"] == "uploads"
    sent = record["s3"]["object"]
    assert sent.pop("sequencer")
    assert sent == {
        "key": "dir/a+b%2Bc%25%C3%A9.txt",
        "size": 5,
        "eTag": put["ETag"].strip('"'),
        "versionId": put["VersionId"],
    }


@patched(s3_events.format_notification)
def test_notification_of_unversioned_bucket_names_no_version(stage):
    s3, records = listen(stage, versioned=False)
    s3.put_object(**KEY, Body=b"12345")
    (record,) = records()
    assert set(record["s3"]["object"]) == {"key", "size", "eTag", "sequencer"}


@patched(s3_events.format_notification, s3_events.number_and_send_events)
def test_sequencer_grows_with_each_event(stage):
    s3, records = listen(stage)
    for body in (b"1", b"2", b"3"):
        s3.put_object(**KEY, Body=body)
    s3.delete_object(**KEY)
    sequencers = [record["s3"]["object"]["sequencer"] for record in records()]
    assert len(set(sequencers)) == 4
    assert sequencers == sorted(sequencers)


@patched(s3_events.suppress_tagging_events_of_writes, s3_events.number_and_send_events)
def test_upload_copy_and_parts_with_tags_send_one_event_each(stage):
    s3, records = listen(stage)
    s3.put_object(**KEY, Body=b"1", Tagging="a=b")
    s3.copy_object(Bucket="uploads", Key="copy", CopySource=KEY, TaggingDirective="REPLACE", Tagging="c=d")
    upload_in_parts(s3)
    names = [record["eventName"] for record in records()]
    assert names == ["ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload"]


@patched(s3_events.send_one_event_per_multipart_upload)
def test_upload_in_parts_sends_one_event(stage):
    s3, records = listen(stage)
    upload_in_parts(s3)
    assert [record["eventName"] for record in records()] == ["ObjectCreated:CompleteMultipartUpload"]


@patched(s3_events.send_tagging_events)
def test_tagging_sends_an_event_that_names_the_version(stage):
    s3, records = listen(stage)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    version = s3.put_object(**KEY, Body=b"1")["VersionId"]
    s3.put_object(**KEY, Body=b"2")
    s3.put_object_tagging(**KEY, VersionId=version, Tagging=tags)
    s3.delete_object_tagging(**KEY, VersionId=version)
    sent = [(record["eventName"], record["s3"]["object"]["versionId"]) for record in records()[2:]]
    assert sent == [("ObjectTagging:Put", version), ("ObjectTagging:Delete", version)]


@patched(s3_events.send_delete_marker_events)
def test_delete_in_versioned_bucket_sends_the_event_of_its_marker(stage):
    s3, records = listen(stage)
    s3.put_object(**KEY, Body=b"1")
    marker = s3.delete_object(**KEY)["VersionId"]
    sent = [(record["eventName"], record["s3"]["object"]["versionId"]) for record in records()[1:]]
    assert sent == [("ObjectRemoved:DeleteMarkerCreated", marker)]


@patched(s3_versions.mark_absent_keys_as_deleted)
def test_delete_of_absent_key_in_versioned_bucket_creates_a_marker_and_sends_its_event(stage):
    s3, records = listen(stage)
    marker = s3.delete_object(**KEY)["VersionId"]
    (sent,) = records()
    assert (sent["eventName"], sent["s3"]["object"]["versionId"]) == ("ObjectRemoved:DeleteMarkerCreated", marker)
    (listed,) = s3.list_object_versions(Bucket="uploads")["DeleteMarkers"]
    assert (listed["Key"], listed["VersionId"]) == (KEY["Key"], marker)


@patched(s3_events.send_version_removal_events)
def test_removal_of_each_version_sends_one_event(stage):
    s3, records = listen(stage)
    versions = [s3.put_object(**KEY, Body=body)["VersionId"] for body in (b"1", b"2")]
    versions.append(s3.delete_object(**KEY)["VersionId"])
    records()
    for version in (*versions, "no-such-version"):
        s3.delete_object(**KEY, VersionId=version)
    sent = [(record["eventName"], record["s3"]["object"]["versionId"]) for record in records()]
    assert sent == [("ObjectRemoved:Delete", version) for version in versions]


@patched()
def test_delete_in_unversioned_bucket_sends_an_event(stage):
    s3, records = listen(stage, versioned=False)
    s3.put_object(**KEY, Body=b"1")
    s3.delete_object(**KEY)
    sent = records()[1]
    assert sent["eventName"] == "ObjectRemoved:Delete"
    assert set(sent["s3"]["object"]) == {"key", "sequencer"}


@patched(s3_events.format_event)
def test_event_of_upload_has_the_format_of_eventbridge(stage):
    s3, sent = listen_to_event_bridge(stage)
    put = s3.put_object(**KEY, Body=b"12345")
    (event,) = sent()
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


@patched(s3_events.format_event)
def test_event_of_unversioned_bucket_names_no_version(stage):
    s3, sent = listen_to_event_bridge(stage, versioned=False)
    s3.put_object(**KEY, Body=b"1")
    (event,) = sent()
    assert set(event["detail"]["object"]) == {"key", "size", "etag", "sequencer"}


@patched(s3_events.format_event)
def test_each_way_to_create_an_object_has_its_reason(stage):
    s3, sent = listen_to_event_bridge(stage)
    s3.put_object(**KEY, Body=b"1")
    s3.copy_object(Bucket="uploads", Key="copy", CopySource=KEY)
    upload_in_parts(s3)
    reasons = [event["detail"]["reason"] for event in sent()]
    assert reasons == ["PutObject", "CopyObject", "CompleteMultipartUpload"]


@patched(s3_events.format_event)
def test_events_of_deletion_have_their_deletion_type(stage):
    s3, sent = listen_to_event_bridge(stage)
    version = s3.put_object(**KEY, Body=b"1")["VersionId"]
    marker = s3.delete_object(**KEY)["VersionId"]
    s3.delete_object(**KEY, VersionId=version)
    details = [event["detail"] for event in sent() if event["detail-type"] == "Object Deleted"]
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
    s3, sent = listen_to_event_bridge(stage)
    s3.put_object(**KEY, Body=b"1")
    s3.put_object_tagging(**KEY, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(**KEY)
    tagged = sent()[1:]
    assert [event["detail-type"] for event in tagged] == ["Object Tags Added", "Object Tags Deleted"]
    assert all("reason" not in event["detail"] and "sequencer" not in event["detail"]["object"] for event in tagged)


@patched(s3_events.format_event)
def test_equal_uploads_are_distinct_events_to_a_fifo_queue(stage):
    s3, sent = listen_to_event_bridge(stage, versioned=False, name="events.fifo")
    for _ in range(2):
        s3.put_object(**KEY, Body=b"same")
    received = sent()
    assert len({event["id"] for event in received}) == 2
    assert len({event["detail"]["request-id"] for event in received}) == 2


@patched(events.skip_idle_rules)
def test_disabled_rule_gets_no_events(stage):
    s3, sent = listen_to_event_bridge(stage)
    stage.client("events").disable_rule(Name="s3")
    s3.put_object(**KEY, Body=b"1")
    assert not sent()


@patched(events.skip_idle_rules)
def test_rule_with_only_a_schedule_gets_no_events(stage):
    s3, sent = listen_to_event_bridge(stage)
    bridge = stage.client("events")
    bridge.remove_targets(Rule="s3", Ids=["queue"])
    bridge.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    bridge.put_targets(Rule="hourly", Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:events"}])
    s3.put_object(**KEY, Body=b"1")
    assert not sent()


@patched(events.isolate_target_failures)
def test_missing_target_does_not_affect_the_other_targets(stage):
    s3, sent = listen_to_event_bridge(stage)
    targets = [{"Id": name, "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"} for name in ("missing", "events")]
    bridge = stage.client("events")
    bridge.remove_targets(Rule="s3", Ids=["queue"])
    bridge.put_targets(Rule="s3", Targets=targets)
    s3.put_object(**KEY, Body=b"1")
    assert len(sent()) == 1
