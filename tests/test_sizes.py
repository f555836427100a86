"""Modules and functions stay small, and no module imports itself by way of others."""

import ast
import statistics
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("bench", "local", "scripts", "tasks")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
# A reader keeps a module of this length in mind.
MOST_LINES = 350
# Modules that are still longer.
NOT_YET = {
    "local/demo/partition_replicate.py",
    "tasks/object_clerk/annotations.py",
    "tasks/object_clerk/downloads.py",
    "tasks/object_clerk/s3_requests.py",
    "tasks/object_clerk/streams.py",
    "tasks/partition_replicate/history.py",
    "tasks/partition_replicate/table.py",
    "tasks/upload_validate/profile.py",
    "tasks/upload_validate/table_schema.py",
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def lines_of_body(function):
    """The number of lines of a function after its docstring."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def imports_of(tree, modules):
    """The modules of the project that a module imports when it is imported."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from names & modules or {node.module} & modules
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & modules


@pytest.mark.parametrize("folder", FOLDERS)
def test_module_is_short(folder):
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    long = {name for name, length in lengths.items() if length > MOST_LINES and name.startswith(f"{folder}/")}
    assert long <= NOT_YET


def test_functions_are_small_and_not_tiny():
    functions = [node for path in SOURCES for node in ast.walk(tree_of(path)) if isinstance(node, FUNCTIONS)]
    lines = [lines_of_body(function) for function in functions]
    assert 4 <= statistics.median(lines) <= 6
    assert statistics.quantiles(lines, n=10)[-1] <= 16


def test_no_module_imports_itself_by_way_of_others():
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES}
    graph = {}
    for path in SOURCES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = set(imports_of(tree_of(path), modules)) - {name}
    # It raises CycleError, which names the modules of a cycle.
    TopologicalSorter(graph).prepare()
