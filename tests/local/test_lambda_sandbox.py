import json
import os
import time

import pytest

from local.lambda_service import Program, Runtime, Sandbox
from local.lambda_service import runtime as runtime_module
from local.lambda_service.errors import Refused
from local.lambda_service.runtime_api import Ending, Invocation
from tests.local.lambda_deployment import eventually, zipped


@pytest.fixture(name="runtime", scope="module")
def fixture_runtime():
    with Runtime() as runtime:
        yield runtime


def program_of(runtime, source, **more):
    return Program(runtime.unpack(zipped(source, **more)), "m.handler", {"A": "b"})


def run(runtime, source, payload=b"{}", *, timeout=10.0, **more):
    """Run a function once in a fresh sandbox."""
    with Sandbox(runtime, program_of(runtime, source, **more)) as sandbox:
        ready = sandbox.wait_until_ready(10)
        return sandbox.invoke(Invocation("id", "arn", payload, timeout)) if ready.ending == Ending.READY else ready


def test_sandbox_returns_the_answer_of_the_function(runtime):
    outcome = run(runtime, "def handler(event, context): return event['a'] + 1", b'{"a": 41}')
    assert (outcome.ending, outcome.body) == (Ending.RESPONSE, b"42")


@pytest.fixture(name="runtime_without_the_compiled_part")
def runtime_as_on_macos(monkeypatch):
    """A runtime where pip has built no part of awslambdaric."""
    find = runtime_module._find_client  # pylint: disable=protected-access  # pip's installation is not to be changed

    def only_python(python):
        found = find(python)
        client = {name: path for name, path in found["client"].items() if not name.endswith(".so")}
        assert len(client) == len(found["client"]) - 1
        return {**found, "client": client}

    monkeypatch.setattr(runtime_module, "_find_client", only_python)
    with Runtime() as runtime:
        yield runtime


def test_sandbox_without_the_compiled_part_serves_one_invocation_after_the_other(runtime_without_the_compiled_part):
    source = """
count = 0
def handler(event, context):
    global count
    count += 1
    assert event != "bad", f"{context.aws_request_id} {context.invoked_function_arn}"
    return [count, event, context.get_remaining_time_in_millis() > 5_000]
"""
    with Sandbox(runtime_without_the_compiled_part, program_of(runtime_without_the_compiled_part, source)) as sandbox:
        assert sandbox.wait_until_ready(10).ending == Ending.READY
        answered, failed, last = [
            sandbox.invoke(Invocation(f"id-{at}", "arn", payload, 10.0))
            for at, payload in enumerate((b'{"a": "\xc3\xa9"}', b'"bad"', b"null"))
        ]
    assert (answered.ending, json.loads(answered.body)) == (Ending.RESPONSE, [1, {"a": "é"}, True])
    assert (failed.ending, json.loads(failed.body)["errorMessage"]) == (Ending.ERROR, "id-1 arn")
    assert (last.ending, json.loads(last.body)) == (Ending.RESPONSE, [3, None, True])


def test_sandbox_without_the_compiled_part_reports_an_init_error(runtime_without_the_compiled_part):
    outcome = run(runtime_without_the_compiled_part, "import boto3\ndef handler(event, context): return 1")
    assert outcome.ending == Ending.INIT_ERROR


def test_sandbox_imports_only_the_zip_the_standard_library_and_awslambdaric(runtime):
    source = """
import importlib.util, json, other
names = ["awslambdaric", "simplejson", "boto3", "moto", "pytest", "local", "entry", "requests"]
def handler(event, context):
    return [other.VALUE, [name for name in names if importlib.util.find_spec(name)]]
"""
    outcome = run(runtime, source, other="VALUE = 1")
    assert outcome.body == b'[1, ["awslambdaric", "simplejson"]]'


def test_sandbox_missing_dependency_is_an_init_error(runtime):
    outcome = run(runtime, "import boto3\ndef handler(event, context): return 1")
    assert outcome.ending == Ending.INIT_ERROR
    assert b"Unable to import module 'm': No module named 'boto3'" in outcome.body


def test_sandbox_environment_has_only_the_given_variables_and_its_own(runtime, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    body = run(runtime, "import os\ndef handler(event, context): return sorted(os.environ)").body
    # Python sets LC_CTYPE without a locale, and the runtime client sets the trace id.
    names = set(json.loads(body)) - {"LC_CTYPE", "_X_AMZN_TRACE_ID"}
    assert names == {"A", "AWS_LAMBDA_RUNTIME_API", "HOME", "LAMBDA_TASK_ROOT", "TMPDIR"}


def test_sandbox_init_duration_includes_the_import_of_the_code(runtime):
    program = program_of(runtime, "import time\ntime.sleep(0.3)\ndef handler(event, context): pass")
    with Sandbox(runtime, program) as sandbox:
        sandbox.wait_until_ready(10)
        assert 300 < sandbox.init_duration_ms < 3000


def test_sandbox_warm_invocation_has_no_network_delay(runtime):
    program = program_of(runtime, "def handler(event, context): return 1")
    with Sandbox(runtime, program) as sandbox:
        sandbox.wait_until_ready(10)
        started = time.perf_counter()
        for number in range(20):
            sandbox.invoke(Invocation(f"id-{number}", "arn", b"{}", 10))
        # With Nagle's algorithm each would take at least 40 ms.
        assert (time.perf_counter() - started) / 20 < 0.03


def test_sandbox_context_has_deadline_id_and_arn(runtime):
    source = """
def handler(event, context):
    return [context.get_remaining_time_in_millis(), context.aws_request_id, context.invoked_function_arn]
"""
    remaining, *names = json.loads(run(runtime, source, timeout=5.0).body)
    assert names == ["id", "arn"]
    assert 4000 < remaining <= 5000


def test_sandbox_output_is_forwarded_line_by_line_while_the_function_runs(runtime):
    source = """
import os, time
def handler(event, context):
    print("first"); print("second", end="")
    while not os.path.exists(event): time.sleep(0.01)
"""
    program = program_of(runtime, source)
    seen = runtime.new_folder() / "seen"
    lines = []

    def on_output(line):
        lines.append(line)
        seen.touch()

    with Sandbox(runtime, program, on_output=on_output) as sandbox:
        sandbox.wait_until_ready(10)
        sandbox.invoke(Invocation("id", "arn", f'"{seen}"'.encode(), 5))
    assert lines == ["first", "second"]


def test_sandbox_unpacks_equal_zips_once(runtime):
    code = zipped("A = 1")
    assert runtime.unpack(code) == runtime.unpack(bytes(code))
    assert runtime.unpack(code) != runtime.unpack(zipped("A = 2"))


def test_sandbox_code_that_is_not_a_zip_is_refused(runtime):
    with pytest.raises(Refused, match="not able to unzip"):
        runtime.unpack(b"no zip")


def test_sandbox_stop_ends_the_children_of_the_function_and_removes_its_files(runtime):
    source = """
import subprocess, tempfile
def handler(event, context):
    child = subprocess.Popen(["sleep", "60"])
    return [child.pid, tempfile.mkstemp()[1]]
"""
    child, path = json.loads(run(runtime, source).body)
    assert not os.path.exists(path)
    eventually(lambda: not is_running(child))


def test_sandbox_cannot_be_started_without_awslambdaric(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(RuntimeError, match="awslambdaric is not installed"):
        with Runtime(str(python)):
            pass


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().split()[2] not in "ZX"
    except OSError:
        return False
