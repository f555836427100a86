"""The wheel of `ObjectClerk`: it holds all that it imports, and passes the clerk's tests where nothing else is."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest

from scripts import clerk_wheel
from scripts.errors import ScriptError
from scripts.pins import pinned
from tests.support.servers import moto_server, seaweedfs_server

ROOT = Path(__file__).parents[2]
RUNS_ON = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "tenacity", "urllib3"}
PYTEST = {"iniconfig", "packaging", "pluggy", "pygments", "pytest"}
# botocore brings urllib3. The stubs are for type checkers alone.
MAY_IMPORT = {*sys.stdlib_module_names, "object_clerk", "boto3", "botocore", "tenacity", "urllib3"}
STUBS = {"mypy_boto3_dynamodb", "mypy_boto3_s3", "mypy_boto3_secretsmanager", "mypy_boto3_ses", "mypy_boto3_sqs"}
STUBS |= {"mypy_boto3_ssm", "mypy_boto3_sts", "types_boto3_s3"}

# The contract of the earlier package, and the faults that it did not survive.
CONTRACT = ("arguments", "copies", "faults", "moves", "settings")
CONTRACT_FILES = ["test_clerk.py", *(f"test_clerk_{name}.py" for name in CONTRACT)]
SUPPORT = ("dying_client.py", "http_messages.py", "proxy.py", "stores.py")
# Beside the tests in place of the project's: the servers run in the process of this module.
SERVERS = """
import json, os
from contextlib import contextmanager
from types import SimpleNamespace

@contextmanager
def moto_server():
    yield SimpleNamespace(**json.loads(os.environ["MOTO"]))

@contextmanager
def seaweedfs_server():
    yield SimpleNamespace(**json.loads(os.environ["SEAWEEDFS"]))
"""
# The clerks send their requests in the default way alone; the tests of the project try both ways.
CONFTEST = """
import pytest

@pytest.fixture
def direct():
    return True
"""
CALLER = """
from object_clerk import ObjectClerk, ObjectNotFoundException

clerk = ObjectClerk("localhost", 9000, "key", "secret", retry_tries=3)
reveal_type(clerk.get_object("bucket", "key"))
try:
    clerk.copy_object("bucket", "key", "bucket")
except ObjectNotFoundException as error:
    reveal_type(error.source)
"""


def imports_of(text):
    """Yield each name that a module imports, at any place, and whether it is of a package."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.fixture(scope="module", name="sources")
def copied_sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    clerk_wheel.copy_sources(ROOT, folder)
    return folder


def test_wheel_holds_all_that_it_imports_except_boto3_and_tenacity(sources):
    modules = {path.relative_to(sources): path.read_text() for path in sources.rglob("*.py")}
    held = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in modules}
    assert {"object_clerk.clerk", "object_clerk.transport.direct_s3", "object_clerk._utils.retry"} <= held
    for path, text in modules.items():
        for name in imports_of(text):
            assert name.split(".")[0] in MAY_IMPORT | STUBS, f"{path} imports {name}"
            assert not name.startswith("object_clerk") or name in held, f"{path} imports {name}"
        assert not re.search(r"\btasks\.\w", text), path


def test_page_of_the_wheel_has_its_import_name_and_no_link_to_another_page(sources):
    page = (sources / "README.md").read_text()
    assert "from object_clerk import ObjectClerk" in page
    assert "tasks.object_clerk" not in page
    assert not re.search(r"\]\((?!https:)", page)


def test_reference_to_a_module_that_the_wheel_lacks_is_refused(tmp_path):
    source = tmp_path / "module.py"
    source.write_text("from tasks.utils import retry\nfrom tasks.archive_copy import handler\n")
    with pytest.raises(ScriptError, match="module.py refers to 'tasks.archive_copy', which the wheel does not hold"):
        clerk_wheel.wheel.copy_renamed(source, tmp_path / "copy.py", clerk_wheel.NAMES)


def test_dependencies_of_the_wheel_begin_with_the_versions_that_are_tested():
    project = tomllib.loads((ROOT / clerk_wheel.CLERK / "pyproject.toml").read_text())["project"]
    tested = dict(re.findall(r"^([\w-]+)==(.+)$", (ROOT / "requirements.in").read_text(), re.MULTILINE))
    lowest = dict(re.match(r"([\w-]+)>=([\d.]+),<\d+$", dependency).groups() for dependency in project["dependencies"])
    assert lowest == {name: tested[name] for name in ("boto3", "tenacity")}


