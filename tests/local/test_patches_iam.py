import json
from contextlib import suppress

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.authorization import enable_iam_authentication
from moto.s3.models import s3_backends

from local.patches import iam
from tests.local.patching import ACCOUNT, REGION, new_client, patched

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def allow(action, resource, **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource, **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def keys_of_role(stage, *statements):
    """Create a role with some statements, and return its keys."""
    role = stage.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)["Role"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    stage.client("iam").put_role_policy(RoleName="role", PolicyName="policy", PolicyDocument=policy)
    keys = stage.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


def client_of_role(stage, service, *statements):
    """Create a role with some statements, and return a client of it."""
    return new_client(service, **keys_of_role(stage, *statements))


def is_permitted(call, **arguments):
    """Return whether a call is permitted, with permissions enforced."""
    with enable_iam_authentication():
        try:
            call(**arguments)
        except ClientError as error:
            if "AccessDenied" in error.response["Error"]["Code"] or error.response["Error"]["Code"] == "403":
                return False
            raise
    return True


@patched(iam.match_wildcards_only)
def test_resource_is_matched_only_by_wildcards(stage):
    stage.s3("bucket")
    s3 = client_of_role(stage, "s3", allow("s3:PutObject", ["arn:aws:s3:::bucket/a.b*", "arn:aws:s3:::bucket/c+?"]))
    for key in ("a.b", "a.b/c", "a.b\nc", "c+d"):
        assert is_permitted(s3.put_object, Bucket="bucket", Key=key, Body=b"")
    for key in ("axb", "ccd", "c+", "c+dd", "xa.b"):
        assert not is_permitted(s3.put_object, Bucket="bucket", Key=key, Body=b"")


@patched(iam.ignore_statements_with_unmet_conditions)
def test_denial_of_plain_http_never_applies(stage):
    stage.s3("bucket")
    plain_http = {"Bool": {"aws:SecureTransport": "false"}}
    everything = allow("s3:*", "*")
    s3 = client_of_role(stage, "s3", everything, deny("s3:*", "*", Condition=plain_http))
    assert is_permitted(s3.put_object, Bucket="bucket", Key="key", Body=b"")


@patched(iam.ignore_statements_with_unmet_conditions)
def test_bucket_policy_that_denies_plain_http_never_applies(stage):
    s3 = stage.s3("bucket")
    plain_http = {"Bool": {"aws:SecureTransport": "false"}}
    statement = deny("s3:*", "arn:aws:s3:::bucket/*", Principal="*", Condition=plain_http)
    s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_object(Bucket="bucket", Key="key", Body=b"1")
    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"1"


@patched()
def test_denial_of_tls_always_applies(stage):
    stage.s3("bucket")
    tls = {"Bool": {"aws:SecureTransport": "true"}}
    s3 = client_of_role(stage, "s3", allow("s3:*", "*"), deny("s3:*", "*", Condition=tls))
    assert not is_permitted(s3.put_object, Bucket="bucket", Key="key", Body=b"")


OTHER_ACCOUNT = "210987654321"


def bucket_of_another_account(name):
    """Create a bucket of another account; moto permits access by every account."""
    s3_backends[OTHER_ACCOUNT]["aws"].create_bucket(name, REGION)


def only_of(account):
    return {"Condition": {"StringEquals": {"aws:ResourceAccount": [account]}}}


@patched(iam.check_resource_account)
def test_permission_for_buckets_of_one_account_does_not_cover_other_accounts(stage):
    stage.s3("mine")
    bucket_of_another_account("others")
    s3 = client_of_role(stage, "s3", allow(["s3:PutObject", "s3:GetObject"], "*", **only_of(ACCOUNT)))
    assert is_permitted(s3.put_object, Bucket="mine", Key="key", Body=b"1")
    assert is_permitted(s3.get_object, Bucket="mine", Key="key")
    assert not is_permitted(s3.put_object, Bucket="others", Key="key", Body=b"1")
    assert not is_permitted(s3.copy_object, Bucket="others", Key="key", CopySource={"Bucket": "mine", "Key": "key"})


@patched(iam.check_resource_account)
def test_permission_for_queues_of_another_account_does_not_cover_the_own_account(stage):
    queue = stage.queue("queue")
    sqs = client_of_role(stage, "sqs", allow("sqs:SendMessage", "*", **only_of(OTHER_ACCOUNT)))
    assert not is_permitted(sqs.send_message, QueueUrl=queue, MessageBody="1")


@patched()
def test_missing_bucket_answers_404_with_any_condition_on_its_account(stage):
    s3 = client_of_role(stage, "s3", allow("s3:GetObject", "*", **only_of(ACCOUNT)))
    with enable_iam_authentication():
        assert stage.refusal(s3.get_object, Bucket="absent", Key="key") == (404, "NoSuchBucket")


@patched(iam.refuse_unsigned_requests, raises=KeyError)
def test_unsigned_request_is_denied(stage):
    stage.s3("bucket")
    anonymous = new_client("s3", config=Config(signature_version=UNSIGNED))
    assert not is_permitted(anonymous.get_object, Bucket="bucket", Key="key")


@patched(iam.resolve_named_resource)
def test_permission_can_be_limited_to_a_table(stage):
    for name in ("mine", "other"):
        stage.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/mine"
    dynamodb = client_of_role(stage, "dynamodb", allow("dynamodb:PutItem", arn))
    item = {"id": {"S": "1"}}
    assert is_permitted(dynamodb.put_item, TableName="mine", Item=item)
    assert is_permitted(dynamodb.put_item, TableName=arn, Item=item)
    assert not is_permitted(dynamodb.put_item, TableName="other", Item=item)
    assert not is_permitted(dynamodb.get_item, TableName="mine", Key=item)


@patched(iam.require_batch_on_each_table)
def test_permission_for_a_batch_can_be_limited_to_a_table(stage):
    for name in ("mine", "other"):
        stage.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/mine"
    dynamodb = client_of_role(stage, "dynamodb", allow("dynamodb:BatchGetItem", arn))
    keys = {"Keys": [{"id": {"S": "1"}}]}
    assert is_permitted(dynamodb.batch_get_item, RequestItems={"mine": keys})
    assert not is_permitted(dynamodb.batch_get_item, RequestItems={"mine": keys, "other": keys})


@patched(iam.resolve_named_resource)
def test_permission_can_be_limited_to_a_secret(stage):
    secrets = stage.client("secretsmanager")
    arns = [secrets.create_secret(Name=name, SecretString="s")["ARN"] for name in ("mine", "other")]
    mine = client_of_role(stage, "secretsmanager", allow("secretsmanager:GetSecretValue", arns[0]))
    assert is_permitted(mine.get_secret_value, SecretId="mine")
    assert is_permitted(mine.get_secret_value, SecretId=arns[0])
    assert not is_permitted(mine.get_secret_value, SecretId="other")
    assert not is_permitted(mine.get_secret_value, SecretId=arns[1])


@patched(iam.resolve_named_resource)
def test_permission_can_be_limited_to_a_parameter(stage):
    for name in ("/app/mine", "/app/other"):
        stage.client("ssm").put_parameter(Name=name, Value="v", Type="String")
    ssm = client_of_role(stage, "ssm", allow("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/app/mine"))
    assert is_permitted(ssm.get_parameter, Name="/app/mine")
    assert not is_permitted(ssm.get_parameter, Name="/app/other")


@patched(iam.resolve_named_resource)
def test_permission_can_be_limited_to_a_sender(stage):
    for address in ("mine@example.org", "other@example.org"):
        stage.client("ses").verify_email_identity(EmailAddress=address)
    arn = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/mine@example.org"
    ses = client_of_role(stage, "ses", allow("ses:SendEmail", arn))
    mail = {
        "Destination": {"ToAddresses": ["you@example.org"]},
        "Message": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}},
    }
    assert is_permitted(ses.send_email, Source="mine@example.org", **mail)
    assert not is_permitted(ses.send_email, Source="other@example.org", **mail)


