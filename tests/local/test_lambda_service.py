import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from local.embedded_aws import EmbeddedAws
from local.lambda_service import LambdaService
from tests.local.lambda_deployment import Deployment, deployed, eventually
from tests.local.test_lambda_sandbox import is_running

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]

# Starts an endless function with an event and with a batch of messages, and prints the ids of its processes.
ENDLESS_FUNCTION = """
import signal, sys, time
from tests.local.lambda_deployment import deployed, eventually

# A shell that starts the tests in the background makes them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
with deployed() as stage:
    print(stage.service._runtime._folder, flush=True)
    code = "import os, time\\ndef handler(event, context): print('SEEN', os.getpid()); time.sleep(600)"
    stage.function(code, Timeout=900)
    stage.send_event({})
    queue, arn = stage.queue("q")
    stage.map(arn)
    stage.send(queue, "a")
    print(*eventually(lambda: len(stage.seen()) == 2 and stage.seen()), flush=True)
    time.sleep(600)
"""


def folders():
    return set(Path(tempfile.gettempdir()).glob("lambda-service-*"))


def test_service_stop_leaves_no_process_no_thread_and_no_folder_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = set(threading.enumerate())
    source = "import os, time\ndef handler(event, context): print('SEEN', os.getpid()); time.sleep(event.get('s', 60))"
    with deployed() as stage:
        stage.function(source, Timeout=60)
        queue, arn = stage.queue("q")
        stage.map(arn)
        stage.invoke({"s": 0})
        stage.send_event({"s": 60})
        stage.send(queue, "busy")
        processes = eventually(lambda: len(stage.seen()) == 3 and set(stage.seen()))
        assert folders()
    assert not any(is_running(process) for process in processes)
    assert set(threading.enumerate()) <= threads
    assert not folders()


def test_service_stop_restores_the_invoker_and_allows_another_start():
    with EmbeddedAws() as aws:
        before = aws.lambda_invoker
        for _ in range(2):
            with LambdaService(aws):
                assert aws.lambda_invoker is not before
            assert aws.lambda_invoker is before


def test_service_stop_ends_a_pending_invocation():
    with EmbeddedAws() as aws:
        answers = []
        with LambdaService(aws) as service:
            stage = Deployment(aws, service)
            stage.function("import time\ndef handler(event, context): print('SEEN 1'); time.sleep(60)", Timeout=60)

            def invoke():
                try:
                    answers.append(stage.invoke())
                except stage.functions.exceptions.ServiceException as error:
                    answers.append(error.response["ResponseMetadata"]["HTTPStatusCode"])

            waiting = threading.Thread(target=invoke)
            waiting.start()
            eventually(stage.seen)
        waiting.join(5)
        assert answers == [503]


def test_failed_service_start_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = set(threading.enumerate())
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with EmbeddedAws() as aws:
        before = aws.lambda_invoker
        with pytest.raises(RuntimeError, match="awslambdaric is not installed"):
            with LambdaService(aws, str(python)):
                pass
        assert aws.lambda_invoker is before
    assert set(threading.enumerate()) <= threads
    assert not folders()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_service_whose_process_is_killed_leaves_no_process_and_no_folder_behind(end):
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS_FUNCTION], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        folder = Path(parent.stdout.readline().strip())
        processes = [int(process) for process in parent.stdout.readline().split()]
        assert folder.exists() and len(processes) == 2
        parent.send_signal(end)
        parent.communicate()
    eventually(lambda: not any(is_running(process) for process in processes))
    eventually(lambda: not folder.exists())


def test_service_sandboxes_are_in_their_own_session_so_that_ctrl_c_does_not_reach_them():
    with deployed() as stage:
        stage.function("import os\ndef handler(event, context): return [os.getpid(), os.getpgrp(), os.getsid(0)]")
        process, group, session = stage.invoke().value
    assert process == group == session != os.getsid(0)


def test_service_serves_resources_that_existed_before_its_start():
    with EmbeddedAws() as aws:
        with LambdaService(aws) as service:
            stage = Deployment(aws, service)
            stage.function("def handler(event, context): print('SEEN 1')")
            queue, arn = stage.queue("q")
            stage.map(arn)
        stage.send(queue, "waiting")
        with LambdaService(aws) as service:
            stage = Deployment(aws, service)
            assert eventually(stage.seen) == [1]
