"""Copies of the repository for tests that write a new task into them."""

import shutil

from tests.support.project_texts import ROOT

# Not the example of the documentation, which this repository may hold.
NAME = "task_of_the_tests"
# What make and the tools create, and a repository does not hold.
GENERATED = (
    ".git",
    ".venv",
    ".*_cache",
    ".hypothesis",
    ".terraform",
    "__pycache__",
    "build",
    "dist",
    "reports",
    "*.tfstate*",
)


def copy_to(folder):
    return shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(*GENERATED))


def content(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
