from pathlib import Path

import pytest

from scripts.new_task import create
from tests.scripts.new_tasks import NAME, copy_to

ROOT = Path(__file__).parents[2]

SETTINGS_OF_A_BUILD = (
    "CI",
    "CODEBUILD_RESOLVED_SOURCE_VERSION",
    "ENVIRONMENT",
    "PACKAGE_BUCKET",
    "PACKAGE_KMS_KEY_ID",
    "PACKAGE_PREFIX",
    "TASK",
    "TF_PLUGIN_DIR",
)


@pytest.fixture(autouse=True)
def no_build_of_this_machine(monkeypatch):
    """Remove the settings of CodeBuild, which also runs these tests."""
    for name in SETTINGS_OF_A_BUILD:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path):
    """A project with one small task, `greet`."""
    root = tmp_path / "checkout"
    add_task(root, "greet")
    for package in ("tasks", "tasks/utils"):
        write(root / package / "__init__.py", '"""A package."""\n')
    write(root / "requirements.txt", (ROOT / "requirements.txt").read_text())
    return root


def add_task(root, name, *, requirements="# botocore services:\ntenacity\n"):
    write(root / "tasks" / name / "__init__.py", '"""A task."""\n')
    write(root / "tasks" / name / "handler.py", "def handler(event, context):\n    return [event, context]\n")
    write(root / "tasks" / name / "requirements.txt", requirements)


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture(scope="module", name="written")
def repository_with_a_new_task(tmp_path_factory):
    copy = copy_to(tmp_path_factory.mktemp("written"))
    create(copy, NAME)
    return copy
