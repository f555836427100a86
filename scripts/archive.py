"""Reproducible zips, and the hash of a package's content."""

import hashlib
import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

# The earliest date that a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)

# A regular file that all users can read, because Lambda runs as another user.
_MODE = 0o100644 << 16

# Unix, in the terms of `ZipInfo`; its default depends on the build machine.
_UNIX = 3


def content_hash(folder: Path, *, runtime_version: str) -> str:
    """Hash names and bytes of a package's files.

    The hash ignores bytecode, so that it does not depend on the Pythons of the build machine.

    Args:
        folder: The unpacked package.
        runtime_version: The Python version of the package, as in "3.13".

    Returns:
        SHA-256 in hex.
    """
    digest = hashlib.sha256(f"python {runtime_version}\n".encode())
    for name in _names(folder):
        if not name.endswith(".pyc"):
            digest.update(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()} {name}\n".encode())
    return digest.hexdigest()


def write_zip(folder: Path, file: Path) -> None:
    """Write a folder's files as a zip; an existing one is replaced once the new one is complete."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    with ZipFile(unfinished, "w") as archive:
        for name in _names(folder):
            entry = ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, (folder / name).read_bytes(), ZIP_DEFLATED, 9)
    os.replace(unfinished, file)


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
