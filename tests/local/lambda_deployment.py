"""Deployments for the tests of the Lambda service, and access to their results."""

import io
import json
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import boto3
from botocore.config import Config
from moto.utilities.utils import get_partition

from local.embedded_aws import EmbeddedAws
from local.lambda_service import LambdaService

ACCOUNT = "123456789012"
REGION = "eu-west-1"

TRUST_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

# The start of a function that sends to SQS with the tests' SDK, in place of one in the zip; it needs this environment.
SQS_CLIENT = """
import json, os, sys
sys.path.append(os.environ["SITE_PACKAGES"])
import boto3
sqs = boto3.client("sqs")
"""
SQS_ENVIRONMENT = {"SITE_PACKAGES": str(Path(boto3.__file__).parents[1])}

# The permissions of a function to read queues and to write its log.
BASIC_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "logs:*")


def zipped(source, **more):
    """Return a function's zip with the module `m` and further modules."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in {"m": source, **more}.items():
            archive.writestr(f"{name}.py", text)
    return content.getvalue()


def eventually(condition, seconds=30):
    """Wait for a true value of a condition, and return it."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "The condition did not become true in time."
        time.sleep(0.01)
    return value


# One session for all clients, which loads the descriptions of the services once.
SESSION = boto3.Session()


def answer(response):
    """Return the answer of the Invoke API."""
    body = response["Payload"].read()
    return SimpleNamespace(
        status=response["StatusCode"],
        error=response.get("FunctionError"),
        version=response.get("ExecutedVersion"),
        value=json.loads(body) if body else None,
    )


class Deployment:
    """An embedded AWS with a running Lambda service."""

    def __init__(self, aws, service, region=REGION):
        self.aws = aws
        self.service = service
        self.region = region
        self.functions = self.client("lambda")
        self.sqs = self.client("sqs")

    def client(self, service, **options):
        settings = {**self.aws.admin_credentials, "region_name": self.region, **options}
        config = Config(retries={"total_max_attempts": 1})
        return SESSION.client(service, endpoint_url=self.aws.endpoint_url, config=config, **settings)

    def role(self, name, *actions, resource="*", trust=None):
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST_LAMBDA))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": list(actions or BASIC_ACTIONS), "Resource": resource}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy)
        return arn

    def function(self, source, *, name="f", role=None, environment=None, **settings):
        return self.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role or self.role(f"{name}-role"),
            Code={"ZipFile": source if isinstance(source, bytes) else zipped(source)},
            Environment={"Variables": environment or {}},
            **{"Handler": "m.handler", "Timeout": 10, "MemorySize": 128, **settings},
        )["FunctionArn"]

    def invoke(self, event=None, *, name="f"):
        return answer(self.functions.invoke(FunctionName=name, Payload=json.dumps(event)))

    def send_event(self, event, *, name="f"):
        return answer(self.functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event)))

    def queue(self, name, **attributes):
        """Create a queue, and return its URL and ARN."""
        attributes = {key: str(value) for key, value in attributes.items()}
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:{get_partition(self.region)}:sqs:{self.region}:{ACCOUNT}:{name}"

    def map(self, queue_arn, *, name="f", **settings):
        mapping = self.functions.create_event_source_mapping(EventSourceArn=queue_arn, FunctionName=name, **settings)
        return mapping["UUID"]

    def send(self, url, *bodies, **options):
        """Send messages, and return their ids by body."""
        return {body: self.sqs.send_message(QueueUrl=url, MessageBody=body, **options)["MessageId"] for body in bodies}

    def left(self, url):
        """Return the number of messages in a queue, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def received(self, url, seconds=8):
        """Return the next message of a queue."""
        return eventually(
            lambda: self.sqs.receive_message(
                QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
            ).get("Messages"),
            seconds,
        )[0]

    def log(self, start, *, name="f"):
        """Return the lines of a function's log with a given start."""
        return [line for line in self.service.logs(name) if line.startswith(start)]

    def dropped(self, *, name="f"):
        """Return the number of dropped invocations of a function, from the metric."""
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="RecursiveInvocationsDropped",
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=time.time() - 600,
            EndTime=time.time() + 600,
            Period=1200,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in found)

    def seen(self, *, name="f"):
        """Return the JSON values that a function printed after `SEEN `."""
        return [json.loads(line.removeprefix("SEEN ")) for line in self.log("SEEN ", name=name)]


@contextmanager
def deployed(**options):
    with EmbeddedAws(region=REGION, account_id=ACCOUNT) as aws, LambdaService(aws, **options) as service:
        yield Deployment(aws, service)
