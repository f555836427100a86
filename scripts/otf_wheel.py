"""Build the wheel of the add-on for Open Task Framework: `python -m scripts.otf_wheel`, in the checkout's folder.

The name `tasks` is too common for a package on a worker. So the wheel's package is called `bucket_brigade`: the build
renames the packages and the imports, and changes nothing else.
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
PACKAGE, PACKAGE_IN_WHEEL = "tasks", "bucket_brigade"
# The package's name, but not the word: only before `import`, or before a dot and a package of the wheel.
NAME = re.compile(rf"\b{PACKAGE}(?=\.(?:object_clerk|utils|otf_addons)\b|\simport\b)")
BUILD_FILES = ("pyproject.toml", "README.md", "LICENSE")
# pip calls setuptools in the same way, after a check of dependencies that the wheel does not need.
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
# 1980-01-01, the oldest date that a zip can hold, so that two builds have the same bytes.
EPOCH = "315532800"


def build(root: Path, target: Path) -> Path:
    """Build the wheel.

    Args:
        root: The checkout.
        target: The folder for the wheel.

    Returns:
        The wheel.

    Raises:
        ScriptError: The build failed.
    """
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        sources, output = Path(folder, "sources"), Path(folder, "output")
        copy_sources(root, sources)
        command = [sys.executable, "-c", BUILD, str(output)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
        finished = subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise ScriptError(f"the wheel cannot be built:\n{finished.stdout}{finished.stderr}")
        (wheel,) = output.glob("*.whl")
        return Path(shutil.move(wheel, target / wheel.name))


def copy_sources(root: Path, target: Path) -> None:
    """Copy the sources of the wheel into a folder."""
    for module in sorted(needed(root)):
        _copy_renamed(root / module, target / PACKAGE_IN_WHEEL / module.relative_to(PACKAGE))
    plugin = root / ADD_ON / PLUGIN
    for file in sorted(plugin.rglob("*")):
        if file.suffix == ".py":
            _copy_renamed(file, target / file.relative_to(plugin))
        elif file.suffix == ".json":
            _copy(file, target / file.relative_to(plugin))
    for name in BUILD_FILES:
        _copy(root / ADD_ON / name, target / name)
    _copy(root / "LICENSE", target / "LICENSE-Apache-2.0")


def needed(root: Path) -> set[Path]:
    """Return the modules of the add-on with all their direct and indirect imports."""
    waiting = [file.relative_to(root) for file in (root / ADD_ON).glob("*.py")]
    found: set[Path] = set()
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imports(root, module)
    return found


def _imports(root: Path, module: Path) -> Iterator[Path]:
    """Yield the project's files that a module imports when it is loaded, and their packages."""
    for node in ast.parse((root / module).read_text(encoding="utf-8")).body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield from _files(root, name.split("."))


def _files(root: Path, parts: list[str]) -> Iterator[Path]:
    if parts[0] != PACKAGE:
        return
    for length in range(1, len(parts) + 1):
        path = Path(*parts[:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if (root / file).is_file():
                yield file


def _copy_renamed(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(NAME.sub(PACKAGE_IN_WHEEL, source.read_text(encoding="utf-8")), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def main() -> None:
    """Build the wheel and print its path and size.

    Raises:
        ScriptError: The build failed.
    """
    wheel = build(Path.cwd(), Path("dist"))
    print(f"{wheel}: {wheel.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(exit_status(main))
