import json
import socket
import struct
import threading
import time

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from moto.sqs.models import SQSBackend
from werkzeug.serving import WSGIRequestHandler

from local import embedded_aws, patches
from local.embedded_aws import EmbeddedAws
from local.lambda_service.roles import assume
from local.patches.sqs import QUEUES_CHANGED
from tests.local.patching import queue_policy_for_s3

NO_RETRIES = Config(retries={"total_max_attempts": 1})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture(name="aws")
def started_aws():
    with EmbeddedAws() as aws:
        yield aws


def make_bucket(aws, name="bucket", region=None):
    region = region or aws.region
    s3 = aws.client("s3", region_name=region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    return s3


def port_of(endpoint_url):
    return int(endpoint_url.rpartition(":")[2])


def test_stop_leaves_no_thread_and_no_socket():
    before = set(threading.enumerate())
    with EmbeddedAws() as aws:
        make_bucket(aws).put_object(Bucket="bucket", Key="key", Body=b"1", StorageClass="GLACIER")
        aws.client("s3").restore_object(Bucket="bucket", Key="key", RestoreRequest={"Days": 1})
        port = port_of(aws.endpoint_url)
    assert set(threading.enumerate()) == before
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_stop_does_not_wait_for_open_connections_or_long_polls(aws, monkeypatch):
    sqs = aws.client("sqs", config=NO_RETRIES)
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    waits, wait, answers = threading.Event(), QUEUES_CHANGED.wait, []
    monkeypatch.setattr(QUEUES_CHANGED, "wait", lambda seconds: waits.set() or wait(seconds))
    waiter = threading.Thread(target=lambda: answers.append(sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)))
    waiter.start()
    assert waits.wait(10)
    with socket.create_connection(("127.0.0.1", port_of(aws.endpoint_url))) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        aws.stop()
        assert time.monotonic() - started < 5
    waiter.join()
    # The receiver got an answer without messages.
    assert "Messages" not in answers[0]


def test_stop_succeeds_after_a_client_was_killed_before_its_answer(aws, monkeypatch):
    served, may_continue = threading.Event(), threading.Event()
    monkeypatch.setattr(WSGIRequestHandler, "handle", lambda _: served.set() or may_continue.wait(10))
    with socket.create_connection(("127.0.0.1", port_of(aws.endpoint_url))) as client:
        assert served.wait(10)
        # This close resets the connection, as the system does for a killed process with unread data.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    threading.Timer(0.1, may_continue.set).start()
    aws.stop()


def test_stop_twice_or_before_start_does_nothing():
    aws = EmbeddedAws()
    aws.stop()
    aws.start()
    aws.stop()
    aws.stop()


def test_clients_and_faults_are_unavailable_before_start_and_after_stop():
    aws = EmbeddedAws()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not started"):
            aws.client("s3")
        with pytest.raises(RuntimeError, match="not started"):
            aws.faults.clear()
        aws.start()
        client = aws.client("s3", config=NO_RETRIES)
        aws.stop()
    with pytest.raises(EndpointConnectionError):
        client.list_buckets()


def test_each_embedded_aws_starts_empty():
    for _ in range(2):
        with EmbeddedAws() as aws:
            assert not aws.client("s3").list_buckets()["Buckets"]
            assert not aws.client("sqs").list_queues().get("QueueUrls")
            make_bucket(aws)
            aws.client("sqs").create_queue(QueueName="queue")


def test_consecutive_embedded_aws_within_one_block_of_patches_work():
    with patches.applied():
        for _ in range(2):
            with EmbeddedAws() as aws:
                s3 = make_bucket(aws)
                s3.put_object(Bucket="bucket", Key="key", Body=b"cold", StorageClass="GLACIER")
                s3.restore_object(Bucket="bucket", Key="key", RestoreRequest={"Days": 1})
                aws.hooks.clock.run_all()
                assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"cold"


