"""Write a new task: `python -m scripts.new_task NAME`, in the checkout's folder.

`scripts/task_template` holds a whole task called `task_name`. A new task is a copy of it under its own name, and an
entry in each file that lists the tasks.
"""

import keyword
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.errors import ScriptError, exit_status
from scripts.sources import zipped_tasks

TEMPLATE = Path("scripts", "task_template")
PLACEHOLDER = "task_name"
EXAMPLE = "object_count"

# AWS allows 64 characters for a role's name, PREFIX-TASK-REGION. The longest names of regions have 14 characters, and
# terraform/README.md promises that a prefix of 21 characters always fits.
LONGEST_NAME = 64 - 21 - 14 - len("--")

# Files of the template that are added to the end of a file of the same path.
APPENDED = (Path("terraform", "outputs.tf"), Path("terraform", "terraform.tfvars.example"))
LOCALS = Path("terraform", "locals.tf")
SECRETS = Path("tests", "secrets", "test_every_setting.py")
README = Path("README.md")

NEXT_STEPS = """
It logs the size of each new object of a bucket, and passes its tests. Change it step by step into what you need:

    make test TASK={name}
    make lint TASK={name}
    make validate
    make demo

To deploy it, set {name}_enabled and {name}_source_bucket in terraform.tfvars. CONTRIBUTING.md describes its parts."""


def create(root: Path, name: str) -> tuple[list[Path], list[Path]]:
    """Write a new task into a checkout.

    Args:
        root: The checkout.
        name: The name of the task.

    Returns:
        The new files, and the files with a new entry.

    Raises:
        ScriptError: There can be no task of this name, or a file cannot be written. Then nothing has changed.
    """
    check_name(root, name)
    texts = {**_copies(root, name), **_entries(root, name)}
    new = [path for path in texts if not (root / path).exists()]
    write_all(root, _formatted(root, texts))
    return new, [path for path in texts if path not in new]


def check_name(root: Path, name: str) -> None:
    """Check that there can be a new task of this name.

    Raises:
        ScriptError: The reason why not.
    """
    if not name:
        raise ScriptError(f"NAME is missing: make new-task NAME={EXAMPLE}")
    if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", name, re.ASCII) or keyword.iskeyword(name):
        shape = "lower-case words of letters and digits with _ between them, and no keyword of Python"
        raise ScriptError(f"NAME={name!r} is not the name of a task, which is {shape}, for example {EXAMPLE}")
    if len(name) > LONGEST_NAME:
        limit = f"AWS's limit for a role leaves {LONGEST_NAME} to the name of a task"
        raise ScriptError(f"NAME={name} has {len(name)} characters, and {limit}")
    taken = next(_places_taken(root, name), None)
    if taken:
        raise ScriptError(f"NAME={name}: {taken} is already there; choose another name")
    _check_variables(root, name)


def _places_taken(root: Path, name: str) -> Iterator[Path]:
    """Yield what a new task of this name would overwrite, or hide from an import."""
    paths = [folder / f"{name}{ending}" for folder in (Path("tasks"), Path("tests")) for ending in ("", ".py")]
    paths += [path for path in _template(root, name).values() if path not in APPENDED]
    yield from (path for path in paths if _holds_files(root / path))


def _holds_files(path: Path) -> bool:
    # A removed task leaves its bytecode behind.
    return path.is_file() or any(file.is_file() and file.suffix != ".pyc" for file in path.rglob("*"))


def _check_variables(root: Path, name: str) -> None:
    """Check that the names of variables and outputs in Terraform show which of them belong to the new task."""
    texts = [path.read_text(encoding="utf-8") for path in (root / "terraform").glob("*.tf")]
    declared = [found for text in texts for found in re.findall(r'^(variable|output) "(\w+)"', text, re.MULTILINE)]
    for kind, other in declared:
        if f"{other}_".startswith(f"{name}_"):
            raise ScriptError(f"NAME={name}: the {kind} {other} would seem to belong to it; choose another name")
    for task in zipped_tasks(root):
        if name.startswith(f"{task}_"):
            raise ScriptError(f"NAME={name}: its variables would seem to belong to {task}; choose another name")


def _template(root: Path, name: str) -> dict[Path, Path]:
    """Return the files of the template, each with its path in the checkout."""
    folder = root / TEMPLATE
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path: Path(_renamed(str(path.relative_to(folder)), name)) for path in files}


def _renamed(text: str, name: str) -> str:
    return text.replace(PLACEHOLDER, name).replace(PLACEHOLDER.replace("_", "-"), name.replace("_", "-"))


