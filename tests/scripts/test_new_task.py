"""`make new-task` writes a whole task that works, or nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.errors import ScriptError
from scripts.new_task import create
from scripts.terraform_mirror import plugin_flags
from tests.scripts.conftest import ROOT
from tests.scripts.new_tasks import NAME, content, copy_to
from tests.scripts.test_makefile import make
from tests.support.task_pieces import lacking, lambda_tasks


@pytest.fixture(scope="module", name="repository")
def copy_of_the_repository(tmp_path_factory):
    return copy_to(tmp_path_factory.mktemp("repository"))


@pytest.fixture(name="untouched")
def repository_that_must_not_change(repository):
    before = content(repository)
    yield repository
    assert content(repository) == before


def test_new_task_lacks_nothing_and_overwrites_nothing(tmp_path, repository):
    copy = shutil.copytree(repository, tmp_path / "copy")
    before = content(copy)
    finished = subprocess.run(
        [sys.executable, "-B", "-m", "scripts.new_task", NAME], cwd=copy, capture_output=True, text=True, check=True
    )
    assert lacking(copy, NAME) == []
    after = content(copy)
    new = {path.relative_to(copy).as_posix() for path in after.keys() - before.keys() if path.is_file()}
    changed = {path for path in before if after[path] != before[path]}
    said = [line.split() for line in finished.stdout.splitlines() if line.startswith(("new ", "changed "))]
    assert {path for kind, path in said if kind == "new"} == new
    assert {path for kind, path in said if kind == "changed"} == {path.relative_to(copy).as_posix() for path in changed}
    # A changed file only gains lines, apart from the spaces that align them.
    for path in changed:
        lines = [b" ".join(line.split()) for line in after[path].splitlines()]
        assert [line for line in before[path].splitlines() if b" ".join(line.split()) not in lines] == []
    assert f"make test TASK={NAME}" in finished.stdout


def test_two_new_tasks_stand_beside_each_other(tmp_path, repository):
    copy = shutil.copytree(repository, tmp_path / "copy")
    # The first name is the longest that is allowed, and sorts behind all others.
    names = ("z" * 27, "a1")
    for name in names:
        create(copy, name)
    assert [lacking(copy, name) for name in names] == [[], []]
    for check in (["check"], ["format", "--check"]):
        command = [
            sys.executable,
            "-m",
            "ruff",
            *check,
            "--quiet",
            "tasks",
            "local",
            *(f"tests/{name}" for name in names),
        ]
        subprocess.run(command, cwd=copy, check=True)


NOT_A_NAME = (
    "is not the name of a task, which is lower-case words of letters and digits with _ between them, and no keyword of "
    "Python, for example object_count"
)


@pytest.mark.parametrize(
    "name, reason",
    [
        ("", "NAME is missing: make new-task NAME=object_count"),
        ("object-count", f"NAME='object-count' {NOT_A_NAME}"),
        ("ObjectCount", f"NAME='ObjectCount' {NOT_A_NAME}"),
        ("object__count", f"NAME='object__count' {NOT_A_NAME}"),
        ("_count", f"NAME='_count' {NOT_A_NAME}"),
        ("2nd", f"NAME='2nd' {NOT_A_NAME}"),
        ("größe", f"NAME='größe' {NOT_A_NAME}"),
        ("../count", f"NAME='../count' {NOT_A_NAME}"),
        ("a\x1b[1m", f"NAME='a\\x1b[1m' {NOT_A_NAME}"),
        ("count\n", f"NAME='count\\n' {NOT_A_NAME}"),
        ("import", f"NAME='import' {NOT_A_NAME}"),
        (
            "a" * 28,
            f"NAME={'a' * 28} has 28 characters, and AWS's limit for a role leaves 27 to the name of a task",
        ),
        ("archive_copy", "NAME=archive_copy: tasks/archive_copy is already there; choose another name"),
        ("utils", "NAME=utils: tasks/utils is already there; choose another name"),
        ("object_clerk", "NAME=object_clerk: tasks/object_clerk is already there; choose another name"),
        ("otf_addons", "NAME=otf_addons: tasks/otf_addons is already there; choose another name"),
        ("local", "NAME=local: tests/local is already there; choose another name"),
        ("conftest", "NAME=conftest: tests/conftest.py is already there; choose another name"),
        ("screen", "NAME=screen: local/demo/screen.py is already there; choose another name"),
        ("locals", "NAME=locals: terraform/locals.tf is already there; choose another name"),
        (
            "archive",
            "NAME=archive: the variable archive_copy_enabled would seem to belong to it; choose another name",
        ),
        ("package", "NAME=package: the variable package_dir would seem to belong to it; choose another name"),
        (
            "archive_copy_fast",
            "NAME=archive_copy_fast: its variables would seem to belong to archive_copy; choose another name",
        ),
    ],
)
def test_bad_name_is_refused_with_a_sentence_and_nothing_is_written(untouched, name, reason):
    with pytest.raises(ScriptError) as raised:
        create(untouched, name)
    assert str(raised.value) == reason


def test_second_task_of_the_same_name_is_refused(written):
    with pytest.raises(ScriptError, match=f"NAME={NAME}: tasks/{NAME} is already there"):
        create(written, NAME)


def test_bytecode_of_a_removed_task_is_in_the_way_of_nothing(tmp_path, repository):
    copy = shutil.copytree(repository, tmp_path / "copy")
    for folder in ("tasks", "tests"):
        (copy / folder / NAME / "__pycache__").mkdir(parents=True)
        (copy / folder / NAME / "__pycache__" / "handler.cpython-313.pyc").touch()
    assert NAME not in lambda_tasks(copy)
    create(copy, NAME)
    assert lacking(copy, NAME) == []


@pytest.mark.parametrize(
    "place, missing",
    [
        ("terraform/locals.tf", "  tasks = {\n"),
        ("README.md", "(tasks/"),
        ("tests/secrets/test_every_setting.py", "PLAIN_SETTINGS = {\n"),
    ],
)
def test_file_without_a_place_for_the_task_is_named_and_nothing_is_written(tmp_path, repository, place, missing):
    copy = shutil.copytree(repository, tmp_path / "copy")
    (copy / place).write_text((copy / place).read_text().replace(missing, ""))
    before = content(copy)
    with pytest.raises(ScriptError, match=f"^{place} has no "):
        create(copy, NAME)
    assert content(copy) == before


def test_failure_half_way_leaves_nothing(tmp_path, repository):
    copy = shutil.copytree(repository, tmp_path / "copy")
    # By then the folder of the task is written, and the outputs have a new entry.
    shutil.rmtree(copy / "terraform" / "tests")
    (copy / "terraform" / "tests").write_text("a file where a folder belongs")
    before = content(copy)
    with pytest.raises(ScriptError, match="^nothing was written: .*terraform/tests"):
        create(copy, NAME)
    assert content(copy) == before


@pytest.mark.parametrize(
    "arguments, environment, reason",
    [
        ([], {}, "NAME is missing: make new-task NAME=object_count"),
        # Some shells set NAME to the name of the machine.
        ([], {"NAME": "machine"}, "NAME is missing: make new-task NAME=object_count"),
        (["NAME=it's; false"], {}, f'NAME="it\'s; false" {NOT_A_NAME}'),
    ],
)
def test_make_passes_the_name_of_its_command_line_only(arguments, environment, reason):
    finished = make("new-task", "--old-file=.venv/.dev-installed", *arguments, **environment)
    assert finished.returncode
    assert finished.stderr.splitlines()[0] == f"error: {reason}"


# The tests of conventions. Those of each task run for the new one only.
CONVENTIONS = ["terraform/test_conventions.py", "test_alarms.py", "test_language.py", "test_markdown.py"]
OF_EACH_TASK = ["secrets/test_every_setting.py", "test_architecture.py", "test_settings_equal_terraform.py"]


@pytest.mark.long
@pytest.mark.skipif(
    not shutil.which("terraform") and os.environ.get("CI") != "true", reason="Terraform is not installed"
)
def test_new_task_passes_lint_tests_and_validation_at_once(written):
    (written / ".venv").symlink_to(ROOT / ".venv")
    # The tools are installed, whatever the age of their marks.
    make_lint = ["make", "--old-file=.venv/.dev-installed", "--old-file=.venv/checkov/.installed", "lint"]
    tests = [f"tests/{each}" for each in (NAME, "test_tasks.py", *CONVENTIONS, *OF_EACH_TASK)]
    chosen = " or ".join([NAME, *(Path(each).stem for each in CONVENTIONS)])
    python, terraform = ".venv/bin/python", ["terraform", "-chdir=terraform"]
    for command in (
        [*make_lint, f"TASK={NAME}"],
        [python, "-m", "mypy", "local/demo"],
        [python, "-m", "pylint", f"local/demo/{NAME}.py"],
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", chosen],
        [*terraform, "init", "-backend=false", "-input=false", "-lockfile=readonly", *plugin_flags(os.environ)],
        [*terraform, "validate"],
        [*terraform, "test", f"-filter=tests/{NAME}.tftest.hcl"],
    ):
        assert_passes(command, written)


def assert_passes(command, folder):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST", "TF_CLI"))}
    environment = {**inherited, "TF_DATA_DIR": str(folder / "build" / "terraform")}
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not finished.returncode, finished.stdout + finished.stderr
