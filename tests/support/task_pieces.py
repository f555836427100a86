"""The pieces of a task: `make new-task` writes all of them, and a task made by hand may lack some."""

import re

from scripts.sources import NEVER_ZIPPED, SHARED

# Each file of a task, with what it is for.
FILES = {
    "tasks/{task}/__init__.py": "it makes the folder a package of Python",
    "tasks/{task}/README.md": "it describes the task",
    "tasks/{task}/handler.py": "Lambda calls it",
    "tasks/{task}/settings.py": "it reads the environment into a class `Settings`, even if no setting is required",
    "tasks/{task}/requirements.txt": "it names the packages of the task's zip",
    "terraform/{task}.tf": "it holds the task's resources",
    "terraform/variables.{task}.tf": "it holds the task's variables",
    "terraform/tests/{task}.tftest.hcl": "it tests the task's Terraform",
    "terraform/tests/packages/{task}.zip": "it stands in for the task's zip in the tests of Terraform",
    "tests/{task}/__init__.py": "it makes the folder of the task's tests a package of Python",
    "tests/{task}/test_*.py": "it tests the task",
    "local/demo/{task}.py": "it is the task's part of the demo",
}
# What each of these files contains for a task: (file, pattern, name of the piece).
CONTENTS = [
    ("tasks/{task}/README.md", r"^# {task}$", "the heading `# {task}`"),
    ("tasks/{task}/README.md", "^## Settings$", "the heading `## Settings`"),
    ("tasks/{task}/README.md", "^## Limits$", "the heading `## Limits`"),
    ("tasks/{task}/README.md", "^## Cost$", "the heading `## Cost`"),
    ("tasks/{task}/settings.py", "^class Settings:$", "a class `Settings`"),
    ("terraform/{task}.tf", "^  {task}_task = ", "the local `{task}_task`, the task's entry in `local.tasks`"),
    (
        "terraform/{task}.tf",
        r'^  handler += "tasks\.{task}\.handler\.',
        "a function with a handler in `tasks.{task}.handler`",
    ),
    ("terraform/{task}.tf", "^  failures = ", "`failures` of a function, the metric behind its alarm"),
    ("terraform/{task}.tf", "^  environment = ", "`environment` of a function, which names the task's settings"),
    ("terraform/variables.{task}.tf", '^variable "{task}_enabled" ', "the variable `{task}_enabled`"),
    ("terraform/locals.tf", r"^    {task} += local\.{task}_task$", "`{task} = local.{task}_task` in the map `tasks`"),
    ("terraform/outputs.tf", '^output "{task}" ', "the output `{task}`"),
    ("terraform/terraform.tfvars.example", "^(# )?{task}_enabled += ", "a line for the variable `{task}_enabled`"),
    ("README.md", r"^\| `{task}` .*\(tasks/{task}/README\.md\) \|$", "a row for `{task}` in the table of tasks"),
    (
        "tests/secrets/test_every_setting.py",
        r'^    "{task}\.Settings": ',
        "`{task}.Settings` among the settings that are plain or secret",
    ),
]


def lambda_tasks(root):
    """Return the names of the folders in tasks/ that hold, or should hold, a Lambda function."""
    files = [file.relative_to(root / "tasks") for file in (root / "tasks").glob("*/*")]
    # A removed task leaves its bytecode behind.
    folders = {file.parts[0] for file in files if file.name != "__pycache__" and file.parts[0] != "__pycache__"}
    return sorted(folders - NEVER_ZIPPED - {*SHARED})


def missing_modules(root):
    """Return one sentence for each module that a task lacks, and that its tests import."""
    modules = [pattern for pattern in FILES if pattern.startswith("tasks/") and pattern.endswith(".py")]
    return [sentence for task in lambda_tasks(root) for sentence in _missing_files(root, task, modules)]


def lacking(root, task):
    """Return one sentence for each piece that a task lacks."""
    return [*_missing_files(root, task, FILES), *_missing_contents(root, task)]


def _missing_files(root, task, patterns):
    for pattern in patterns:
        path = pattern.format(task=task)
        if not any(root.glob(path)):
            yield f"{path} is missing: {FILES[pattern]}"


def _missing_contents(root, task):
    for path, pattern, piece in CONTENTS:
        file = root / path.format(task=task)
        found = file.exists() and re.search(pattern.format(task=task), file.read_text(encoding="utf-8"), re.MULTILINE)
        if file.exists() and not found:
            yield f"{file.relative_to(root)} lacks {piece.format(task=task)}"
