"""Lock files of `make lock`: the version of each package, and the hashes of its files.

`python -m scripts.pins LOCK PACKAGE...` prints the lines that pin these packages, for
`pip install --require-hashes --requirement /dev/stdin`.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.errors import ScriptError, exit_status

# A package's name, its version, and the indented lines with its hashes.
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==.*\n(?:[ \t].*\n?)*", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    """Read a lock file: normalized name of each package -> its lines."""
    lines: dict[str, str] = {}
    # A package may have several versions, for different Pythons.
    for pin in _PIN.finditer(lock.read_text(encoding="utf-8")):
        name = normalized(pin[1])
        lines[name] = lines.get(name, "") + pin[0]
    return lines


def pinned(lock: Path, packages: Iterable[str]) -> str:
    """Return the lines of a lock file that pin some packages.

    Args:
        lock: The lock file.
        packages: The names of the packages, in any spelling.

    Raises:
        ScriptError: The lock file does not pin one of them.
    """
    lines = pins(lock)
    for package in packages:
        if normalized(package) not in lines:
            raise ScriptError(f"{lock.name} does not pin {package}: add it to {lock.stem}.in and run `make lock`")
    return "".join(lines[normalized(package)] for package in packages)


def normalized(name: str) -> str:
    """Return the normalized spelling of a package's name.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Print the lines of the packages on the command line.

    Raises:
        ScriptError: The lock file does not pin a package.
    """
    print(pinned(Path(sys.argv[1]), sys.argv[2:]), end="")


if __name__ == "__main__":
    sys.exit(exit_status(main))
