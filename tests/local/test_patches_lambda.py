import io
import json
import zipfile

import pytest
from moto.awslambda.models import LambdaFunction

from local.patches import events, lambda_, lambda_account, lambda_recursion
from tests.local.patching import ACCOUNT, FAILURES_OF_BARE_MOTO, REGION, patched

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture(autouse=True)
def no_docker(monkeypatch):
    """Prevent unpatched moto from starting a container."""
    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", lambda *_, **__: pytest.fail("moto starts a container"))


class Functions:
    """A Lambda service that records its invocations."""

    def __init__(self):
        self.invocations = []
        self.answer = (200, {}, b'"done"')

    def invoke(self, function, payload, invocation_type):
        self.invocations.append((function.function_arn, str(function.version), json.loads(payload), invocation_type))
        return self.answer

    def last_invocation(self):
        return self.invocations[-1]


def deploy(stage):
    """Deploy a function, and return the client and the recording service."""
    functions = Functions()
    stage.hooks.lambda_invoker = functions.invoke
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("code.py", "")
    role = stage.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    stage.client("lambda").create_function(
        FunctionName="function",
        Runtime="python3.13",
        Handler="code.handler",
        Role=role,
        Code={"ZipFile": archive.getvalue()},
    )
    return stage.client("lambda"), functions


@patched(lambda_.forward_invocations)
def test_invocation_is_forwarded_and_its_answer_returned(stage):
    client, functions = deploy(stage)
    functions.answer = (200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorMessage": "no"}')
    answer = client.invoke(FunctionName="function", Payload=b'{"a": 1}')
    assert functions.invocations == [(ARN, "$LATEST", {"a": 1}, "RequestResponse")]
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read()) == {"errorMessage": "no"}


@patched(lambda_.forward_invocations)
def test_invocation_that_is_refused_is_an_error(stage):
    client, functions = deploy(stage)
    body = b'{"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}'
    functions.answer = (429, {"x-amzn-ErrorType": "TooManyRequestsException"}, body)
    assert stage.refusal(client.invoke, FunctionName="function") == (429, "TooManyRequestsException")


@patched(lambda_.forward_invocations)
def test_invocation_without_a_lambda_service_is_refused(stage):
    deploy(stage)
    stage.hooks.reset()
    refused = stage.refusal(stage.client("lambda").invoke, FunctionName="function", Payload=b"{}")
    assert refused == (503, "ServiceException")


@patched()
def test_asynchronous_invocation_is_forwarded_as_such(stage):
    client, functions = deploy(stage)
    functions.answer = (202, {}, b"")
    answer = client.invoke(FunctionName=ARN, Payload=b"1", InvocationType="Event")
    assert functions.invocations == [(ARN, "$LATEST", 1, "Event")]
    assert answer["StatusCode"] == 202


@patched(lambda_.forward_invocations)
def test_dry_run_runs_nothing(stage):
    client, functions = deploy(stage)
    assert client.invoke(FunctionName="function", InvocationType="DryRun")["StatusCode"] == 204
    assert not functions.invocations


@patched(lambda_.forward_invocations)
def test_invocation_of_a_version_is_forwarded_to_the_version(stage):
    client, functions = deploy(stage)
    version = client.publish_version(FunctionName="function")["Version"]
    client.invoke(FunctionName="function", Qualifier=version, Payload=b"{}")
    assert [invocation[:2] for invocation in functions.invocations] == [(f"{ARN}:{version}", version)]


@patched()
def test_invocation_of_unknown_function_is_refused(stage):
    client, _ = deploy(stage)
    assert stage.refusal(client.invoke, FunctionName="other") == (404, "ResourceNotFoundException")


@patched(lambda_.forward_events)
def test_notification_of_s3_invokes_its_function(stage):
    _, functions = deploy(stage)
    s3 = stage.s3("bucket")
    created = {"LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"LambdaFunctionConfigurations": [created]}
    )
    s3.put_object(Bucket="bucket", Key="key", Body=b"1")
    arn, _, event, invocation_type = functions.last_invocation()
    assert (arn, invocation_type) == (ARN, "Event")
    assert event["Records"][0]["s3"]["object"]["key"] == "key"


