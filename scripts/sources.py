"""The tasks that have a zip, and the project's files in each zip."""

from pathlib import Path

from scripts.errors import ScriptError

# The add-on is no Lambda function. It is GPL-3, like its framework, and must not be in a zip.
NEVER_ZIPPED = frozenset({"otf_addons"})

# Packages in every zip.
SHARED = ("object_clerk", "utils")

# Files for readers, for the build and for the command line. They are not packaged, so that a change in them causes no
# new package.
NOT_PACKAGED = frozenset({"README.md", "pyproject.toml", "requirements.txt", "__main__.py"})


def zipped_tasks(root: Path) -> list[str]:
    """Return the tasks that get a zip, sorted: the folders of `tasks/` with a handler and requirements."""
    return sorted(
        handler.parent.name
        for handler in root.glob("tasks/*/handler.py")
        if (handler.parent / "requirements.txt").is_file() and handler.parent.name not in NEVER_ZIPPED
    )


def selected_tasks(root: Path, task: str) -> list[str]:
    """Return the tasks to build.

    Args:
        root: The checkout.
        task: The name of a task, or "" for all.

    Raises:
        ScriptError: There is no such task, or no task at all.
    """
    tasks = zipped_tasks(root)
    if not tasks:
        raise ScriptError("no folder in tasks/ has both handler.py and requirements.txt: there is nothing to build")
    if task in NEVER_ZIPPED:
        raise ScriptError(f"TASK={task} has no zip: `make otf-wheel` builds its wheel")
    if task and task not in tasks:
        raise ScriptError(f"TASK={task} is not a task with a zip; these are: {', '.join(tasks)}")
    return [task] if task else tasks


def source_files(root: Path, task: str) -> list[Path]:
    """Return the project's files in a task's zip, relative to `root`; import paths are the same in both."""
    folders = [root / "tasks" / name for name in (*SHARED, task)]
    files = [root / "tasks" / "__init__.py", *(file for folder in folders for file in folder.rglob("*"))]
    return sorted(file.relative_to(root) for file in files if file.is_file() and _is_packaged(file.relative_to(root)))


def _is_packaged(file: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in file.parts)
    return not hidden and file.suffix != ".pyc" and file.name not in NOT_PACKAGED
