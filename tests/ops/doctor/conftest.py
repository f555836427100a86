"""The deployment of `tests/ops/conftest.py`, with all that Terraform adds to it: nothing is wrong with it."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from types import SimpleNamespace

import boto3
import pytest

from ops.deployment import Deployment
from ops.doctor.facts import Facts
from ops.doctor.names import names_of, names_of_destination
from ops.doctor.needs import needs_of
from ops.doctor.subjects import functions, identities, queues
from tests.ops.conftest import (
    ARCHIVE,
    DESTINATION_REGION,
    FINAL,
    MIRROR,
    NAME,
    REGION,
    RESTORED,
    SOURCE,
    UPLOADS,
    function,
    queue_pair,
)

ACCOUNT = "123456789012"
AUDIENCE = "bucket-brigade"
TIMEOUT = 60
BUCKETS = {**dict.fromkeys((SOURCE, RESTORED, ARCHIVE, UPLOADS, FINAL), REGION), MIRROR: DESTINATION_REGION}
TABLES = {f"{NAME}-partition-replicate": "ExpiresAt", "outcomes": "expiration"}
ADDRESSES = "uploads@example.org", "data@example.org"
ABORT = {"ID": "a", "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
# The functions that enter the mirror, and the names of their roles there.
ROLES = {"partition_replicate": "mirror", "mirror_check": "mirror-check"}
BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def arn_of(url):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rpartition('/')[2]}"


def policy_of(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def service_may(service, action, source, resource):
    principal, condition = {"Service": service}, {"ArnEquals": {"aws:SourceArn": source}}
    allowed = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return policy_of({**allowed, "Condition": condition})


def statements_of(kind, names):
    """Return statements that allow what a function needs."""
    return [{"Effect": "Allow", "Action": list(need.actions), "Resource": arns} for need, arns in needs_of(kind, names)]


def mirror_check(aws, mirror):
    """Create `mirror_check`; return its output."""
    queue, letters = queue_pair(aws.client("sqs"), f"{NAME}-mirror-check", fifo=True)
    own = {"WORK_QUEUE": queue, "DEAD_LETTER_QUEUE": letters, "REPAIR": "on"}
    objects = {"OBJECTS_TABLE": mirror["table"], "OBJECTS_QUEUE": mirror["queue_url"]}
    objects["OBJECTS_DEAD_LETTER_QUEUES"] = json.dumps([mirror["dead_letter_queue_url"]])
    function(aws, f"{NAME}-mirror-check", {**own, **objects, "SOURCE_BUCKET": SOURCE, "DEST_SECRET": ""})
    return {
        "function_name": f"{NAME}-mirror-check",
        "queue_url": queue,
        "dead_letter_queue_url": letters,
        "undelivered_queue_url": mirror["undelivered_queue_url"],
    }


@pytest.fixture(name="outputs")
def outputs_with_the_check_of_the_mirror(aws, outputs):
    return {**outputs, "mirror_check": mirror_check(aws, outputs["partition_replicate"])}


class World:
    """A deployment, with clients to break it."""

    def __init__(self, aws, outputs):
        self.outputs = outputs
        self.deployment = Deployment.of(outputs, "here")
        self.functions = {each.kind: each for each in functions(self.deployment)}
        self.identities = {each.function.kind: each for each in identities(self.deployment)}
        self._aws = aws
        self._clients = {}

    def __getattr__(self, service):
        """Return a client of the deployment's region."""
        return self.client(service.rstrip("_").replace("far_", ""), far=service.startswith("far_"))

    def client(self, service, far=False):
        region = DESTINATION_REGION if far else REGION
        if (service, far) not in self._clients:
            self._clients[service, far] = self._aws.client(service, region_name=region)
        return self._clients[service, far]

    def configuration(self, kind):
        return self.lambda_.get_function_configuration(FunctionName=self.functions[kind].label)

    def set(self, kind, **settings):
        """Change settings of a function."""
        old = self.configuration(kind)["Environment"]["Variables"]
        name = self.functions[kind].label
        self.lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": {**old, **settings}})

    def allow(self, kind, *statements):
        """Give the role of a function these statements only."""
        arguments = {"RoleName": self.functions[kind].label, "PolicyName": "task"}
        self.iam.put_role_policy(**arguments, PolicyDocument=policy_of(*statements))

    def mapping(self, kind):
        """Return the event source mapping of a function."""
        name = self.functions[kind].label
        return self.lambda_.list_event_source_mappings(FunctionName=name)["EventSourceMappings"][0]


@pytest.fixture(name="world")
def deployment_without_a_fault(aws, outputs):
    world = World(aws, outputs)
    set_up_buckets(world)
    set_up_queues(world)
    set_up_tables(world)
    set_up_destination(world)
    set_up_functions(world)
    set_up_events(world)
    for address in ADDRESSES:
        world.ses.verify_email_identity(EmailAddress=address)
    world.ssm.put_parameter(Name="/github", Value="hidden", Type="SecureString")
    return world


def set_up_buckets(world):
    for bucket, region in BUCKETS.items():
        s3 = world.client("s3", far=region == DESTINATION_REGION)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(BLOCK, True))
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [ABORT]})


def set_up_queues(world):
    for queue in queues(world.deployment):
        attributes = {"VisibilityTimeout": str(6 * TIMEOUT)}
        if queue.sender:
            source = f"arn:aws:s3:::{queue.sender}"
            attributes["Policy"] = service_may("s3.amazonaws.com", "sqs:SendMessage", source, arn_of(queue.work.url))
        if queue.work.url.endswith(".fifo"):
            attributes |= {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
        world.sqs.set_queue_attributes(QueueUrl=queue.work.url, Attributes=attributes)


def set_up_tables(world):
    key = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
    key["KeySchema"] = [{"AttributeName": "id", "KeyType": "HASH"}]
    world.dynamodb.create_table(TableName="outcomes", BillingMode="PAY_PER_REQUEST", **key)
    for table, attribute in TABLES.items():
        expiry = {"Enabled": True, "AttributeName": attribute}
        world.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
        recovery = {"PointInTimeRecoveryEnabled": True}
        world.dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)


