"""Executions that invoke a function of the embedded AWS."""

import json
import threading

import pytest

from tasks.otf_addons.lambda_handler import LambdaExecution
from tasks.otf_addons.s3_handlers import S3Execution, S3Transfer
from tests.otf_addons.definitions import invoke, source, touch
from tests.otf_addons.functions import Function, function_of


@pytest.fixture(name="arn")
def function_in_aws(aws):
    return function_of(aws)


@pytest.fixture(name="function")
def what_aws_runs(aws):
    aws.lambda_invoker = Function()
    return aws.lambda_invoker


PAYLOAD = {"file-name": "some_file.txt", "ü": ['"', "\n"]}
# The event that AWS gives a function if the invocation has no payload.
NOTHING = {}


@pytest.mark.parametrize("payload", [{}, {"payload": PAYLOAD}], ids=["nothing", "payload"])
@pytest.mark.parametrize(
    "invocation", [{}, {"invocationType": "Event"}, {"invocationType": "RequestResponse"}], ids=str
)
def test_function_is_invoked_once_with_its_payload(framework, function, arn, invocation, payload):
    ran = framework.run(invoke(arn, **invocation, **payload))

    assert ran.ok, ran.said
    ((name, kind, given),) = function.calls
    assert (name, kind) == ("f", invocation.get("invocationType", "Event"))
    assert json.loads(given) == payload.get("payload", NOTHING)
    assert "of the function" not in ran.said


def test_function_that_fails_is_a_failed_execution(framework, function, arn):
    function.error, function.answer = "Unhandled", b'{"errorMessage": "no such order", "errorType": "KeyError"}'

    ran = framework.run(invoke(arn, invocationType="RequestResponse"))

    assert not ran.ok
    assert "failed (Unhandled)" in ran.said and "no such order" in ran.said and "REPORT RequestId" in ran.said


HOSTILE_LOG = b"""done\r\x1b[2J\0
2026-11-21 12:00:00,000 \xe2\x80\x94 INFO - forged
-----BEGIN PRIVATE KEY-----
bytes of the key
-----END PRIVATE KEY-----
"""


@pytest.mark.parametrize("error", [None, "Unhandled"])
def test_log_of_a_function_forges_no_record_and_its_private_keys_are_redacted(framework, function, arn, error):
    function.error, function.log, function.answer = error, HOSTILE_LOG, b"no\n2026-11-21 forged\x1b[2J"

    ran = framework.run(invoke(arn, invocationType="RequestResponse"), verbosity=2)

    assert ran.ok is (error is None)
    assert "done" in ran.said and "forged" in ran.said
    assert not [line for line in ran.said.split("\n") if line.startswith(("2026-11-21 12:00", "2026-11-21 forged"))]
    assert not {"\r", "\x1b", "\0"} & set(ran.said)
    assert "bytes of the key" not in ran.said


def test_function_slower_than_the_read_timeout_is_a_failed_execution_and_not_tried_again(framework, function, arn):
    function.waits_for = threading.Event()

    ran = framework.run(invoke(arn, invocationType="RequestResponse", protocol={"botocoreReadTimeout": 1}))
    function.waits_for.set()

    assert not ran.ok and "Read timeout" in ran.said
    assert "Traceback" not in ran.said
    assert len(function.calls) == 1


def test_invocation_is_tried_again_as_often_as_the_option_says(framework, function, arn):
    function.waits_for = threading.Event()
    protocol = {"botocoreReadTimeout": 1, "max_attempts": 1}

    ran = framework.run(invoke(arn, invocationType="RequestResponse", protocol=protocol))
    function.waits_for.set()

    assert not ran.ok
    assert len(function.calls) == 2


@pytest.mark.parametrize(("invocation", "status"), [("Event", 200), ("RequestResponse", 202)])
def test_answer_of_another_status_is_a_failed_execution(framework, function, arn, invocation, status):
    function.status = {invocation: status}

    assert not framework.run(invoke(arn, invocationType=invocation)).ok


def test_function_that_does_not_exist_is_a_failed_execution_with_a_sentence(framework, arn):
    ran = framework.run(invoke(f"{arn}-2"))

    assert not ran.ok and "could not be invoked" in ran.said and "Traceback" not in ran.said


@pytest.mark.parametrize("where", ["execution", "protocol"])
def test_option_that_does_not_exist_is_refused_by_name(framework, function, arn, where):
    definition = invoke(arn)
    (definition if where == "execution" else definition["protocol"])["payloda"] = {}

    ran = framework.run(definition)

    assert not ran.ok and "payloda" in ran.said
    assert function.calls == []


def test_handlers_may_be_killed_and_tidied_twice(arn):
    handlers = [LambdaExecution(invoke(arn)), S3Transfer(source("bucket")), S3Execution(touch("bucket", "key"))]
    for handler in handlers:
        handler.kill()
        handler.tidy()
        handler.tidy()


@pytest.mark.usefixtures("aws")
def test_methods_that_s3_does_not_need_raise():
    transfer = S3Transfer(source("bucket"))

    assert transfer.supports_direct_transfer()
    for call in (transfer.pull_files, transfer.move_files_to_final_location):
        with pytest.raises(NotImplementedError):
            call([])
