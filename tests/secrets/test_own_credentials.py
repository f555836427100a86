"""Functions without a secret of their own, and the add-on, never write the credentials of their role."""

import json
import traceback

import pytest

from tasks.archive_copy import handler as archive_copy
from tasks.otf_addons.connections import make_client
from tasks.otf_addons.options import Keys, Protocol
from tasks.partition_replicate import handler as partition_replicate
from tests.archive_copy.conftest import PUBLIC, RESTORED, forget_container
from tests.conftest import REGION, client_of_the_tests
from tests.partition_replicate.conftest import forget_container as forget_intake
from tests.partition_replicate.events import event_of
from tests.secrets.aws_faults import CASES, FAULTS
from tests.secrets.conftest import OWN
from tests.secrets.search import found
from tests.support.events import s3_event, s3_record, sqs_event


@pytest.fixture(name="archive", scope="module")
def archive_of_restored_objects(patches, faults, written):
    s3, sqs, ssm = (client_of_the_tests(name, REGION) for name in ("s3", "sqs", "ssm"))
    for bucket in (RESTORED, PUBLIC):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=RESTORED, Key="a.txt", Body=b"bytes")
    ssm.put_parameter(Name="/map", Value=json.dumps({".txt": PUBLIC}), Type="String")
    for name, value in {
        "SOURCE_BUCKET": RESTORED,
        "bucket_map": "ssm:/map",
        "DEAD_LETTER_QUEUE": sqs.create_queue(QueueName="dead")["QueueUrl"],
        "MAX_RECEIVES": "1",
        "LOGGING_LEVEL": "DEBUG",
    }.items():
        patches.setenv(name, value)
    event = s3_event(s3_record(RESTORED, "a.txt"))

    def archive(target, fault):
        for each in (event, sqs_event(event)):
            forget_container()
            faults.hits, faults.met = (lambda service, *_: fault if service == target else None), 0
            written.by(lambda each=each: archive_copy.handler(each, None))

    yield archive
    forget_container()


@pytest.fixture(name="enqueue", scope="module")
def queue_of_events(patches, faults, written):
    queue = client_of_the_tests("sqs", REGION).create_queue(QueueName="events")["QueueUrl"]
    for name, value in {"OBJECTS_QUEUE": queue, "RECHECK_QUEUE": queue, "SOURCE_BUCKET": RESTORED}.items():
        patches.setenv(name, value)
    event = event_of(RESTORED, "a.txt", "Object Created")

    def enqueue(fault):
        forget_intake()
        faults.hits = lambda service, operation, request: fault if service == "sqs" else None
        written.by(lambda: partition_replicate.enqueue(event, None))

    yield enqueue
    forget_intake()


@pytest.mark.parametrize("fault", CASES)
def test_functions_that_fail_write_no_credentials(archive, enqueue, faults, leaks, fault):
    for target in ("s3", "ssm"):
        archive(target, fault)
        assert faults.met
    enqueue(fault)
    assert leaks({}) == []


@pytest.mark.parametrize("service, operation", [("s3", "list_buckets"), ("ssm", "describe_parameters")])
def test_client_of_the_add_on_quotes_no_credentials(service, operation):
    key, secret, token = OWN.values()
    protocol = Protocol(Keys(key, secret, token), region=REGION)
    for fault in FAULTS.values():
        client = make_client(service, protocol)
        client.meta.events.register_first("before-send", lambda request, fault=fault, **_: fault(request))
        try:
            getattr(client, operation)()
        except Exception as error:  # pylint: disable=broad-exception-caught  # the test searches it
            assert found(OWN, [("a traceback", "".join(traceback.format_exception(error)))]) == []
