import os
import re
import shutil
import subprocess

import pytest

from tests.scripts.conftest import ROOT

PUBLIC = {
    "demo",
    "brigade",
    "check",
    "test",
    "test-long",
    "lint",
    "validate",
    "terraform",
    "build",
    "dist",
    "clean",
    "lint-report",
    "test-report",
    "bench",
    "chaos",
    "upload",
    "package-hash",
    "package-key",
    "otf-wheel",
    "clerk-wheel",
    "lock",
    "help",
    "screenshots",
    "format",
    "new-task",
}
HIDDEN = {".all-packages", ".build-setup", ".lint-setup", ".test-setup", ".validate-setup"}


# A name in tasks/, and what else a person may write.
TASKS = "archive_copy mirror_check object_clerk otf_addons partition_replicate upload_validate utils"
WRONG_TASKS = ["nonsense", "archive_copy upload_validate", "../tasks/utils", "%", "archive", ".", "; touch unwanted"]
# Targets whose work TASK narrows, or which check that dist/ holds its zip.
NARROWED = PUBLIC - {
    "bench",
    "brigade",
    "chaos",
    "check",
    "clean",
    "demo",
    "clerk-wheel",
    "help",
    "lock",
    "new-task",
    "otf-wheel",
    "screenshots",
    "terraform",
    "validate",
}


def make(*arguments, cwd=ROOT, **environ):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env={**inherited, "MAKEFLAGS": "", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def phony_targets():
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    return set(re.search(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)[1].split())


def test_makefile_has_the_targets_of_the_contract():
    assert phony_targets() == PUBLIC | HIDDEN


def test_make_without_a_target_describes_every_public_target():
    help_text = make().stdout
    listed = dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", help_text, re.MULTILINE))
    assert set(listed) == PUBLIC
    assert all(len(description) > 10 for description in listed.values())


@pytest.mark.parametrize("target", sorted(PUBLIC | HIDDEN))
def test_target_has_valid_recipes(target):
    planned = make("--dry-run", target)
    assert planned.returncode == 0, planned.stderr


@pytest.mark.parametrize("target", sorted(PUBLIC | HIDDEN))
def test_task_that_does_not_exist_is_refused_with_the_names_of_all(target):
    refused = make(target, "TASK=nonsense")
    assert refused.returncode != 0
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.endswith(f'*** TASK is "nonsense" and should be one of: {TASKS}.  Stop.')


@pytest.mark.parametrize("task", WRONG_TASKS)
def test_task_that_is_no_single_name_is_refused(task):
    for refused in (make("dist", f"TASK={task}"), make("dist", TASK=task)):
        assert refused.returncode != 0
        assert f'TASK is "{task}" and should be one of: {TASKS}.' in refused.stderr


def test_file_in_the_place_of_a_task_is_no_task(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "tasks" / "greet").mkdir(parents=True)
    (tmp_path / "tasks" / "greet" / "__init__.py").touch()
    (tmp_path / "tasks" / "a_file").touch()
    assert '*** TASK is "a_file" and should be one of: greet.' in make("dist", "TASK=a_file", cwd=tmp_path).stderr


@pytest.mark.parametrize("target", ["build", "dist"])
def test_build_and_dist_of_the_add_on_name_the_command_for_its_wheel(target):
    refused = make(target, "TASK=otf_addons")
    assert refused.returncode != 0
    assert refused.stderr.startswith("error: TASK=otf_addons has no zip: `make otf-wheel` builds its wheel\n")


@pytest.mark.parametrize("empty", ["", " "])
def test_empty_task_stands_for_all(empty):
    assert make("--dry-run", "lint", f"TASK={empty}").stdout == make("--dry-run", "lint").stdout


@pytest.mark.parametrize("target", sorted(PUBLIC - NARROWED - {"help", "clean"}))
def test_target_that_ignores_the_task_says_so_and_does_all_its_work(target):
    planned = make("--dry-run", target, "TASK=archive_copy", "CHAOS_SEED=1")
    assert planned.stdout == make("--dry-run", target, "CHAOS_SEED=1").stdout
    assert f"TASK=archive_copy has no effect on make {target}: it works on the whole project\n" in planned.stderr


@pytest.mark.parametrize("target", sorted(NARROWED))
def test_target_that_reads_the_task_does_other_work_with_it(target):
    planned = make("--dry-run", target, "TASK=archive_copy")
    assert planned.stdout != make("--dry-run", target).stdout
    assert planned.stderr == ""


def test_misspelt_variable_is_refused_with_the_names_of_all():
    refused = make("dist", "TAKS=archive_copy")
    assert refused.returncode != 0
    assert "*** make knows no variable TAKS here; it knows: BUILD CHAOS_SEED CHROMIUM CI" in refused.stderr
    assert make("--dry-run", "dist", TAKS="archive_copy").returncode == 0


def test_variable_of_the_help_text_is_known():
    for name in re.findall(r"\b([A-Z_]+)=", make("help").stdout):
        assert make("--dry-run", "help", f"{name}=archive_copy").returncode == 0


@pytest.mark.parametrize("folder", [".venv", "build", "dist", "reports"])
def test_file_in_the_place_of_a_folder_stops_each_target_but_clean(tmp_path, folder):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / folder).write_text("a file")
    for target in sorted((PUBLIC | HIDDEN) - {"clean", "help"}):
        refused = make(target, cwd=tmp_path)
        assert refused.returncode != 0
        (line,) = refused.stderr.splitlines()
        assert f"*** {folder} is a file and should be a folder: move it away, or run make clean" in line
    assert (tmp_path / folder).read_text() == "a file"
    assert make("clean", cwd=tmp_path).returncode == 0
    assert not (tmp_path / folder).exists()


