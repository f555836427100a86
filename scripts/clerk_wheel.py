"""Build the wheel of `ObjectClerk`: `python -m scripts.clerk_wheel`, in the checkout's folder."""

import re
import sys
from functools import partial
from pathlib import Path

from scripts import wheel
from scripts.errors import exit_status

CLERK = Path("tasks", "object_clerk")
NAMES = {"tasks.object_clerk": "object_clerk", "tasks.utils": "object_clerk._utils"}
PAGE = Path("docs", "object_clerk.md")
# A link to another page of the project, which the wheel does not hold.
RELATIVE_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:)[^)]*\)")


def build(root: Path, target: Path) -> Path:
    """Build the wheel, as `wheel.build` does.

    Args:
        root: The checkout.
        target: The folder for the wheel.
    """
    return wheel.build(target, partial(copy_sources, root))


def copy_sources(root: Path, target: Path) -> None:
    """Copy the sources of the wheel into a folder."""
    modules = [file.relative_to(root) for file in (root / CLERK).rglob("*.py")]
    wheel.copy_modules(root, target, modules, NAMES)
    # It says that the annotations are part of the package: https://typing.python.org/en/latest/spec/distributing.html
    (target / "object_clerk" / "py.typed").touch()
    page = wheel.renamed((root / PAGE).read_text(encoding="utf-8"), NAMES, source=PAGE)
    (target / "README.md").write_text(RELATIVE_LINK.sub(r"\1", page), encoding="utf-8")
    wheel.copy_file(root / CLERK / "pyproject.toml", target / "pyproject.toml")
    wheel.copy_file(root / "LICENSE", target / "LICENSE")


def main() -> None:
    """Build the wheel and print its path and size.

    Raises:
        ScriptError: The build failed.
    """
    wheel.report(build(Path.cwd(), Path("dist")))


if __name__ == "__main__":
    sys.exit(exit_status(main))