def _copies(root: Path, name: str) -> dict[Path, str]:
    """Return the text of each file for which the template has one, as it shall be."""
    texts = {path: _renamed(file.read_text(encoding="utf-8"), name) for file, path in _template(root, name).items()}
    return {
        path: (root / path).read_text(encoding="utf-8") + text if path in APPENDED else text
        for path, text in texts.items()
    }


def _entries(root: Path, name: str) -> dict[Path, str]:
    """Return the text of each file that lists the tasks, with an entry for the new one."""
    texts = {path: (root / path).read_text(encoding="utf-8") for path in (LOCALS, README, SECRETS)}
    settings = f'    "{name}.Settings": {{"bucket_owners", "queue", "source_bucket", "telemetry"}},\n'
    return {
        LOCALS: _with_entry(texts[LOCALS], name),
        README: _with_row(texts[README], name, zipped_tasks(root)),
        SECRETS: _after(texts[SECRETS], r"^PLAIN_SETTINGS = \{\n", settings, SECRETS),
    }


def _with_entry(text: str, name: str) -> str:
    """Return the text of locals.tf with the task in the map `tasks`, sorted and aligned as by `terraform fmt`."""
    block = re.search(r"^  tasks = \{\n((?:    \w+ += .+\n)+)", text, re.MULTILINE)
    if not block:
        raise ScriptError(f"{LOCALS} has no map `tasks` with one line for each task")
    entries = dict(re.findall(r"^    (\w+) += (.+)$", block[1], re.MULTILINE)) | {name: f"local.{name}_task"}
    longest = max(map(len, entries))
    lines = [f"    {task:{longest}} = {value}\n" for task, value in sorted(entries.items())]
    return text[: block.start(1)] + "".join(lines) + text[block.end(1) :]


def _with_row(text: str, name: str, tasks: list[str]) -> str:
    """Return the text of the README with a row for the task below those of the others."""
    cells = [
        f"`{name}` logs the size of each new object (off by default)",
        "Object Created through EventBridge and an SQS queue",
        f"[tasks/{name}](tasks/{name}/README.md)",
    ]
    links = "|".join(re.escape(f"(tasks/{task}/README.md)") for task in tasks)
    return _after(text, rf"^\|.*(?:{links}) \|\n(?!\|.*(?:{links}))", f"| {' | '.join(cells)} |\n", README)


def _after(text: str, pattern: str, line: str, path: Path) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise ScriptError(f"{path} has no place for the new task: no line matches {pattern}")
    return text[: found.end()] + line + text[found.end() :]


def _formatted(root: Path, texts: Mapping[Path, str]) -> dict[Path, str]:
    """Return the texts, with the imports and lines of Python as ruff wants them: they depend on the task's name."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copy(root / "pyproject.toml", copy)
        for path, text in texts.items():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(text, encoding="utf-8")
        for arguments in (["check", "--select", "I", "--fix"], ["format"]):
            command = [sys.executable, "-m", "ruff", *arguments, "--quiet", "--no-cache", "."]
            finished = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
            if finished.returncode:
                raise ScriptError(f"ruff cannot format the new task: {finished.stdout}{finished.stderr}")
        return {path: (copy / path).read_text(encoding="utf-8") for path in texts}


def write_all(root: Path, texts: Mapping[Path, str]) -> None:
    """Write all files, or none of them: after any failure each file is again as it was.

    Raises:
        ScriptError: A file cannot be written.
    """
    folders = {folder for path in texts for folder in path.parents if not (root / folder).exists()}
    before: dict[Path, bytes | None] = {}
    try:
        for path, text in texts.items():
            before[path] = (root / path).read_bytes() if (root / path).exists() else None
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    except BaseException as error:
        _restore(root, before, folders)
        if isinstance(error, OSError):
            raise ScriptError(f"nothing was written: {error}") from error
        raise


def _restore(root: Path, before: Mapping[Path, bytes | None], folders: set[Path]) -> None:
    for path, content in before.items():
        if content is not None:
            (root / path).write_bytes(content)
        elif (root / path).is_file():
            (root / path).unlink()
    for folder in folders:
        shutil.rmtree(root / folder, ignore_errors=True)


def main() -> None:
    """Write the task that the command line names, and print what was written.

    Raises:
        ScriptError: See `create`.
    """
    name = " ".join(sys.argv[1:])
    new, changed = create(Path.cwd(), name)
    for path in new:
        print(f"new      {path}")
    for path in changed:
        print(f"changed  {path}")
    print(NEXT_STEPS.format(name=name))


if __name__ == "__main__":
    sys.exit(exit_status(main))