@pytest.fixture(scope="module", name="built")
def built_wheel(tmp_path_factory):
    return clerk_wheel.build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", name="bare")
def environment_with_the_wheel_alone(built, tmp_path_factory):
    """The Python of an environment that holds the wheel and what it runs on."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install(python, pinned(ROOT / "requirements.txt", RUNS_ON))
    # From no index: what the wheel requires must be there.
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", built]
    subprocess.run(command, check=True)
    return python


def install(python, pins):
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*command, "--requirement", "/dev/stdin"], input=pins, text=True, check=True)


def run(python, *arguments, cwd, **environ):
    """Run the bare environment's Python without this project and this machine's settings."""
    return subprocess.run(
        [python, *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_wheel_is_the_same_bytes_when_it_is_built_again(built, tmp_path):
    assert clerk_wheel.build(ROOT, tmp_path).read_bytes() == built.read_bytes()


@pytest.mark.long
def test_wheel_says_what_it_needs_and_carries_its_licence(built):
    with zipfile.ZipFile(built) as archive:
        metadata = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
        assert {name.split("/")[0] for name in archive.namelist() if name.endswith(".py")} == {"object_clerk"}
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    head, _, page = metadata.partition("\n\n")
    requires = {line.removeprefix("Requires-Dist: ") for line in head.splitlines() if line.startswith("Requires-Dist")}
    assert {re.match(r"[\w-]+", line)[0] for line in requires} == {"boto3", "tenacity"}
    assert {"License-Expression: Apache-2.0", "Requires-Python: >=3.11"} <= set(head.splitlines())
    assert page.startswith("# ObjectClerk")


@pytest.mark.long
def test_each_module_of_the_wheel_is_imported_where_nothing_else_is(bare, tmp_path):
    code = """
import importlib, pkgutil, sys
import object_clerk

for module in pkgutil.walk_packages(object_clerk.__path__, "object_clerk."):
    importlib.import_module(module.name)
print(object_clerk.ObjectClerk("127.0.0.1", 9000, "key", "secret"), "tasks" in sys.modules)
"""
    ran = run(bare, "-W", "error", "-c", code, cwd=tmp_path)
    assert (ran.stdout, ran.stderr) == ("ObjectClerk(http://127.0.0.1:9000) False\n", "")


@pytest.mark.long
def test_type_checker_of_a_caller_reads_the_annotations(bare, tmp_path):
    (tmp_path / "caller.py").write_text(CALLER)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        f"--python-executable={bare}",
        "--cache-dir=cache",
        "caller.py",
    ]
    seen = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert 'caller.py:5: note: Revealed type is "bytes"' in seen
    assert 'caller.py:7: error: Missing positional argument "destination_object_key"' in seen
    assert "object_clerk._utils.s3_object.S3Object" in seen
    assert "Found 1 error in 1 file" in seen


@pytest.mark.long
def test_wheel_in_an_empty_environment_passes_the_contract_on_moto_and_seaweedfs(bare, tmp_path):
    install(bare, pinned(ROOT / "requirements-dev.txt", PYTEST))
    write_contract(tmp_path)
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-o", "markers=long"]
    with moto_server() as moto, seaweedfs_server() as seaweedfs:
        servers = {"MOTO": json.dumps(asdict(moto)), "SEAWEEDFS": json.dumps(asdict(seaweedfs))}
        ran = run(bare, "-m", "pytest", *options, "tests", cwd=tmp_path, **servers)
    assert ran.returncode == 0, ran.stdout[-5000:]
    assert int(re.search(r"(\d+) passed", ran.stdout)[1]) > 500


def write_contract(folder):
    """Copy the clerk's tests with the wheel's import name, and nothing else of the project."""
    files = [f"object_clerk/{name}" for name in ("__init__.py", "conftest.py", *CONTRACT_FILES)]
    files += [f"support/{name}" for name in ("__init__.py", *SUPPORT)]
    for file in files:
        clerk_wheel.wheel.copy_renamed(ROOT / "tests" / file, folder / "tests" / file, clerk_wheel.NAMES)
    (folder / "tests" / "__init__.py").touch()
    (folder / "tests" / "conftest.py").write_text(CONFTEST)
    (folder / "tests" / "support" / "servers.py").write_text(SERVERS)