def set_up_destination(world):
    """Make a role for each function that enters the mirror, and let the account issue tokens for them."""
    issuer = world.iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    provider = world.far_iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[AUDIENCE])
    for kind, name in ROLES.items():
        trust = trust_of(world, kind, issuer, provider["OpenIDConnectProviderArn"])
        made = world.far_iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy_of(trust))
        owners = json.dumps({"*": ACCOUNT, MIRROR: ACCOUNT})
        role = {"DEST_ROLE_ARN": made["Role"]["Arn"], "DEST_TOKEN_AUDIENCE": AUDIENCE}
        world.set(kind, **role, BUCKET_OWNERS=owners)
        policy = policy_of(*statements_of_destination(world, kind))
        world.far_iam.put_role_policy(RoleName=name, PolicyName="task", PolicyDocument=policy)


def trust_of(world, kind, issuer, provider):
    """Return a statement that lets a function assume its role at the destination."""
    host = issuer.removeprefix("https://")
    wanted = {f"{host}:aud": AUDIENCE, f"{host}:sub": world.configuration(kind)["Role"]}
    allowed = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
    return {**allowed, "Condition": {"StringEquals": wanted}}


def statements_of_destination(world, kind, key=None):
    """Return statements that allow what the role of a function at the destination needs."""
    identity = world.identities[kind]
    return statements_of(identity.kind, names_of_destination(identity, world.configuration(kind), "aws-us-gov", key))


def set_up_functions(world):
    owners = json.dumps({"*": ACCOUNT})
    sender, recipient = ADDRESSES
    world.set("archive_copy", BUCKET_OWNERS=owners)
    mail = {"SENDER_EMAIL": sender, "ERROR_REPORT_EMAIL": recipient, "SUPERSEDED_FILES": "keep"}
    world.set("upload_validate", BUCKET_OWNERS=owners, GITHUB_API_KEY="/github", **mail)
    for kind, each in world.functions.items():
        name = each.label
        world.lambda_.update_function_configuration(FunctionName=name, Timeout=TIMEOUT)
        world.lambda_.create_event_source_mapping(
            FunctionName=name,
            EventSourceArn=arn_of(each.queue.url),
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 5},
        )
        world.lambda_.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
        kept = {"OnFailure": {"Destination": arn_of(each.on_failure)}}
        world.lambda_.put_function_event_invoke_config(FunctionName=name, DestinationConfig=kept)
        world.allow(kind, *statements_of(kind, names_of(each, world.configuration(kind))))


def set_up_events(world):
    for queue in queues(world.deployment):
        if queue.sender:
            events = ["s3:ObjectRestore:Completed" if queue.sender == RESTORED else "s3:ObjectCreated:*"]
            sent = {"QueueConfigurations": [{"QueueArn": arn_of(queue.work.url), "Events": events}]}
            world.s3.put_bucket_notification_configuration(Bucket=queue.sender, NotificationConfiguration=sent)
    sent = {"EventBridgeConfiguration": {}}
    world.s3.put_bucket_notification_configuration(Bucket=SOURCE, NotificationConfiguration=sent)
    enqueue = world.functions["partition_replicate_enqueue"]
    pattern = json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [SOURCE]}}})
    rule = world.events.put_rule(Name="mirror", EventPattern=pattern)["RuleArn"]
    policy = service_may("events.amazonaws.com", "sqs:SendMessage", rule, arn_of(enqueue.on_failure))
    world.sqs.set_queue_attributes(QueueUrl=enqueue.on_failure, Attributes={"Policy": policy})
    put_target(world, {"DeadLetterConfig": {"Arn": arn_of(enqueue.on_failure)}})
    allowed = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", "SourceArn": rule}
    world.lambda_.add_permission(FunctionName=enqueue.label, StatementId="AllowRule", **allowed)


def put_target(world, more):
    arn = world.configuration("partition_replicate_enqueue")["FunctionArn"]
    world.events.put_targets(Rule="mirror", Targets=[{"Id": "1", "Arn": arn, **more}])


@pytest.fixture
def describe(outputs, outputs_file):
    """Return a function that changes the output of a task."""

    def change(task, **values):
        outputs[task].update(values)
        described = {name: {"value": value} for name, value in outputs.items()}
        outputs_file.write_text(json.dumps(described), encoding="utf-8")

    return change


@pytest.fixture(autouse=True)
def sessions_of_the_command(monkeypatch):
    """Share sessions between tests: a new one reads the descriptions of all its services again."""
    monkeypatch.setattr("ops.aws.boto3.Session", session_with)


@cache
def session_with(**options):
    return boto3.session.Session(**options)


@pytest.fixture(name="doctor")
def command_with_findings(brigade):
    """Return a function that runs `brigade doctor`, and returns its status and its findings."""

    def run(*verdicts, options=()):
        status = brigade("doctor", "--json", *options)
        assert brigade.err == ""
        wanted = [each for each in brigade.records if each["verdict"] in (verdicts or ("problem", "warning"))]
        return SimpleNamespace(status=status, found=wanted, checks=[each["check"] for each in wanted], out=brigade.out)

    return run


@pytest.fixture(autouse=True)
def clock_of_s3(monkeypatch):
    """Set the date in answers of S3, which moto leaves out, to this machine's time."""
    monkeypatch.setattr(Facts, "date_of_s3", lambda facts: format_datetime(datetime.now(UTC), usegmt=True))
