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


def test_zipped_tasks_leave_the_gpl_licensed_add_on_out(checkout):
    add_task(checkout, "otf_addons")
    assert zipped_tasks(checkout) == ["greet"]


def test_selected_tasks_without_a_name_are_all(checkout):
    add_task(checkout, "answer")
    assert selected_tasks(checkout, "") == ["answer", "greet"]


def test_selected_tasks_with_a_name_are_that_one(checkout):
    add_task(checkout, "answer")
    assert selected_tasks(checkout, "greet") == ["greet"]


def test_selected_tasks_with_a_wrong_name_say_which_there_are(checkout):
    add_task(checkout, "answer")
    with pytest.raises(ScriptError, match="TASK=gret names no task with a zip; there are: answer, greet"):
        selected_tasks(checkout, "gret")


def test_selected_tasks_of_an_empty_project_are_an_error(tmp_path):
    with pytest.raises(ScriptError, match="nothing to build"):
        selected_tasks(tmp_path, "")


def test_source_files_are_the_task_and_what_tasks_share(checkout):
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


@pytest.mark.parametrize("name", ["README.md", "__pycache__/handler.cpython-313.pyc", "old.pyc", ".handler.py.swp"])
def test_source_files_leave_out_what_no_function_reads(checkout, name):
    before = source_files(checkout, "greet")
    write(checkout / "tasks" / "greet" / name, "")
    assert source_files(checkout, "greet") == before
