"""A task that lacks a piece is named in one sentence."""

import subprocess
import sys

import pytest

from tests.scripts.new_tasks import NAME
from tests.support.task_pieces import CONTENTS, FILES, lacking

# Each omission: a file, its text that is forgotten (None: the whole file), and the sentence of the test of conventions.
OMISSIONS = [
    ("tasks/task_of_the_tests/__init__.py", None, "it makes the folder a package of Python"),
    ("tasks/task_of_the_tests/README.md", None, "it describes the task"),
    ("tasks/task_of_the_tests/handler.py", None, "Lambda calls it"),
    (
        "tasks/task_of_the_tests/settings.py",
        None,
        "it reads the environment into a class `Settings`, even if no setting is required",
    ),
    ("tasks/task_of_the_tests/requirements.txt", None, "it names the packages of the task's zip"),
    ("terraform/task_of_the_tests.tf", None, "it holds the task's resources"),
    ("terraform/variables.task_of_the_tests.tf", None, "it holds the task's variables"),
    ("terraform/tests/task_of_the_tests.tftest.hcl", None, "it tests the task's Terraform"),
    (
        "terraform/tests/packages/task_of_the_tests.zip",
        None,
        "it stands in for the task's zip in the tests of Terraform",
    ),
    ("tests/task_of_the_tests/__init__.py", None, "it makes the folder of the task's tests a package of Python"),
    ("local/demo/task_of_the_tests.py", None, "it is the task's part of the demo"),
    ("tasks/task_of_the_tests/README.md", "# task_of_the_tests\n", "the heading `# task_of_the_tests`"),
    ("tasks/task_of_the_tests/README.md", "## Settings\n", "the heading `## Settings`"),
    ("tasks/task_of_the_tests/README.md", "## Limits\n", "the heading `## Limits`"),
    ("tasks/task_of_the_tests/README.md", "## Cost\n", "the heading `## Cost`"),
    ("tasks/task_of_the_tests/settings.py", "class Settings:\n", "a class `Settings`"),
    (
        "terraform/task_of_the_tests.tf",
        "  task_of_the_tests_task = {\n",
        "the local `task_of_the_tests_task`, the task's entry in `local.tasks`",
    ),
    (
        "terraform/task_of_the_tests.tf",
        '"tasks.task_of_the_tests.handler.handler"',
        "a function with a handler in `tasks.task_of_the_tests.handler`",
    ),
    ("terraform/task_of_the_tests.tf", "  failures = {\n", "`failures` of a function, the metric behind its alarm"),
    (
        "terraform/task_of_the_tests.tf",
        "  environment = {\n",
        "`environment` of a function, which names the task's settings",
    ),
    (
        "terraform/variables.task_of_the_tests.tf",
        'variable "task_of_the_tests_enabled" {\n',
        "the variable `task_of_the_tests_enabled`",
    ),
    (
        "terraform/locals.tf",
        "= local.task_of_the_tests_task\n",
        "`task_of_the_tests = local.task_of_the_tests_task` in the map `tasks`",
    ),
    ("terraform/outputs.tf", 'output "task_of_the_tests" {\n', "the output `task_of_the_tests`"),
    (
        "terraform/terraform.tfvars.example",
        "# task_of_the_tests_enabled             = true\n",
        "a line for the variable `task_of_the_tests_enabled`",
    ),
    ("README.md", "(tasks/task_of_the_tests/README.md)", "a row for `task_of_the_tests` in the table of tasks"),
    (
        "tests/secrets/test_every_setting.py",
        '    "task_of_the_tests.Settings": ',
        "`task_of_the_tests.Settings` among the settings that are plain or secret",
    ),
]


@pytest.mark.parametrize("path, text, piece", OMISSIONS)
def test_forgotten_piece_is_named_in_one_sentence(written, path, text, piece):
    file = written / path
    whole = file.read_text()
    assert lacking(written, NAME) == []
    if text is None:
        file.unlink()
    else:
        assert whole.count(text) == 1
        file.write_text(whole.replace(text, ""))
    found = lacking(written, NAME)
    file.write_text(whole)
    assert found == [f"{path} is missing: {piece}" if text is None else f"{path} lacks {piece}"]


@pytest.mark.long
@pytest.mark.long
def test_forgotten_module_is_named_although_no_test_can_import_the_task(written):
    handler = written / "tasks" / NAME / "handler.py"
    whole = handler.read_text()
    handler.unlink()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_tasks.py"]
    finished = subprocess.run(command, cwd=written, capture_output=True, text=True, check=False)
    handler.write_text(whole)
    assert finished.stderr.split("\n")[0] == f"ERROR: tasks/{NAME}/handler.py is missing: Lambda calls it"


def test_forgotten_tests_are_named_in_one_sentence(written):
    tests = {file: file.read_text() for file in (written / "tests" / NAME).glob("test_*.py")}
    for file in tests:
        file.unlink()
    found = lacking(written, NAME)
    for file, text in tests.items():
        file.write_text(text)
    assert found == [f"tests/{NAME}/test_*.py is missing: it tests the task"]


def test_each_piece_is_forgotten_once():
    # The tests of the task are several files.
    assert len(OMISSIONS) == len(FILES) - 1 + len(CONTENTS)
