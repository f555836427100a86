import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from zipfile import ZipFile

import pytest

from scripts import dependencies, package
from scripts.bytecode import runtime_python
from scripts.dist_index import read_index
from scripts.errors import ScriptError
from tests.scripts.conftest import ROOT, add_task, write

pytestmark = pytest.mark.long

HANDLER = "tasks/greet/handler.py"
TASKS = {handler.parent.name for handler in ROOT.glob("tasks/*/handler.py")}


@pytest.fixture(scope="module", name="builds")
def two_builds_of_one_task(tmp_path_factory):
    return build_twice(tmp_path_factory, shutil.ignore_patterns("__pycache__", *TASKS - {"archive_copy"}))


def build_twice(tmp_path_factory, left_out):
    """Build the project's own tasks in two new folders."""
    roots = [tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second-of-another-length")]
    for root, umask, seed in zip(roots, ("022", "077"), ("1", "2")):
        shutil.copytree(ROOT / "tasks", root / "tasks", ignore=left_out)
        shutil.copy(ROOT / "requirements.txt", root)
        subprocess.run(
            ["/bin/sh", "-c", f'umask {umask}; exec "$0" -m scripts.package dist', sys.executable],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            check=True,
        )
    return roots


@pytest.fixture(scope="module", name="installed_before")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(name="checkout")
def checkout_with_shared_cache(checkout, installed_before):
    """Share the installed libraries between all tests."""
    (checkout / "build").mkdir()
    (checkout / "build" / ".cache").symlink_to(installed_before)
    return checkout


def files_of(builds):
    return [{file.name: file.read_bytes() for file in (root / "dist").iterdir()} for root in builds]


def run(root, *arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "scripts.package", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def built_hash(root):
    finished = run(root, "dist")
    assert finished.returncode == 0, finished.stderr
    return read_index(root / "dist").hash


def test_dist_in_two_folders_at_two_times_is_byte_identical(builds):
    first, second = files_of(builds)
    assert set(first) == {"archive_copy.zip", "packages.json"}
    assert first == second


@pytest.mark.chaos
def test_dist_of_every_task_in_two_folders_is_byte_identical(tmp_path_factory):
    first, second = files_of(build_twice(tmp_path_factory, shutil.ignore_patterns("__pycache__")))
    assert set(first) == {*(f"{task}.zip" for task in TASKS), "packages.json"}
    assert first == second


def test_dist_builds_zips_under_six_megabytes_as_in_packages_json(builds):
    index = json.loads((builds[0] / "dist" / "packages.json").read_text())
    assert index["tasks"]["archive_copy"]["zip"] == "archive_copy.zip"
    for entry in index["tasks"].values():
        content = (builds[0] / "dist" / entry["zip"]).read_bytes()
        assert len(content) == entry["bytes"] < 6_000_000
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]


def test_zip_runs_the_handler_with_nothing_else_installed(builds, tmp_path):
    with ZipFile(builds[0] / "dist" / "archive_copy.zip") as archive:
        archive.extractall(tmp_path)
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import boto3
from aws_lambda_powertools import Logger, Metrics
import tasks.archive_copy.handler
for service in ("s3", "sqs", "ssm"):
    boto3.client(service, region_name="eu-west-1")
loaded = {module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)}
print([file for file in loaded if "site-packages" in file])
print(boto3.session.Session().get_available_services())
"""
    # Isolated and without site packages, so that only the zip and the standard library can be imported.
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", script, tmp_path], capture_output=True, text=True, check=False
    )
    assert finished.stderr == ""
    assert finished.stdout.splitlines() == ["[]", "['s3', 'sqs', 'ssm']"]


def test_zip_runs_on_every_processor_and_keeps_the_licences(builds):
    with ZipFile(builds[0] / "dist" / "archive_copy.zip") as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".so", ".pyd"))]
    for library in ("boto3", "botocore", "tenacity", "aws_lambda_powertools"):
        assert [name for name in names if name.startswith(f"{library}-") and "LICENSE" in name]


def test_zip_has_no_files_that_no_function_uses(builds):
    with ZipFile(builds[0] / "dist" / "archive_copy.zip") as archive:
        names = archive.namelist()
    parts = {part for name in names for part in name.split("/")}
    assert not parts & {"tests", "test", "bin", "examples", "RECORD", "INSTALLER", "README.md", "requirements.txt"}
    services = {name.split("/")[2] for name in names if name.startswith("botocore/data/") and name.count("/") > 2}
    assert services == {"s3", "sqs", "ssm"}


def test_zip_has_bytecode_of_every_module_if_the_runtime_is_installed(builds):
    if not runtime_python():
        pytest.skip("the runtime's Python is not installed")
    with ZipFile(builds[0] / "dist" / "archive_copy.zip") as archive:
        names = set(archive.namelist())
    modules = {name for name in names if name.endswith(".py")}
    folders = {module: module.rpartition("/") for module in modules}
    compiled = {f"{folder}{slash}__pycache__/{name[:-3]}.cpython-313.pyc" for folder, slash, name in folders.values()}
    assert compiled == {name for name in names if name.endswith(".pyc")}
    assert "tasks/archive_copy/handler.py" in modules


def test_hash_changes_with_each_byte_of_the_source(checkout):
    before = built_hash(checkout)
    source = (checkout / HANDLER).read_text()
    write(checkout / HANDLER, source.replace("event, context]", "context, event]"))
    assert built_hash(checkout) != before
    write(checkout / HANDLER, source)
    assert built_hash(checkout) == before


def test_hash_changes_with_a_dependency(checkout):
    before = built_hash(checkout)
    requirements = checkout / "tasks" / "greet" / "requirements.txt"
    write(requirements, requirements.read_text() + "six\n")
    assert built_hash(checkout) != before


def test_hash_does_not_depend_on_bytecode_and_the_zip_does(checkout):
    if not runtime_python():
        pytest.skip("the runtime's Python is not installed")
    with_bytecode = package.pack(checkout, "greet", python=runtime_python())
    without = package.pack(checkout, "greet", python=None)
    assert with_bytecode.hash == without.hash
    assert with_bytecode.sha256 != without.sha256


def test_hash_command_prints_the_hash_of_packages_json(checkout):
    assert run(checkout, "hash").stderr == "error: dist/ holds no packages yet: run `make dist` first\n"
    expected = built_hash(checkout)
    assert run(checkout, "hash").stdout == f"{expected}\n"
    assert run(checkout, "key", PACKAGE_PREFIX="builds/").stdout == f"builds/greet/{expected}.zip\n"


def test_dist_of_one_task_builds_only_that_task(checkout):
    add_task(checkout, "answer")
    assert run(checkout, "dist", "answer").returncode == 0
    assert sorted(file.name for file in (checkout / "dist").iterdir()) == ["answer.zip", "packages.json"]
    assert [item.task for item in read_index(checkout / "dist").packages] == ["answer"]


def test_dist_of_one_task_leaves_no_zip_of_an_earlier_build_beside_its_index(checkout):
    add_task(checkout, "answer")
    assert run(checkout, "dist").returncode == 0
    write(checkout / "dist" / "add_on.whl", "another command built it")
    finished = run(checkout, "dist", "answer")
    assert "dist/greet.zip: deleted, because an earlier build made it\n" in finished.stdout
    assert sorted(file.name for file in (checkout / "dist").iterdir()) == ["add_on.whl", "answer.zip", "packages.json"]
    assert run(checkout, "hash").stdout == run(checkout, "hash", "answer").stdout
    assert run(checkout, "key", "greet").stderr == (
        "error: dist/ holds answer, not greet alone: run `make dist TASK=greet` first\n"
    )


@pytest.mark.parametrize("index", ["", "[]", '{"tasks": {"greet": {}}}', '{"tasks": []}'])
def test_damaged_index_is_one_sentence(checkout, index):
    write(checkout / "dist" / "packages.json", index)
    assert run(checkout, "hash").stderr == "error: dist/packages.json is damaged: run `make dist` again\n"


def test_dist_of_two_tasks_has_a_hash_over_both(checkout):
    add_task(checkout, "answer")
    both = built_hash(checkout)
    assert both not in [item.hash for item in read_index(checkout / "dist").packages]
    write(checkout / "tasks" / "answer" / "handler.py", "")
    assert built_hash(checkout) != both


def test_build_removes_files_of_an_older_build(checkout):
    write(checkout / "tasks" / "greet" / "old.py", "")
    assert run(checkout, "build").returncode == 0
    assert (checkout / "build" / "greet" / "tasks" / "greet" / "old.py").is_file()
    (checkout / "tasks" / "greet" / "old.py").unlink()
    assert run(checkout, "build").returncode == 0
    assert (checkout / "build" / "greet" / HANDLER).is_file()
    assert not (checkout / "build" / "greet" / "tasks" / "greet" / "old.py").exists()


def test_dist_with_a_bad_prefix_builds_nothing(checkout):
    finished = run(checkout, "dist", PACKAGE_PREFIX="builds")
    assert finished.returncode == 1
    assert finished.stderr.startswith('error: PACKAGE_PREFIX "builds" must not begin with "/" and must end with "/"')
    assert [path.name for path in (checkout / "build").iterdir()] == [".cache"]
    assert not (checkout / "dist").exists()


def test_dist_with_a_file_in_the_place_of_its_folder_is_one_sentence(checkout):
    write(checkout / "dist", "a file")
    finished = run(checkout, "dist")
    assert finished.returncode == 1
    assert finished.stderr.endswith("error: dist is not a folder and should be one: move it away\n")
    assert "Traceback" not in finished.stderr


def test_dist_over_the_size_limit_is_refused(checkout, monkeypatch):
    monkeypatch.setattr(package, "MAX_ZIP_BYTES", 1_000)
    with pytest.raises(ScriptError, match=r"dist/greet.zip has [\d,]+ bytes, over the limit of 1,000"):
        package.pack(checkout, "greet", python=None)


def test_package_that_is_not_in_the_lock_file_is_refused(checkout):
    pins = (checkout / "requirements.txt").read_text()
    write(checkout / "requirements.txt", pins.replace("tenacity==", "# tenacity "))
    with pytest.raises(ScriptError, match="requirements.txt does not pin tenacity: add it to requirements.in"):
        dependencies.installed(checkout, "greet", python=None)


def test_package_with_other_bytes_than_in_the_lock_file_is_refused(checkout):
    pins = (checkout / "requirements.txt").read_text()
    write(checkout / "requirements.txt", re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", pins))
    with pytest.raises(ScriptError, match="(?s)pip cannot install greet's dependencies.*hash"):
        dependencies.installed(checkout, "greet", python=None)


def test_package_that_is_only_an_indirect_dependency_is_refused(checkout):
    add_task(checkout, "greet", requirements="# botocore services:\npython-dateutil\n")
    with pytest.raises(ScriptError, match="(?s)pip cannot install greet's dependencies.*six"):
        dependencies.installed(checkout, "greet", python=None)


def test_dependencies_without_a_list_of_services_are_refused(checkout):
    add_task(checkout, "greet", requirements="tenacity\n")
    with pytest.raises(ScriptError, match="lacks the line that lists its AWS services"):
        dependencies.installed(checkout, "greet", python=None)


def test_dependencies_with_an_unknown_service_are_refused(checkout):
    add_task(checkout, "greet", requirements="# botocore services: s4\ntenacity\n")
    with pytest.raises(ScriptError, match='list the AWS service "s4", which botocore does not have'):
        dependencies.installed(checkout, "greet", python=None)


def test_excluded_parts_of_a_dependency_are_not_installed(checkout):
    lines = "# botocore services:\n# left out: tenacity/s*.py tenacity/asyncio\ntenacity\n"
    add_task(checkout, "greet", requirements=lines)
    folder = dependencies.installed(checkout, "greet", python=None) / "tenacity"
    assert (folder / "__init__.py").is_file()
    assert not (folder / "asyncio").exists()
    assert not list(folder.glob("s*.py"))


def test_excluded_part_that_does_not_exist_is_refused(checkout):
    lines = "# botocore services:\n# left out: tenacity/nothing\ntenacity\n"
    add_task(checkout, "greet", requirements=lines)
    with pytest.raises(ScriptError, match="greet/requirements.txt leaves out tenacity/nothing, which does not exist"):
        dependencies.installed(checkout, "greet", python=None)


def test_dependencies_that_pip_cannot_install_raise_an_error_and_leave_nothing_behind(checkout):
    write(checkout / "requirements.txt", "tenacity==0.0.0 --hash=sha256:00\n")
    before = list((checkout / "build" / ".cache").iterdir())
    with pytest.raises(ScriptError, match="pip cannot install greet's dependencies"):
        dependencies.installed(checkout, "greet", python=None)
    assert list((checkout / "build" / ".cache").iterdir()) == before


def test_dependencies_are_installed_once(checkout):
    folder = dependencies.installed(checkout, "greet", python=None)
    created = folder.stat().st_ctime_ns
    add_task(checkout, "answer")
    assert dependencies.installed(checkout, "answer", python=None) == folder
    assert folder.stat().st_ctime_ns == created
