"""How a patch of moto is tested: with it the test has to pass; without it, all others in place, it has to fail.

`make test` runs the first, `make chaos` the second: whether moto is still wrong changes with moto's version only.
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

# Patches that have a test.
TESTED = set()

# How a test fails that moto alone does not pass.
WHAT_BARE_MOTO_DOES = (
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
    """One for all tests: what a session reads takes longer than most of them."""
    return boto3.session.Session()


def new_client(service, **options):
    """A client that asks once, of keys of its own or none."""
    config = Config(retries={"total_max_attempts": 1}).merge(options.pop("config", Config()))
    return session().client(service, region_name=REGION, config=config, **options)


@functools.cache
def client(service):
    """A client of bare or patched moto: the two differ in what answers it."""
    return new_client(service)


def let_s3_send(queue):
    """The policy of a queue that takes what S3 tells."""
    allowed = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    resource = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    return json.dumps({"Version": "2012-10-17", "Statement": [{**allowed, "Resource": resource}]})


class Stage:
    """Moto for one test, the settings of the patches, and what tests do again and again."""

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
        """Status and code of a call that is refused."""
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]

    def queue(self, name, **attributes):
        attributes = {key: str(value) for key, value in attributes.items()}
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return self.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def bodies(self, queue_url):
        """All messages of a queue, which is empty afterwards."""
        sqs, bodies = self.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def patched(*needed, raises=WHAT_BARE_MOTO_DOES):
    """Run a test with all patches and, in `make chaos`, once without each of the patches that it needs."""
    TESTED.update(needed)
    runs = [pytest.param((), id="patched")]
    for patch in needed:
        reason = f"moto is right by itself: drop local.patches.{patch.name}"
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
