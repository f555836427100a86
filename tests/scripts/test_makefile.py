import os
import re
import subprocess

import pytest

from tests.scripts.conftest import ROOT

PUBLIC = {
    "demo",
    "test",
    "test-long",
    "lint",
    "validate",
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
    "lock",
    "help",
    "screenshots",
    "format",
}
HIDDEN = {".build-setup", ".lint-setup", ".test-setup", ".validate-setup"}


def make(*arguments, **environ):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
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
