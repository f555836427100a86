"""Build the tasks' packages: `python -m scripts.package build|dist|hash|key [TASK]`, in the checkout's folder."""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from scripts import dependencies
from scripts.archive import content_hash, write_zip
from scripts.bytecode import RUNTIME_VERSION, compile_tree, runtime_python
from scripts.dist_index import Package, read_index, write_index
from scripts.errors import ScriptError, exit_status
from scripts.object_keys import build_key, package_prefix
from scripts.sources import selected_tasks, source_files

# Lambda's limit is 50 MB, but every cold start fetches the zip. A larger zip holds something by accident.
MAX_ZIP_BYTES = 6_000_000


def build(root: Path, task: str, *, python: Path | None) -> Path:
    """Build a task's package in `build/<task>`.

    Args:
        root: The checkout.
        task: The task's name.
        python: The interpreter that compiles it, see `scripts.bytecode`; None leaves the bytecode out.

    Returns:
        The folder.

    Raises:
        ScriptError: The dependencies cannot be installed, or a module does not compile.
    """
    libraries = dependencies.installed(root, task, python=python)
    folder = root / "build" / task
    with tempfile.TemporaryDirectory(dir=root / "build", prefix=".unfinished-") as unfinished:
        package = Path(unfinished) / task
        shutil.copytree(libraries, package)
        for file in source_files(root, task):
            (package / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / file, package / file)
        if python:
            compile_tree(python, package, "tasks")
        shutil.rmtree(folder, ignore_errors=True)
        package.rename(folder)
    return folder


def pack(root: Path, task: str, *, python: Path | None) -> Package:
    """Build a task's package and zip it into `dist/<task>.zip`.

    Raises:
        ScriptError: The build failed, or the zip is over `MAX_ZIP_BYTES`.
    """
    folder = build(root, task, python=python)
    file = root / "dist" / f"{task}.zip"
    file.parent.mkdir(exist_ok=True)
    write_zip(folder, file)
    content = file.read_bytes()
    if len(content) > MAX_ZIP_BYTES:
        raise ScriptError(f"dist/{file.name} has {len(content):,} bytes, over the limit of {MAX_ZIP_BYTES:,}")
    return Package(
        task=task,
        hash=content_hash(folder, runtime_version=RUNTIME_VERSION),
        zip=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
    )


def main() -> None:
    """Run the command of the command line.

    Raises:
        ScriptError: The command failed.
    """
    root, command, task = Path.cwd(), sys.argv[1], "".join(sys.argv[2:])
    # Checked before the build, because otherwise a wrong prefix would fail only at the upload.
    prefix = package_prefix(os.environ)
    if command == "hash":
        print(read_index(root / "dist", task).hash)
    elif command == "key":
        print(build_key(prefix, read_index(root / "dist", task)))
    else:
        _build_all(root, command, selected_tasks(root, task))


def _build_all(root: Path, command: str, tasks: list[str]) -> None:
    python = runtime_python()
    if not python:
        print(f"Python {RUNTIME_VERSION} is not installed: the packages have no bytecode, and start more slowly.")
    if command == "build":
        for task in tasks:
            print(f"build/{build(root, task, python=python).name}")
        return
    packages = [pack(root, task, python=python) for task in tasks]
    _delete_other_zips(root / "dist", packages)
    write_index(root / "dist", packages)
    for package in packages:
        print(f"dist/{package.zip}: {package.bytes:,} bytes, hash {package.hash}")


def _delete_other_zips(dist: Path, packages: list[Package]) -> None:
    """Delete the zips of earlier builds, whose sources may have changed, so that `dist/` holds what its index names."""
    for file in sorted(set(dist.glob("*.zip")) - {dist / package.zip for package in packages}):
        file.unlink()
        print(f"dist/{file.name}: deleted, because an earlier build made it")


if __name__ == "__main__":
    sys.exit(exit_status(main))
