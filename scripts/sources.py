"""Which tasks have a zip, and which of the project's files belong in it."""

from pathlib import Path

from scripts.errors import ScriptError

# GPL-3, as the framework it plugs into: it is no Lambda function and stays out of the zips.
NEVER_ZIPPED = frozenset({"otf_addons"})

# Packages that every zip holds.
SHARED = ("object_clerk", "utils")

# For readers and for the build; a changed word in them is no new package.
NOT_PACKAGED = frozenset({"README.md", "requirements.txt"})


def zipped_tasks(root: Path) -> list[str]:
    """Name the tasks that get a zip: folders of `tasks/` with a handler and requirements, in alphabetical order."""
    return sorted(
        handler.parent.name
        for handler in root.glob("tasks/*/handler.py")
        if (handler.parent / "requirements.txt").is_file() and handler.parent.name not in NEVER_ZIPPED
    )


def selected_tasks(root: Path, task: str) -> list[str]:
    """Name the tasks to work on.

    Args:
        root: the checkout.
        task: one task's name, or "" for all.

    Raises:
        ScriptError: there is no such task, or none at all.
    """
    tasks = zipped_tasks(root)
    if not tasks:
        raise ScriptError("no folder in tasks/ holds both handler.py and requirements.txt: there is nothing to build")
    if task and task not in tasks:
        raise ScriptError(f"TASK={task} names no task with a zip; there are: {', '.join(tasks)}")
    return [task] if task else tasks


def source_files(root: Path, task: str) -> list[Path]:
    """List the project's files in a task's zip, relative to `root`: an import path is the same here and there."""
    folders = [root / "tasks" / name for name in (*SHARED, task)]
    files = [root / "tasks" / "__init__.py", *(file for folder in folders for file in folder.rglob("*"))]
    return sorted(file.relative_to(root) for file in files if file.is_file() and _is_packaged(file.relative_to(root)))


def _is_packaged(file: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in file.parts)
    return not hidden and file.suffix != ".pyc" and file.name not in NOT_PACKAGED
