from functools import cache

import boto3
import pytest
from moto import mock_aws

from local import mends
from tasks.utils.s3_requests import client_config
from tests.support.wire import Wire

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def no_aws_of_this_machine(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@cache
def session_of_the_tests():
    return boto3.session.Session()


@cache
def session_of_the_tasks():
    return boto3.session.Session(region_name=REGION)


@cache
def client_of_the_tests(service, region):
    config = client_config() if service == "s3" else None
    return session_of_the_tests().client(service, region_name=region, config=config)


@pytest.fixture(name="aws")
def empty_aws(monkeypatch):
    """Moto with its mends, in this process, empty: the session that the tasks make their clients of."""
    with mock_aws(), mends.applied():
        # A session reads botocore's data files anew, so one serves every test of a process.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session_of_the_tasks())
        yield boto3.DEFAULT_SESSION


@pytest.fixture(name="wire")
def wire_of_the_tasks(aws):
    """Everything that clients of the default session, which are the tasks' own, send to S3."""
    wire = Wire()
    with wire.listening(aws.events):
        yield wire


@pytest.fixture
def s3(aws):
    """A client that nothing listens to: it sets the stage and looks at what was done."""
    return client_of_the_tests("s3", aws.region_name)


@pytest.fixture
def sqs(aws):
    return client_of_the_tests("sqs", aws.region_name)
