"""Wheels of parts of `tasks/`, under import names of their own.

`tasks` is too common a name for an installed package. So a build copies the modules that a wheel needs, renames their
packages and imports, and changes nothing else.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from scripts.errors import ScriptError

PACKAGE = "tasks"
# pip calls setuptools in the same way, after a check of dependencies that the wheel does not need.
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
# 1980-01-01, the oldest date that a zip can hold, so that two builds have the same bytes.
EPOCH = "315532800"
# A module of the project; the word at the end of a sentence is none.
LEFT_OVER = re.compile(rf"\b{PACKAGE}\.\w+|\b(?:from|import)\s+{PACKAGE}\b(?!\.)")


def build(target: Path, copy_sources: Callable[[Path], None]) -> Path:
    """Build a wheel.

    Args:
        target: The folder for the wheel.
        copy_sources: Writes the sources of the wheel, with their `pyproject.toml`, into a folder.

    Returns:
        The wheel.

    Raises:
        ScriptError: The build failed.
    """
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        sources, output = Path(folder, "sources"), Path(folder, "output")
        copy_sources(sources)
        command = [sys.executable, "-c", BUILD, str(output)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
        finished = subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise ScriptError(f"the wheel cannot be built:\n{finished.stdout}{finished.stderr}")
        (wheel,) = output.glob("*.whl")
        return Path(shutil.move(wheel, target / wheel.name))


def report(wheel: Path) -> None:
    """Print the path and the size of a wheel."""
    print(f"{wheel}: {wheel.stat().st_size:,} bytes")


def copy_modules(root: Path, target: Path, modules: Iterable[Path], names: Mapping[str, str]) -> None:
    """Copy modules and all that they import when they are loaded, under their names in a wheel.

    Args:
        root: The checkout.
        target: The folder for the copies.
        modules: The modules, relative to `root`.
        names: The name in the wheel of each package: `tasks.utils` -> `object_clerk._utils`. Modules of other packages
            are not copied.

    Raises:
        ScriptError: A module refers to a package that is not in `names`.
    """
    for module in sorted(_needed(root, modules)):
        for package, name in names.items():
            if module.is_relative_to(package.replace(".", "/")):
                inside = module.relative_to(package.replace(".", "/"))
                copy_renamed(root / module, target / name.replace(".", "/") / inside, names)


def copy_renamed(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """Copy a text with the names that packages have in a wheel, see `copy_modules`.

    Raises:
        ScriptError: The text refers to a package that is not in `names`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(renamed(source.read_text(encoding="utf-8"), names, source=source), encoding="utf-8")


def renamed(text: str, names: Mapping[str, str], *, source: Path) -> str:
    """Return a text with the names that packages have in a wheel, see `copy_modules`.

    Raises:
        ScriptError: The text refers to a package that is not in `names`.
    """
    pattern = "|".join(re.escape(name) for name in names)
    changed = re.sub(rf"\b(?:{pattern})\b", lambda found: names[found[0]], text)
    if left := LEFT_OVER.search(changed):
        raise ScriptError(f"{source} refers to {left[0]!r}, which the wheel does not hold")
    return changed


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, and make the folders above it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _needed(root: Path, modules: Iterable[Path]) -> set[Path]:
    """Return modules with all their direct and indirect imports."""
    waiting = list(modules)
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