def test_second_embedded_aws_in_a_process_is_refused_and_the_first_continues(aws):
    with pytest.raises(RuntimeError, match="already"), EmbeddedAws():
        pass
    assert make_bucket(aws).list_buckets()["Buckets"]


def test_failed_start_leaves_nothing_behind(monkeypatch):
    before = set(threading.enumerate())

    def fail(account_id):
        raise OSError(f"no administrator for {account_id}")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no administrator"):
        patch.setattr(embedded_aws, "_create_admin", fail)
        EmbeddedAws().start()
    assert set(threading.enumerate()) == before
    with EmbeddedAws() as aws:
        assert not aws.client("s3").list_buckets()["Buckets"]


def test_requests_print_nothing(capfd):
    with EmbeddedAws() as aws:
        s3 = make_bucket(aws)
        with pytest.raises(ClientError):
            s3.get_object(Bucket="bucket", Key="missing")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        # One action of each protocol: JSON, query, REST with JSON.
        ("events.list_endpoints", (400, "UnknownOperationException")),
        ("ses.list_receipt_filters", (400, "InvalidAction")),
        ("lambda.list_code_signing_configs", (404, "UnknownOperationException")),
    ],
)
def test_unknown_action_is_refused_like_aws_with_one_log_line(aws, caplog, capfd, call, answer):
    (service, _, operation), (status, code) = call.partition("."), answer
    with pytest.raises(ClientError) as refused:
        getattr(aws.client(service, config=NO_RETRIES), operation)()
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert [code in record.getMessage() for record in caplog.records if record.name.startswith("local")] == [True]
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


def test_failure_of_the_embedded_aws_is_one_log_line(aws, caplog, capfd, monkeypatch):
    monkeypatch.setattr(SQSBackend, "list_queues", lambda *_: 1 / 0)
    with pytest.raises(ClientError, match="InternalFailure.*ZeroDivisionError"):
        aws.client("sqs", config=NO_RETRIES).list_queues()
    assert len([record for record in caplog.records if record.name.startswith("local")]) == 1
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


def test_administrator_has_the_same_keys_in_every_partition(aws):
    regions = {"aws": "eu-west-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1", "aws-eusc": "eusc-de-east-1"}
    for partition, region in regions.items():
        identity = aws.client("sts", region_name=region).get_caller_identity()
        assert identity["Arn"] == f"arn:{partition}:iam::123456789012:user/administrator"


def test_administrator_of_one_partition_is_unknown_to_other_partitions(aws):
    here, there = (aws.administrator(region) for region in (aws.region, "us-gov-west-1"))
    for credentials, elsewhere in ((here, "us-gov-west-1"), (there, aws.region)):
        assert aws.client("s3", **credentials).list_buckets()["Buckets"] == []
        foreign = {**credentials, "region_name": elsewhere}
        for service, call in (("s3", "list_buckets"), ("iam", "list_users"), ("sqs", "list_queues")):
            with pytest.raises(ClientError, match="InvalidAccessKeyId|InvalidClientTokenId"):
                getattr(aws.client(service, **foreign), call)()


def test_buckets_of_two_partitions_are_listed_separately(aws):
    make_bucket(aws, "commercial")
    make_bucket(aws, "government", region="us-gov-west-1")
    names = [
        [bucket["Name"] for bucket in aws.client("s3", region_name=region).list_buckets()["Buckets"]]
        for region in ("eu-west-1", "us-gov-west-1")
    ]
    assert names == [["commercial"], ["government"]]


def test_resources_belong_to_the_given_account():
    with EmbeddedAws(region="us-gov-west-1", account_id="210987654321") as aws:
        assert aws.client("sts").get_caller_identity()["Account"] == "210987654321"
        queue = aws.client("sqs").create_queue(QueueName="queue")["QueueUrl"]
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        assert attributes["QueueArn"] == "arn:aws-us-gov:sqs:us-gov-west-1:210987654321:queue"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}, "InvalidAccessKeyId"),
        ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
    ],
)
def test_wrong_keys_are_refused(aws, wrong, code):
    with pytest.raises(ClientError, match=code):
        aws.client("s3", **wrong).create_bucket(Bucket="bucket")


