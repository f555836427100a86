"""The wheel on a worker: the framework's command in a process of its own, where only the add-on is installed."""

import ast
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import otf_wheel
from scripts.sources import zipped_tasks
from tests.otf_addons.conftest import moto_store
from tests.otf_addons.definitions import destination, invoke, source, touch, transfer
from tests.otf_addons.functions import Function, function_of

ROOT = Path(__file__).parents[2]
TASK_RUN = Path(sys.executable).parent / "task-run"


@pytest.fixture(scope="module", name="wheel")
def built_wheel(tmp_path_factory):
    return otf_wheel.build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", name="installed")
def folder_with_the_add_on(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*command, "--no-deps", f"--target={folder}", str(wheel)], check=True)
    return folder


@pytest.fixture(name="task_run")
def command_on_a_worker(installed, framework, tmp_path):
    def run(definition, variables=None):
        cfg = framework.write(definition, name="nightly", variables=variables)
        environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONWARNINGS": "error"}
        # Empty in the tests that run the command in their own process.
        for name in ("OTF_TASK_ID", "OTF_LOG_RUN_PREFIX"):
            environment.pop(name, None)
        return subprocess.run(
            [TASK_RUN, "-t", "nightly", "-c", str(cfg)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_transfer_of_a_worker_copies_flags_and_deletes(task_run, inbox, outbox):
    inbox.put("src/a.txt", b"a", Metadata={"origin": "x"})
    given = source(inbox.bucket, fileRegex=r".*\.txt", postCopyAction={"action": "delete"})

    ran = task_run(transfer(given, destination(outbox.bucket, flags={"fullPath": "dest/done"})))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (inbox.keys_of(), outbox.keys_of()) == ([], ["dest/a.txt", "dest/done"])
    assert outbox.head("dest/a.txt")["Metadata"] == {"origin": "x"}


def test_watch_of_a_worker_that_times_out_ends_with_1(task_run, inbox):
    ran = task_run(transfer(source(inbox.bucket, fileWatch={"timeout": 1})))

    assert ran.returncode == 1
    assert "No valid files found after 1 seconds" in ran.stderr


def test_option_that_does_not_exist_ends_with_1_and_its_name(task_run, inbox):
    ran = task_run(transfer(source(inbox.bucket), destination(inbox.bucket, directroy="x")))

    assert ran.returncode == 1
    assert "there is no option directroy" in ran.stderr


def test_function_of_a_worker_gets_the_value_of_the_look_up(task_run, aws):
    aws.lambda_invoker = Function()
    aws.client("ssm").put_parameter(Name="/greeting", Value='say "hi"\n', Type="SecureString")

    ran = task_run(
        invoke(function_of(aws), invocationType="RequestResponse", payload={"text": "{{ GREETING }}"}),
        {"GREETING": "{{ lookup('aws.ssm', name='/greeting') }}"},
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    ((_, _, payload),) = aws.lambda_invoker.calls
    assert json.loads(payload) == {"text": 'say "hi"\n'}


def test_execution_of_a_worker_touches_a_file(task_run, aws):
    store = moto_store(aws, "bucket")

    assert task_run(touch("bucket", "flag")).returncode == 0
    assert store.keys_of() == ["flag"]


def test_wheel_holds_its_imports_under_names_of_its_own(wheel):
    with zipfile.ZipFile(wheel) as archive:
        modules = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    held = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in modules}
    for name, text in modules.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ImportFrom):
                assert not node.module.startswith("tasks"), name
                if node.module.startswith("bucket_brigade"):
                    assert node.module in held, f"{name} imports {node.module}"
    assert {name.split("/")[0] for name in modules} == {"bucket_brigade", "opentaskpy"}
    # A file there would replace the framework's own.
    assert not {"opentaskpy", "opentaskpy.addons", "opentaskpy.plugins", "opentaskpy.plugins.lookup"} & held


def test_wheel_is_under_the_licence_of_the_framework_and_carries_both_texts(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
        licences = {Path(name).name: archive.read(name).decode() for name in names if "/licenses/" in name}
    assert "License-Expression: GPL-3.0-or-later" in metadata
    assert "GNU GENERAL PUBLIC LICENSE" in licences["LICENSE"]
    assert "Apache License" in licences["LICENSE-Apache-2.0"]


def test_wheel_is_the_same_bytes_when_it_is_built_again(wheel, tmp_path):
    assert otf_wheel.build(ROOT, tmp_path).read_bytes() == wheel.read_bytes()


def test_add_on_has_no_zip():
    assert "otf_addons" not in zipped_tasks(ROOT)
