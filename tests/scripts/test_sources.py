from pathlib import Path

import pytest

from scripts.errors import ScriptError
from scripts.sources import selected_tasks, source_files, zipped_tasks
from tests.scripts.conftest import ROOT, add_task, write


def test_zipped_tasks_of_this_project_include_archive_copy():
    assert "archive_copy" in zipped_tasks(ROOT)


def test_zipped_tasks_are_the_folders_with_handler_and_requirements(checkout):
    add_task(checkout, "answer")
    write(checkout / "tasks" / "no_requirements" / "handler.py", "")
    write(checkout / "tasks" / "no_handler" / "requirements.txt", "")
    assert zipped_tasks(checkout) == ["answer", "greet"]


def test_zipped_tasks_exclude_the_gpl_licensed_add_on(checkout):
    add_task(checkout, "otf_addons")
    assert zipped_tasks(checkout) == ["greet"]


def test_selected_tasks_without_a_name_are_all(checkout):
    add_task(checkout, "answer")
    assert selected_tasks(checkout, "") == ["answer", "greet"]


def test_selected_task_is_the_named_one(checkout):
    add_task(checkout, "answer")
    assert selected_tasks(checkout, "greet") == ["greet"]


def test_selected_task_with_a_wrong_name_lists_the_tasks(checkout):
    add_task(checkout, "answer")
    with pytest.raises(ScriptError, match="TASK=gret is not a task with a zip; these are: answer, greet"):
        selected_tasks(checkout, "gret")


def test_selected_task_that_is_the_add_on_names_the_command_for_its_wheel(checkout):
    add_task(checkout, "otf_addons")
    with pytest.raises(ScriptError, match="TASK=otf_addons has no zip: `make otf-wheel` builds its wheel"):
        selected_tasks(checkout, "otf_addons")


def test_selected_tasks_of_an_empty_project_are_an_error(tmp_path):
    with pytest.raises(ScriptError, match="nothing to build"):
        selected_tasks(tmp_path, "")


def test_source_files_are_those_of_the_task_and_the_shared_packages(checkout):
    add_task(checkout, "answer")
    write(checkout / "tasks" / "object_clerk" / "deep" / "clerk.py", "")
    write(checkout / "tasks" / "greet" / "profiles" / "plain.json", "{}")
    assert source_files(checkout, "greet") == [
        Path("tasks/__init__.py"),
        Path("tasks/greet/__init__.py"),
        Path("tasks/greet/handler.py"),
        Path("tasks/greet/profiles/plain.json"),
        Path("tasks/object_clerk/deep/clerk.py"),
        Path("tasks/utils/__init__.py"),
    ]


@pytest.mark.parametrize(
    "name",
    ["README.md", "__main__.py", "pyproject.toml", "__pycache__/handler.cpython-313.pyc", "old.pyc", ".handler.py.swp"],
)
def test_source_files_exclude_files_that_no_function_reads(checkout, name):
    before = source_files(checkout, "greet")
    write(checkout / "tasks" / "greet" / name, "")
    assert source_files(checkout, "greet") == before
