import json

from local.patches import iam_simulation
from tests.local.patching import ACCOUNT, patched
from tests.local.test_patches_iam import TRUST, allow, deny

READ = ("s3:GetObject", "s3:PutObject")
IN_ACCOUNT = {"StringEquals": {"aws:ResourceAccount": [ACCOUNT]}}


def decisions(stage, *statements, actions=READ, resources=("arn:aws:s3:::bucket/key",), **context):
    """Return action -> (the decision on all resources, the decision on each)."""
    iam = stage.client("iam")
    role = iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName="role", PolicyName="policy", PolicyDocument=policy)
    entries = [
        {"ContextKeyName": f"aws:{key}", "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=list(actions), ResourceArns=list(resources), ContextEntries=entries
    )
    return {
        each["EvalActionName"]: (
            each["EvalDecision"],
            [one["EvalResourceDecision"] for one in each["ResourceSpecificResults"]],
        )
        for each in answer["EvaluationResults"]
    }


@patched(iam_simulation.simulate_policies, raises=NotImplementedError)
def test_simulation_evaluates_each_action_and_resource(stage):
    resources = ["arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/secret"]
    statements = allow("s3:Get*", "arn:aws:s3:::bucket/*"), deny("s3:GetObject", "arn:aws:s3:::bucket/secret")
    assert decisions(stage, *statements, resources=resources) == {
        "s3:GetObject": ("explicitDeny", ["allowed", "explicitDeny"]),
        "s3:PutObject": ("implicitDeny", ["implicitDeny", "implicitDeny"]),
    }


@patched(iam_simulation.simulate_policies, raises=NotImplementedError)
def test_condition_holds_only_for_a_value_that_is_given(stage):
    found = decisions(stage, allow("*", "*", Condition=IN_ACCOUNT), ResourceAccount=ACCOUNT)
    assert found["s3:PutObject"][0] == "allowed"
    stage.client("iam").delete_role_policy(RoleName="role", PolicyName="policy")
    stage.client("iam").delete_role(RoleName="role")
    assert decisions(stage, allow("*", "*", Condition=IN_ACCOUNT))["s3:PutObject"][0] == "implicitDeny"


@patched(iam_simulation.simulate_policies, raises=NotImplementedError)
def test_policies_of_a_user_are_evaluated_too(stage):
    iam = stage.client("iam")
    user = iam.create_user(UserName="user", Path="/of/mirrors/")["User"]["Arn"]
    inline, attached = (
        json.dumps({"Version": "2012-10-17", "Statement": [allow(action, "arn:aws:s3:::bucket/*")]})
        for action in ("s3:GetObject", "s3:PutObject")
    )
    iam.put_user_policy(UserName="user", PolicyName="inline", PolicyDocument=inline)
    policy = iam.create_policy(PolicyName="attached", PolicyDocument=attached)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="user", PolicyArn=policy)
    actions = [*READ, "s3:DeleteObject"]
    answer = iam.simulate_principal_policy(
        PolicySourceArn=user, ActionNames=actions, ResourceArns=["arn:aws:s3:::bucket/key"]
    )
    decisions_of = {each["EvalActionName"]: each["EvalDecision"] for each in answer["EvaluationResults"]}
    assert decisions_of == dict(zip(actions, ("allowed", "allowed", "implicitDeny"), strict=True))


@patched(iam_simulation.simulate_policies, raises=NotImplementedError)
def test_unknown_role_cannot_be_simulated(stage):
    call = stage.client("iam").simulate_principal_policy
    role = f"arn:aws:iam::{ACCOUNT}:role/unknown"
    assert stage.refusal(call, PolicySourceArn=role, ActionNames=list(READ)) == (404, "NoSuchEntity")
