"""Lock files: which version of each package, and the hashes of its files, as `make lock` writes them.

`python -m scripts.pins LOCK PACKAGE...` prints the lines of the lock file that pin the packages, for
`pip install --require-hashes --requirement /dev/stdin`.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.errors import ScriptError, exit_status

# A package's name, its version, and the indented lines below with its hashes.
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==.*\n(?:[ \t].*\n?)*", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    """Read a lock file: normalized name of each package -> its lines."""
    found: dict[str, str] = {}
    # One package may have a version for each Python.
    for pin in _PIN.finditer(lock.read_text(encoding="utf-8")):
        name = normalized(pin[1])
        found[name] = found.get(name, "") + pin[0]
    return found


def pinned(lock: Path, packages: Iterable[str]) -> str:
    """Give the lines of a lock file that pin some packages.

    Args:
        lock: the lock file.
        packages: their names, in any spelling.

    Raises:
        ScriptError: the lock file does not pin one of them.
    """
    found = pins(lock)
    for package in packages:
        if normalized(package) not in found:
            raise ScriptError(f"{lock.name} does not pin {package}: add it to {lock.stem}.in and run `make lock`")
    return "".join(found[normalized(package)] for package in packages)


def normalized(name: str) -> str:
    """Give the one spelling of a package's name.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Do what the command line says.

    Raises:
        ScriptError: as `pinned`.
    """
    print(pinned(Path(sys.argv[1]), sys.argv[2:]), end="")


if __name__ == "__main__":
    sys.exit(exit_status(main))