@patched()
def test_permission_can_be_limited_to_a_queue(stage):
    mine, other = stage.queue("mine"), stage.queue("other")
    sqs = client_of_role(stage, "sqs", allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:mine"))
    assert is_permitted(sqs.send_message, QueueUrl=mine, MessageBody="1")
    assert not is_permitted(sqs.send_message, QueueUrl=other, MessageBody="1")


@patched()
def test_request_signed_with_the_wrong_secret_is_refused(stage):
    stage.s3("bucket")
    keys = keys_of_role(stage, allow("s3:*", "*")) | {"aws_secret_access_key": "wrong"}
    s3 = new_client("s3", **keys)
    with enable_iam_authentication(), pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.list_objects_v2(Bucket="bucket")


@patched(iam.verify_signature_of_empty_body)
def test_signature_of_a_request_without_a_body_is_valid(stage):
    functions = client_of_role(stage, "lambda", allow("lambda:*", "*"))
    assert is_permitted(functions.list_functions)
    assert is_permitted(functions.list_event_source_mappings, MaxItems=7)


@patched(iam.require_invoke_function)
def test_invoking_needs_the_permission_to_invoke_a_function(stage):
    functions = client_of_role(stage, "lambda", allow("lambda:InvokeFunction", "*"))
    # With the permission the call fails only because the function does not exist.
    with pytest.raises(ClientError, match="Function not found"):
        assert not is_permitted(functions.invoke, FunctionName="function", Payload=b"{}")


@patched(iam.require_single_message_action)
def test_batch_of_messages_needs_the_permission_for_a_single_message(stage):
    queue = stage.queue("queue")
    message = [{"Id": "1", "MessageBody": "body"}]
    sqs = client_of_role(stage, "sqs", allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"))
    assert is_permitted(sqs.send_message_batch, QueueUrl=queue, Entries=message)
    assert not is_permitted(sqs.delete_message_batch, QueueUrl=queue, Entries=[{"Id": "1", "ReceiptHandle": "none"}])


@patched(iam.require_each_transaction_action)
def test_transaction_needs_the_permissions_of_its_actions_on_their_tables(stage):
    for table in ("a", "b"):
        stage.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Key", "AttributeType": "S"}],
        )
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table"
    dynamodb = client_of_role(
        stage, "dynamodb", allow("dynamodb:PutItem", f"{arn}/*"), allow("dynamodb:DeleteItem", f"{arn}/a")
    )
    item = {"Key": {"S": "key"}}
    put, delete = ({"Put": {"TableName": "b", "Item": item}}, {"Delete": {"TableName": "a", "Key": item}})
    elsewhere = {"Delete": {"TableName": "b", "Key": {"Key": {"S": "other"}}}}
    assert is_permitted(dynamodb.transact_write_items, TransactItems=[put, delete])
    assert not is_permitted(dynamodb.transact_write_items, TransactItems=[put, elsewhere])


def decisions_of(stage, call, **arguments):
    """Return the decisions on a call: each action, the name of its resource, and whether it is allowed."""
    decisions = []
    stage.hooks.on_decision = decisions.append
    with enable_iam_authentication(), suppress(ClientError):
        call(**arguments)
    assert {decision.principal for decision in decisions} == {f"arn:aws:iam::{ACCOUNT}:role/role"}
    return {(decision.action, decision.resource.rpartition(":")[2], decision.allowed) for decision in decisions}


@patched(iam.report_decisions)
def test_each_action_that_a_request_needs_is_reported_for_the_role_of_the_session(stage):
    s3 = stage.s3("source", "archive", versioned=True)
    version = s3.put_object(Bucket="source", Key="a:b", Body=b"1", Tagging="state=new")["VersionId"]
    role = client_of_role(stage, "s3", allow("s3:*", "*"))
    source = {"Bucket": "source", "Key": "a:b", "VersionId": version}
    assert decisions_of(stage, role.copy_object, Bucket="archive", Key="copy", CopySource=source) == {
        ("s3:PutObject", "archive/copy", True),
        ("s3:PutObjectTagging", "archive/copy", True),
        ("s3:GetObjectVersion", "b", True),
        ("s3:GetObjectVersionTagging", "b", True),
    }


@patched(iam.report_decisions)
def test_denied_action_is_reported_and_the_permission_to_list_an_absent_key(stage):
    stage.s3("bucket")
    role = client_of_role(stage, "s3", allow(["s3:GetObject", "s3:ListBucket"], "*"))
    absent = {"Bucket": "bucket", "Key": "absent"}
    assert decisions_of(stage, role.head_object, **absent) == {
        ("s3:GetObject", "bucket/absent", True),
        ("s3:ListBucket", "bucket", True),
    }
    assert decisions_of(stage, role.delete_object, **absent) == {("s3:DeleteObject", "bucket/absent", False)}


@patched(iam.report_decisions)
def test_each_action_of_a_transaction_is_reported_and_none_for_the_callers_own_identity(stage):
    item = {"Key": {"S": "key"}}
    keys = keys_of_role(stage, allow("dynamodb:*", "*"))
    dynamodb, sts = (new_client(service, **keys) for service in ("dynamodb", "sts"))
    actions = [{"Put": {"TableName": "a", "Item": item}}, {"Delete": {"TableName": "b", "Key": item}}]
    reported = decisions_of(stage, dynamodb.transact_write_items, TransactItems=actions)
    assert reported == {("dynamodb:PutItem", "table/a", True), ("dynamodb:DeleteItem", "table/b", True)}
    decisions = []
    stage.hooks.on_decision = decisions.append
    with enable_iam_authentication():
        sts.get_caller_identity()
    assert not decisions