def test_every_command_prefers_the_terraform_that_make_has_installed():
    path = make('--eval=path:; @echo "$$PATH"', "path").stdout
    assert path.startswith(f"{ROOT}/.venv/terraform{os.pathsep}{os.environ['PATH']}")
    assert "scripts.terraform_install .venv/terraform\n" in make("--dry-run", "terraform").stdout


def test_test_of_all_tasks_requires_coverage():
    assert "--cov" in make("--dry-run", "test").stdout


def test_test_of_one_task_runs_its_tests_without_the_coverage_gate():
    planned = make("--dry-run", "test", "TASK=archive_copy").stdout
    assert "tests/archive_copy" in planned
    assert "--cov" not in planned


def test_long_tests_are_of_all_tasks_together():
    assert "pytest --numprocesses" in make("--dry-run", "test-long").stdout
    planned = make("--dry-run", "test-long", "TASK=archive_copy").stdout
    assert "pytest" not in planned
    assert "run make test-long without TASK" in planned


@pytest.mark.parametrize("target", ["build", "dist"])
def test_build_and_dist_of_one_task_are_narrowed(target):
    assert f"scripts.package {target} archive_copy\n" in make("--dry-run", target, "TASK=archive_copy").stdout
    assert f"scripts.package {target} \n" in make("--dry-run", target).stdout


def test_chaos_prints_and_accepts_a_seed():
    planned = make("--dry-run", "chaos", "CHAOS_SEED=77").stdout
    assert "CHAOS_SEED=77" in planned
    assert "--hypothesis-seed=77" in planned


def test_chaos_without_a_seed_uses_the_printed_one():
    planned = make("--dry-run", "chaos").stdout
    said = re.search(r"CHAOS_SEED=(\d+)", planned)[1]
    assert f"--hypothesis-seed={said}\n" in planned


def test_dist_with_a_bad_prefix_is_refused_before_anything_is_built():
    finished = make("dist", PACKAGE_PREFIX="/builds/")
    assert finished.returncode != 0
    assert finished.stdout == ""
    assert 'error: PACKAGE_PREFIX "/builds/" must not begin with "/" and must end with "/"' in finished.stderr


def test_ci_runs_the_commands_of_the_makefile_and_stops_at_the_first_failure():
    ci = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in ci
    assert re.findall(r"^make (\S+)$", ci, re.MULTILINE) == ["lint", "test", "test-long", "validate", "dist"]
