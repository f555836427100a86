"""The real deployments, used: each call is allowed, and each allowed action is used or listed with its reason."""

import json
import os
import shutil
from contextlib import contextmanager

import pytest

from local.demo.mirror import DESTINATION_REGION
from tasks.utils.outcome_log import RETRIED
from tests.local.lambda_deployment import eventually
from tests.partition_replicate.events import event_of
from tests.permissions.mirrors import Mirror
from tests.permissions.run import used_deployments
from tests.permissions.steps import SECONDS
from tests.permissions.unused import UNUSED

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
    ),
]

ENQUEUE = "bucket-brigade-partition-replicate-enqueue-eu-west-1"
DENIED = " was called, and no policy allows it"
# The statements on KMS keys: of the functions, and of the mirror's role.
WITH_KEYS = {"ReadUnderKeys", "WriteUnderKeys", "UseKey"}
EVENTS = "events.amazonaws.com"
MIRRORS = "bucket-brigade-partition-replicate-eu-west-1"


# One test, because the deployments take two minutes.
def test_policies_allow_what_the_deployments_use_and_nothing_else(tmp_path):
    with used_deployments(tmp_path) as run:
        assert denials(run.problems(UNUSED)) == []
        assert {grant.sid for grant in run.grants() if "kms:Decrypt" in grant.actions} == WITH_KEYS
        assert_narrowed_policy_is_named(run)
        assert_removed_permission_of_a_service_is_named(run)
        assert run.problems(UNUSED) == []
        assert_widened_policy_is_named(run)


def assert_narrowed_policy_is_named(run):
    """Without SendMessage, `enqueue` can send neither an event nor a recheck to the FIFO queue."""
    aws, mirror = run.first.aws, Mirror(run.first)
    with changed(aws.client("iam"), ENQUEUE, "SendWork", without="sqs:SendMessage"):
        mirror.s3.put_object(**mirror.at("undelivered.txt"), Body=b"1")
        for receives in ("10", "1"):
            mirror.enqueue.set_environment(MAX_RECEIVES=receives)
            with mirror.enqueue.logging(RETRIED):
                mirror.enqueue.send(event_of(mirror.source, "rechecked.txt", "Object Recheck"), DelaySeconds=0)
        eventually(lambda: has_sent(run, ENQUEUE, mirror.outputs["undelivered_queue_url"]), SECONDS)
        named = run.problems({})
    queue = f"arn:aws:sqs:{aws.region}:{aws.account_id}:bucket-brigade-partition-replicate.fifo"
    assert denials(named) == [f"aws role {ENQUEUE}: sqs:SendMessage on {queue}{DENIED}"]
    run.forget_denials()


def assert_removed_permission_of_a_service_is_named(run):
    """Without its permission, the rule cannot invoke `enqueue`, and its event goes to the queue of undelivered ones."""
    mirror, functions = Mirror(run.first), run.first.aws.client("lambda")
    name = mirror.enqueue.name
    (statement,) = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    mirror.s3.put_object(**mirror.at("not-invoked.txt"), Body=b"1")
    eventually(lambda: has_sent(run, EVENTS, mirror.outputs["undelivered_queue_url"]), SECONDS)
    named = denials(run.problems({}))
    assert named == [f"{EVENTS}: lambda:InvokeFunction on {statement['Resource']}{DENIED}"]
    functions.add_permission(
        FunctionName=name,
        StatementId=statement["Sid"],
        Action=statement["Action"],
        Principal=EVENTS,
        SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
    )
    run.forget_denials()


def denials(found):
    return [problem for problem in found if problem.endswith(DENIED)]


def has_sent(run, sender, queue_url):
    """Return whether a role or a service has sent a message to a queue."""
    queue = queue_url.rpartition("/")[2]
    return any(
        decision.principal.endswith(sender) and decision.resource.endswith(f":{queue}") and decision.allowed
        for decision in set(run.decisions)
    )


def assert_widened_policy_is_named(run):
    iam = run.first.aws.client("iam", region_name=DESTINATION_REGION)
    with changed(iam, MIRRORS, "CompareAndWrite", more="s3:PutObjectAcl"):
        (problem,) = run.problems(UNUSED)
    widened = f"aws-us-gov role {MIRRORS}, statement CompareAndWrite: s3:PutObjectAcl"
    assert problem.startswith(f"{widened} is allowed, and the run did not use it")


@contextmanager
def changed(iam, role, sid, *, without=None, more=None):
    """Change the actions of a statement for the block."""
    policy = {"RoleName": role, "PolicyName": "task"}
    document = iam.get_role_policy(**policy)["PolicyDocument"]
    other = json.loads(json.dumps(document))
    (statement,) = [statement for statement in other["Statement"] if statement["Sid"] == sid]
    statement["Action"] = [action for action in [*statement["Action"], *([more] if more else [])] if action != without]
    # IAM does not accept a statement without actions.
    other["Statement"] = [statement for statement in other["Statement"] if statement["Action"]]
    iam.put_role_policy(**policy, PolicyDocument=json.dumps(other))
    try:
        yield
    finally:
        iam.put_role_policy(**policy, PolicyDocument=json.dumps(document))