@patched(lambda_.forward_events)
def test_message_of_a_topic_invokes_its_function(stage):
    _, functions = deploy(stage)
    topic = stage.client("sns").create_topic(Name="topic")["TopicArn"]
    stage.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=ARN)
    stage.client("sns").publish(TopicArn=topic, Message="news")
    arn, _, event, invocation_type = functions.last_invocation()
    assert (arn, invocation_type) == (ARN, "Event")
    assert event["Records"][0]["Sns"]["Message"] == "news"


def rule_with_the_function(stage, **target):
    """A rule whose target is the function; returns its ARN."""
    bridge = stage.client("events")
    arn = bridge.put_rule(Name="rule", EventPattern=json.dumps({"source": ["app"]}))["RuleArn"]
    bridge.put_targets(Rule="rule", Targets=[{"Id": "function", "Arn": ARN, **target}])
    return arn


def permit(client, source_arn, **more):
    permission = {"StatementId": "rule", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    client.add_permission(FunctionName="function", SourceArn=source_arn, **{**permission, **more})


@patched(events.deliver_to_functions)
def test_event_invokes_the_function_of_its_rule(stage):
    client, functions = deploy(stage)
    bridge = stage.client("events")
    permit(client, rule_with_the_function(stage))
    entry = {"Source": "app", "DetailType": "news", "Detail": '{"a": 1}'}
    put = bridge.put_events(Entries=[entry, {**entry, "Source": "other"}])
    arn, _, event, invocation_type = functions.last_invocation()
    assert (arn, invocation_type) == (ARN, "Event")
    assert len(functions.invocations) == 1
    assert (event["id"], event["detail"]) == (put["Entries"][0]["EventId"], {"a": 1})
    assert event["time"].endswith("Z")
    assert set(event) == set(events.EVENT_FIELDS)


@patched(lambda_.return_log_tail_on_request)
def test_end_of_the_log_is_returned_on_request(stage):
    client, functions = deploy(stage)
    functions.answer = (200, {"X-Amz-Log-Result": "dGFpbA=="}, b"1")
    assert "LogResult" not in client.invoke(FunctionName="function")
    assert client.invoke(FunctionName="function", LogType="Tail")["LogResult"] == "dGFpbA=="


def configured(client, name):
    return client.get_function_configuration(FunctionName="function").get(name)


@patched(
    lambda_.store_logging_and_dead_letter_config,
    lambda_.return_logging_and_dead_letter_config,
    lambda_.update_logging_and_dead_letter_config,
)
def test_function_stores_its_logging_and_dead_letter_configuration(stage):
    client, _ = deploy(stage)
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
    client.update_function_configuration(
        FunctionName="function",
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/group"},
        DeadLetterConfig={"TargetArn": queue},
    )
    assert configured(client, "LoggingConfig") == {"LogFormat": "JSON", "LogGroup": "/group"}
    assert configured(client, "DeadLetterConfig") == {"TargetArn": queue}


@patched(lambda_.list_mappings_by_name_or_arn)
def test_mappings_are_listed_by_name_or_arn_of_their_function(stage):
    client, _ = deploy(stage)
    stage.queue("queue")
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
    mapping_id = client.create_event_source_mapping(EventSourceArn=queue, FunctionName=ARN)["UUID"]
    for function in ({"FunctionName": "function"}, {"FunctionName": ARN}, {}, {"EventSourceArn": queue}):
        listed = client.list_event_source_mappings(**function)["EventSourceMappings"]
        assert [mapping["UUID"] for mapping in listed] == [mapping_id]
    assert not client.list_event_source_mappings(FunctionName="other")["EventSourceMappings"]


# In this process an action that moto does not have raises this.
NOT_THERE = (*FAILURES_OF_BARE_MOTO, NotImplementedError)


@patched(
    lambda_recursion.route_recursion_config,
    lambda_recursion.get_recursion_config,
    lambda_recursion.put_recursion_config,
    raises=NOT_THERE,
)
def test_recursion_config_is_returned_as_it_was_put(stage):
    client, _ = deploy(stage)
    assert client.get_function_recursion_config(FunctionName="function")["RecursiveLoop"] == "Terminate"
    for wanted in ("Allow", "Terminate"):
        client.put_function_recursion_config(FunctionName="function", RecursiveLoop=wanted)
        assert client.get_function_recursion_config(FunctionName=ARN)["RecursiveLoop"] == wanted
    invalid = stage.refusal(client.put_function_recursion_config, FunctionName="function", RecursiveLoop="Maybe")
    assert invalid == (400, "InvalidParameterValueException")
    missing = stage.refusal(client.get_function_recursion_config, FunctionName="missing")
    assert missing == (404, "ResourceNotFoundException")


def trace_of(stage, queue):
    received = stage.client("sqs").receive_message(QueueUrl=queue, MessageSystemAttributeNames=["AWSTraceHeader"])
    return received["Messages"][0].get("Attributes", {}).get("AWSTraceHeader")


@patched(
    lambda_recursion.read_trace_of_message,
    lambda_recursion.read_trace_of_batch,
    lambda_recursion.store_trace,
)
def test_message_has_the_trace_of_its_request(stage):
    sqs, queue = stage.client("sqs"), stage.queue("queue", VisibilityTimeout=600)
    trace = "Root=1-6740a1b2-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0;Lineage=01234567:3"
    entry = {"Id": "1", "MessageBody": "1"}
    with pytest.MonkeyPatch.context() as patch:
        # As the SDK does it in a function.
        patch.setenv("AWS_LAMBDA_FUNCTION_NAME", "function")
        patch.setenv("_X_AMZN_TRACE_ID", trace)
        sqs.send_message(QueueUrl=queue, MessageBody="1")
        assert trace_of(stage, queue) == trace
        sqs.send_message_batch(QueueUrl=queue, Entries=[entry])
        assert trace_of(stage, queue) == trace
        named = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-0-0"}}
        sqs.send_message(QueueUrl=queue, MessageBody="1", MessageSystemAttributes=named)
        assert trace_of(stage, queue) == "Root=1-0-0"
    sqs.send_message(QueueUrl=queue, MessageBody="1")
    assert trace_of(stage, queue) is None


@patched(events.require_permission_to_invoke)
def test_event_without_permission_to_invoke_the_function_becomes_a_dead_letter(stage):
    client, functions = deploy(stage)
    letters = f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"
    rule = rule_with_the_function(stage, DeadLetterConfig={"Arn": letters})
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    condition = {"Condition": {"ArnEquals": {"aws:SourceArn": rule}}}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": letters, **condition}]}
    queue = stage.queue("letters", Policy=json.dumps(policy), VisibilityTimeout=0)
    invalid = ({}, {"SourceAccount": ACCOUNT}, {"Principal": "s3.amazonaws.com"}, {"SourceArn": f"{rule}-other"})
    for number, more in enumerate(invalid):
        if number:
            permit(client, more.pop("SourceArn", rule), **more)
        entry = {"Source": "app", "DetailType": "news", "Detail": json.dumps({"number": number})}
        stage.client("events").put_events(Entries=[entry])
        if number:
            client.remove_permission(FunctionName="function", StatementId="rule")
    assert not functions.invocations
    found = stage.client("sqs").receive_message(QueueUrl=queue, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
    assert [json.loads(message["Body"])["detail"]["number"] for message in found["Messages"]] == [0, 1, 2, 3]
    reason = found["Messages"][0]["MessageAttributes"]
    assert reason["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert (reason["RULE_ARN"]["StringValue"], reason["TARGET_ARN"]["StringValue"]) == (rule, ARN)


@patched(
    lambda_account.route_account_settings,
    lambda_account.get_account_settings,
    raises=(*FAILURES_OF_BARE_MOTO, NotImplementedError),
)
def test_account_settings_say_how_much_concurrency_is_unreserved(stage):
    client, _ = deploy(stage)
    client.put_function_concurrency(FunctionName="function", ReservedConcurrentExecutions=7)
    limits = client.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 993)
