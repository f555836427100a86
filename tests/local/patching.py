"""Tests of patches: a test has to pass with all patches, and to fail without the patch that it needs.

`make test` runs the first case, `make chaos` the second: only a new version of moto can change its result.
"""

import functools
import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import ServiceException

from tests.support.mocked import patched_aws

ACCOUNT = "123456789012"
REGION = "eu-west-1"

# The patches with a test.
TESTED = set()

# The errors of a test without its patch.
FAILURES_OF_BARE_MOTO = (
    AssertionError,
    AttributeError,
    BotoCoreError,
    ClientError,
    LookupError,
    ServiceException,
    ValueError,
    pytest.fail.Exception,
)


@functools.cache
def session():
    """Return the session of all tests: loading service descriptions takes longer than most tests."""
    return boto3.session.Session()


def new_client(service, **options):
    """Return a client without retries."""
    config = Config(retries={"total_max_attempts": 1}).merge(options.pop("config", Config()))
    return session().client(service, region_name=REGION, config=config, **options)


@functools.cache
def client(service):
    """Return a client without retries, the same one for all tests."""
    return new_client(service)


def queue_policy_for_s3(queue):
    """Return the policy of a queue that accepts notifications of S3."""
    allowed = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    resource = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    return json.dumps({"Version": "2012-10-17", "Statement": [{**allowed, "Resource": resource}]})


class Stage:
    """Moto for one test, the settings of the patches, and helpers of tests."""

    def __init__(self, hooks):
        self.hooks = hooks

    def client(self, service):
        return client(service)

    def s3(self, *buckets, versioned=False):
        s3 = self.client("s3")
        for bucket in buckets:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            if versioned:
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return s3

    def refusal(self, call, **arguments):
        """Return status and code of a call that has to fail."""
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]

    def queue(self, name, **attributes):
        attributes = {key: str(value) for key, value in attributes.items()}
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return self.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def bodies(self, queue_url):
        """Receive and delete all messages of a queue, and return their bodies."""
        sqs, bodies = self.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def patched(*needed, raises=FAILURES_OF_BARE_MOTO):
    """Run a test with all patches and, in `make chaos`, once without each of the patches that it needs."""
    TESTED.update(needed)
    runs = [pytest.param((), id="patched")]
    for patch in needed:
        reason = f"moto behaves like AWS: delete local.patches.{patch.name}"
        runs.append(
            pytest.param(
                (patch,),
                id=f"without-{patch.name}",
                marks=[pytest.mark.xfail(raises=raises, reason=reason, strict=True), pytest.mark.chaos],
            )
        )

    def decorate(test):
        @pytest.mark.parametrize("without", runs)
        def on_stage(without):
            with patched_aws(without=without) as hooks:
                test(Stage(hooks))

        on_stage.__name__ = test.__name__
        on_stage.__doc__ = test.__doc__
        return on_stage

    return decorate
