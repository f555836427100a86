"""Build the wheel of the add-on for Open Task Framework: `python -m scripts.otf_wheel`, in the checkout's folder.

On a worker nothing may be called `tasks`, a name that anybody may have taken. So what the wheel holds of this project
is called `bucket_brigade` there: the packages and the imports are renamed, and nothing else is changed.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.errors import ScriptError, exit_status

ADD_ON = Path("tasks", "otf_addons")
PLUGIN = "plugin"
HERE, THERE = "tasks", "bucket_brigade"
# Wherever it stands for the package: followed by a dot and one of those that go along.
NAME = re.compile(rf"\b{HERE}(?=\.(?:object_clerk|utils|otf_addons)\b|\simport\b)")
FOR_THE_BUILD = ("pyproject.toml", "README.md", "LICENSE")
# What pip would have setuptools do, too, after a look at what it need not install.
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
# The oldest date that a zip can hold, so that two builds are the same bytes.
EPOCH = "315532800"


def build(root: Path, target: Path) -> Path:
    """Build the wheel.

    Args:
        root: the checkout.
        target: the folder that it is put into.

    Returns:
        The wheel.

    Raises:
        ScriptError: it cannot be built.
    """
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage, made = Path(folder, "stage"), Path(folder, "made")
        lay_out(root, stage)
        command = [sys.executable, "-c", BUILD, str(made)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
        done = subprocess.run(command, cwd=stage, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ScriptError(f"the wheel cannot be built:\n{done.stdout}{done.stderr}")
        (wheel,) = made.glob("*.whl")
        return Path(shutil.move(wheel, target / wheel.name))


def lay_out(root: Path, stage: Path) -> None:
    """Put what the wheel is built of into a folder."""
    for module in sorted(needed(root)):
        _copy_renamed(root / module, stage / THERE / module.relative_to(HERE))
    plugin = root / ADD_ON / PLUGIN
    for file in sorted(plugin.rglob("*")):
        if file.suffix == ".py":
            _copy_renamed(file, stage / file.relative_to(plugin))
        elif file.suffix == ".json":
            _copy(file, stage / file.relative_to(plugin))
    for name in FOR_THE_BUILD:
        _copy(root / ADD_ON / name, stage / name)
    _copy(root / "LICENSE", stage / "LICENSE-Apache-2.0")


def needed(root: Path) -> set[Path]:
    """Name the modules of the add-on, and those that they import, and those that these import."""
    waiting = [file.relative_to(root) for file in (root / ADD_ON).glob("*.py")]
    found: set[Path] = set()
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported(root, module)
    return found


def _imported(root: Path, module: Path) -> Iterator[Path]:
    """Name the project's files that a module imports when it is loaded, and the packages that hold them."""
    for node in ast.parse((root / module).read_text(encoding="utf-8")).body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield from _files(root, name.split("."))


def _files(root: Path, parts: list[str]) -> Iterator[Path]:
    if parts[0] != HERE:
        return
    for length in range(1, len(parts) + 1):
        path = Path(*parts[:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if (root / file).is_file():
                yield file


def _copy_renamed(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(NAME.sub(THERE, source.read_text(encoding="utf-8")), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def main() -> None:
    """Build the wheel and say where it is.

    Raises:
        ScriptError: it could not be done.
    """
    wheel = build(Path.cwd(), Path("dist"))
    print(f"{wheel}: {wheel.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(exit_status(main))
