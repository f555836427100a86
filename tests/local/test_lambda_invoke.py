import base64
import json
import os
import threading

import pytest
from botocore.exceptions import ClientError

from tests.local.lambda_deployment import ACCOUNT, REGION, TRUST_LAMBDA, Deployment, deployed, eventually, zipped

pytestmark = pytest.mark.long


@pytest.fixture(name="stage")
def fixture_stage():
    with deployed() as stage:
        yield stage


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


PROCESS = "import os\ndef handler(event, context): return os.getpid()"


def test_invoke_returns_the_answer_of_the_function(stage):
    stage.function("def handler(event, context): return {'got': event}")
    answer = stage.invoke({"a": "é"})
    assert (answer.status, answer.error, answer.version) == (200, None, "$LATEST")
    assert answer.value == {"got": {"a": "é"}}


def test_invoke_returns_the_error_of_the_function(stage):
    stage.function("def handler(event, context): raise KeyError('gone')")
    answer = stage.invoke()
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert (answer.value["errorType"], answer.value["errorMessage"]) == ("KeyError", "'gone'")
    assert stage.invoke().error == "Unhandled"
    assert len(stage.log("INIT_START")) == 1, "An error is no reason for a new sandbox."


def test_invoke_ends_a_function_that_exceeds_its_timeout(stage):
    source = "import os, time\ndef handler(event, context): print('SEEN', os.getpid()); time.sleep(60)"
    stage.function(source, Timeout=1)
    answer = stage.invoke()
    assert answer.error == "Unhandled"
    assert answer.value["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert stage.log("REPORT")[0].endswith("Status: timeout")
    assert not os.path.exists(f"/proc/{stage.seen()[0]}")


def test_invoke_restarts_a_function_that_exited_for_the_next_event(stage):
    stage.function("import os\ndef handler(event, context): return os._exit(event) if event else 'well'")
    answer = stage.invoke(7)
    assert (answer.error, answer.value["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert answer.value["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
    assert stage.invoke(0).value == "well"


def test_invoke_of_a_killed_function_returns_the_signal(stage):
    stage.function("import os\ndef handler(event, context): os.kill(os.getpid(), 11)")
    assert stage.invoke().value["errorMessage"].endswith("Runtime exited with error: signal: segmentation fault")


def test_invoke_ends_a_function_that_exceeds_its_memory(stage):
    source = "def handler(event, context): return len(bytes(range(256)) * event * 4096)"
    stage.function(source, MemorySize=128)
    assert stage.invoke(16).value == 16 << 20
    answer = stage.invoke(300)
    assert (answer.error, answer.value["errorType"]) == ("Unhandled", "Runtime.OutOfMemory")
    assert "signal: killed" in answer.value["errorMessage"]
    stage.functions.update_function_configuration(FunctionName="f", MemorySize=512)
    assert stage.invoke(300).value == 300 << 20


def test_invoke_of_a_function_that_cannot_be_imported_returns_the_reason_each_time(stage):
    stage.function("import nowhere")
    for _ in range(2):
        answer = stage.invoke()
        assert (answer.error, answer.value["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")
        assert "No module named 'nowhere'" in answer.value["errorMessage"]


def test_invoke_payload_that_is_not_json_is_refused(stage):
    stage.function(PROCESS)
    status, code, _ = refusal(stage.functions.invoke, FunctionName="f", Payload=b"{")
    assert (status, code) == (400, "InvalidRequestContentException")


def test_invoke_function_that_does_not_exist_is_refused(stage):
    assert refusal(stage.functions.invoke, FunctionName="none")[:2] == (404, "ResourceNotFoundException")


def test_consecutive_invocations_share_one_warm_process(stage):
    stage.function(PROCESS)
    assert len({stage.invoke().value for _ in range(3)}) == 1
    assert len(stage.log("INIT_START")) == 1


def test_concurrent_invocations_have_separate_processes(stage):
    source = "import os, time\ndef handler(event, context): time.sleep(0.5); return os.getpid()"
    stage.function(source)
    processes = []
    threads = [threading.Thread(target=lambda: processes.append(stage.invoke().value)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(processes)) == 3


def test_invoke_above_the_reserved_concurrency_is_refused(stage):
    source = "import time\ndef handler(event, context):\n    print('SEEN 1')\n    time.sleep(event)"
    stage.function(source)
    stage.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    first = threading.Thread(target=stage.invoke, args=(1,))
    first.start()
    eventually(stage.seen)
    status, code, message = refusal(stage.functions.invoke, FunctionName="f", Payload=b"0")
    assert (status, code, message) == (429, "TooManyRequestsException", "Rate Exceeded.")
    first.join()
    assert stage.invoke(0).status == 200
    stage.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert refusal(stage.functions.invoke, FunctionName="f", Payload=b"0")[0] == 429


def test_invoke_after_an_update_runs_the_new_code_and_settings(stage):
    source = "import os\ndef handler(event, context): return [1, os.environ.get('A'), os.getpid()]"
    stage.function(source)
    version, _, process = stage.invoke().value
    stage.functions.update_function_code(FunctionName="f", ZipFile=zipped(source.replace("[1", "[2")))
    assert (version, stage.invoke().value[:2]) == (1, [2, None])
    stage.functions.update_function_configuration(FunctionName="f", Environment={"Variables": {"A": "b"}})
    assert stage.invoke().value[:2] == [2, "b"]
    assert not os.path.exists(f"/proc/{process}")


def test_invoke_of_a_version_runs_the_code_that_was_published(stage):
    source = "import os\ndef handler(event, context): return ['old', os.environ['AWS_LAMBDA_FUNCTION_VERSION']]"
    stage.function(source)
    version = stage.functions.publish_version(FunctionName="f")["Version"]
    stage.functions.update_function_code(FunctionName="f", ZipFile=zipped(source.replace("old", "new")))
    answer = stage.functions.invoke(FunctionName="f", Qualifier=version)
    assert (answer["ExecutedVersion"], json.load(answer["Payload"])) == ("1", ["old", "1"])
    assert stage.invoke().value == ["new", "$LATEST"]


def test_invoke_function_that_was_deleted_leaves_no_process(stage):
    stage.function(PROCESS)
    process = stage.invoke().value
    stage.functions.delete_function(FunctionName="f")
    eventually(lambda: not os.path.exists(f"/proc/{process}"))


def test_invoke_code_in_a_bucket_is_run(stage):
    s3 = stage.client("s3")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="code", Key="f.zip", Body=zipped("def handler(event, context): return 'from S3'"))
    stage.functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Role=stage.role("r"),
        Handler="m.handler",
        Code={"S3Bucket": "code", "S3Key": "f.zip"},
    )
    assert stage.invoke().value == "from S3"


def test_invoke_environment_has_the_variables_of_the_function_and_of_lambda(stage):
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    own = {"bucket_map": '{"a": "b"}', "AWS_ENDPOINT_URL": "http://elsewhere"}
    stage.function(source, environment=own, MemorySize=256)
    found = stage.invoke().value
    expected = {
        "bucket_map": '{"a": "b"}',
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": stage.aws.endpoint_url,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_REGION": REGION,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": "m.handler",
    }
    assert expected.items() <= found.items()
    others = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_STREAM_NAME", "PATH"}
    others |= {"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "HOME", "TMPDIR", "_X_AMZN_TRACE_ID", "LC_CTYPE"}
    assert found.keys() - expected.keys() <= others


def test_invoke_credentials_are_those_of_the_role_with_its_permissions(stage):
    mine, arn = stage.queue("mine")
    others, _ = stage.queue("others")
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    stage.function(source, role=stage.role("sender", "sqs:SendMessage", resource=arn))
    found = stage.invoke().value
    keys = {name: found[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")}
    identity = stage.client("sts", **keys).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/sender/f"
    sqs = stage.client("sqs", **keys)
    sqs.send_message(QueueUrl=mine, MessageBody="allowed")
    assert refusal(sqs.send_message, QueueUrl=others, MessageBody="denied")[0] == 403
    assert refusal(sqs.receive_message, QueueUrl=mine)[0] == 403


def test_invoke_credentials_are_new_for_each_sandbox(stage):
    source = "import os\ndef handler(event, context): return os._exit(1) if event else os.environ['AWS_ACCESS_KEY_ID']"
    stage.function(source)
    first = stage.invoke().value
    stage.invoke("end")
    assert stage.invoke().value != first


def test_invoke_function_whose_role_does_not_trust_lambda_is_refused(stage):
    trust = json.loads(json.dumps(TRUST_LAMBDA).replace("lambda.amazonaws.com", "ec2.amazonaws.com"))
    stage.function(PROCESS, role=stage.role("other", trust=trust))
    status, code, message = refusal(stage.functions.invoke, FunctionName="f")
    assert (status, code) == (403, "AccessDeniedException")
    assert "cannot be assumed by Lambda" in message


@pytest.mark.parametrize("account, trusts", [(ACCOUNT, True), ("210987654321", False)])
def test_role_trusts_lambda_only_for_functions_of_the_named_account(stage, account, trusts):
    condition = {"StringEquals": {"aws:SourceAccount": account}}
    trust = {**TRUST_LAMBDA, "Statement": [{**TRUST_LAMBDA["Statement"][0], "Condition": condition}]}
    stage.function("def handler(event, context): return 1", role=stage.role("conditional", trust=trust))
    if trusts:
        assert stage.invoke().value == 1
    else:
        assert refusal(stage.functions.invoke, FunctionName="f")[:2] == (403, "AccessDeniedException")


def test_invoke_log_holds_start_output_end_and_report(stage):
    source = "import sys\ndef handler(event, context):\n    print('out')\n    print('err', file=sys.stderr)"
    stage.function(source)
    live = []
    stage.service.on_log = lambda name, line: live.append((name, line))
    stage.invoke()
    stage.invoke()
    lines = stage.service.logs("f")
    assert [name for name, _ in live] == ["f"] * len(lines)
    assert [line for _, line in live] == lines
    words = [line.split()[0] for line in lines]
    assert words == ["INIT_START", "START", "out", "err", "END", "REPORT", "START", "out", "err", "END", "REPORT"]
    cold, warm = (dict(part.split(": ") for part in line.split("\t")) for line in stage.log("REPORT"))
    assert cold["Memory Size"] == "128 MB"
    assert 5 < int(cold["Max Memory Used"].removesuffix(" MB")) < 128
    assert 0 < float(cold["Duration"].removesuffix(" ms")) < float(cold["Init Duration"].removesuffix(" ms"))
    assert "Init Duration" not in warm


def test_invoke_log_is_delivered_to_cloudwatch_if_the_role_permits_it(stage):
    source = "def handler(event, context): print('hello')"
    stage.function(source)
    stage.function(source, name="g", role=stage.role("no-logs", "s3:GetObject"))
    stage.invoke()
    stage.invoke(name="g")
    logs = stage.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert groups == ["/aws/lambda/f"]
    events = logs.filter_log_events(logGroupName=groups[0])["events"]
    assert [event["message"] for event in events] == stage.service.logs("f")
    assert "hello" in stage.service.logs("g")


def test_invoke_log_has_the_configured_group_and_format(stage):
    source = """
import logging, os
def handler(event, context):
    logging.getLogger().debug("fine")
    return [os.environ["AWS_LAMBDA_LOG_FORMAT"], os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]]
"""
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/shared"}
    stage.function(source, LoggingConfig=config)
    assert stage.invoke().value == ["JSON", "/shared"]
    messages = [event["message"] for event in stage.client("logs").filter_log_events(logGroupName="/shared")["events"]]
    assert messages == stage.service.logs("f")
    [line] = [json.loads(message) for message in messages if message.startswith("{")]
    assert (line["level"], line["message"]) == ("DEBUG", "fine")
    stage.functions.update_function_configuration(FunctionName="f", LoggingConfig={"LogFormat": "Text"})
    assert stage.invoke().value == ["Text", "/aws/lambda/f"]


def test_invoke_returns_the_log_tail_on_request(stage):
    stage.function("def handler(event, context): print('x' * 5000); print('last')")
    assert "LogResult" not in stage.functions.invoke(FunctionName="f")
    answer = stage.functions.invoke(FunctionName="f", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert len(tail) == 4096
    assert "last\nEND RequestId" in tail


def test_invoke_in_another_region_and_partition_runs_there(stage):
    source = "import os\ndef handler(event, context): return [os.environ['AWS_REGION'], context.invoked_function_arn]"
    for region, partition in ("us-east-1", "aws"), ("us-gov-west-1", "aws-us-gov"):
        there = Deployment(stage.aws, stage.service, region)
        there.function(source)
        assert there.invoke().value == [region, f"arn:{partition}:lambda:{region}:{ACCOUNT}:function:f"]


def test_invoke_ends_a_function_whose_initialization_exceeds_its_timeout(stage, monkeypatch):
    monkeypatch.setattr("local.lambda_service.instance.INIT_SECONDS", 0.5)
    stage.function("import time\ntime.sleep(60)", Timeout=1)
    assert stage.invoke().value["errorMessage"].endswith("Task timed out after 1.00 seconds")