def test_unsigned_request_is_denied(aws):
    make_bucket(aws).put_object(Bucket="bucket", Key="key", Body=b"1")
    assert requests.get(f"{aws.endpoint_url}/bucket/key", timeout=10).status_code == 403


def test_role_has_only_the_permissions_of_its_policy(aws):
    make_bucket(aws, "mine").put_object(Bucket="mine", Key="key", Body=b"1")
    make_bucket(aws, "other").put_object(Bucket="other", Key="key", Body=b"1")
    role = aws.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)["Role"]
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("iam").put_role_policy(RoleName="role", PolicyName="policy", PolicyDocument=policy)
    keys = assume(role["Arn"], session="session", region=aws.region)
    s3 = boto3.client("s3", endpoint_url=aws.endpoint_url, **keys)
    assert s3.get_object(Bucket="mine", Key="key")["Body"].read() == b"1"
    for refused in (
        lambda: s3.get_object(Bucket="other", Key="key"),
        lambda: s3.put_object(Bucket="mine", Key="key", Body=b"2"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


def test_injected_faults_are_answered_by_the_server(aws):
    make_bucket(aws)
    s3 = aws.client("s3", config=NO_RETRIES)
    aws.faults.add("PutObject", bucket="bucket", key="key", times=1, status=503, code="SlowDown", message="Too fast.")
    with pytest.raises(ClientError, match="SlowDown.*Too fast") as refused:
        s3.put_object(Bucket="bucket", Key="key", Body=b"1")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    s3.put_object(Bucket="bucket", Key="key", Body=b"1")


ODD_KEYS = [
    *(" ", "a b", "a+b", "a%2Fb", "%", "a//b", "//a", "/a", "a/", "./a", "../a", "a/../b", ".", "a?b=c", "a#b", "a;b"),
    *("a:b", "\\", "'\"<>&", "\x01\x1f\x7f", "a\nb", "\t", "é", "\u202e", "😀", "k" * 1024),
]


def test_unusual_keys_are_stored_and_copied_unchanged(aws):
    s3 = make_bucket(aws)
    make_bucket(aws, "copies")
    for key in ODD_KEYS:
        s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
        s3.copy_object(Bucket="copies", Key=key, CopySource={"Bucket": "bucket", "Key": key})
    listed = [found["Key"] for found in s3.list_objects_v2(Bucket="copies")["Contents"]]
    assert sorted(listed) == sorted(ODD_KEYS)
    for key in ODD_KEYS:
        assert s3.get_object(Bucket="copies", Key=key)["Body"].read() == key.encode()


def test_restored_object_is_reported_to_its_queue(aws):
    s3 = make_bucket(aws)
    policy = {"Policy": queue_policy_for_s3("queue")}
    queue = aws.client("sqs").create_queue(QueueName="queue", Attributes=policy)["QueueUrl"]
    configuration = {
        "QueueArn": f"arn:aws:sqs:{aws.region}:{aws.account_id}:queue",
        "Events": ["s3:ObjectRestore:Completed"],
    }
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"QueueConfigurations": [configuration]}
    )
    aws.client("sqs").purge_queue(QueueUrl=queue)
    s3.put_object(Bucket="bucket", Key="key", Body=b"cold", StorageClass="DEEP_ARCHIVE")
    s3.restore_object(Bucket="bucket", Key="key", RestoreRequest={"Days": 1})
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["Records"][0]["eventName"] == "ObjectRestore:Completed"
    s3.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "key"})
    assert s3.get_object(Bucket="bucket", Key="copy")["Body"].read() == b"cold"


def test_functions_are_run_by_the_given_invoker(aws):
    make_bucket(aws)
    aws.lambda_invoker = lambda function, payload, invocation_type: (202, {}, b"")
    assert aws.lambda_invoker(None, b"", "Event") == (202, {}, b"")
