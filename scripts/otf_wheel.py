"""Build the wheel of the add-on for Open Task Framework: `python -m scripts.otf_wheel`, in the checkout's folder."""

import sys
from functools import partial
from pathlib import Path

from scripts import wheel
from scripts.errors import exit_status

ADD_ON = Path("tasks", "otf_addons")
PLUGIN = "plugin"
NAMES = {f"tasks.{package}": f"bucket_brigade.{package}" for package in ("object_clerk", "otf_addons", "utils")}
BUILD_FILES = ("pyproject.toml", "README.md", "LICENSE")


def build(root: Path, target: Path) -> Path:
    """Build the wheel, as `wheel.build` does.

    Args:
        root: The checkout.
        target: The folder for the wheel.
    """
    return wheel.build(target, partial(copy_sources, root))


def copy_sources(root: Path, target: Path) -> None:
    """Copy the sources of the wheel into a folder."""
    modules = [file.relative_to(root) for file in (root / ADD_ON).glob("*.py")]
    wheel.copy_modules(root, target, modules, NAMES)
    plugin = root / ADD_ON / PLUGIN
    for file in sorted(plugin.rglob("*")):
        if file.suffix == ".py":
            wheel.copy_renamed(file, target / file.relative_to(plugin), NAMES)
        elif file.suffix == ".json":
            wheel.copy_file(file, target / file.relative_to(plugin))
    for name in BUILD_FILES:
        wheel.copy_file(root / ADD_ON / name, target / name)
    wheel.copy_file(root / "LICENSE", target / "LICENSE-Apache-2.0")


def main() -> None:
    """Build the wheel and print its path and size.

    Raises:
        ScriptError: The build failed.
    """
    wheel.report(build(Path.cwd(), Path("dist")))


if __name__ == "__main__":
    sys.exit(exit_status(main))
