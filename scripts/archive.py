"""A folder as a zip, and its content as a hash: both the same whenever and wherever they are made."""

import hashlib
import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

# The earliest date that a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)

# A regular file that everyone may read, as Lambda's own user has to.
_MODE = 0o100644 << 16

# What `ZipInfo` calls Unix; its default is the system that the build runs on.
_UNIX = 3


def content_hash(folder: Path, *, runtime_version: str) -> str:
    """Hash names and bytes of a package's files.

    Bytecode is left out, so that the hash is the same whether or not the runtime's Python was there to compile.

    Args:
        folder: the unpacked package.
        runtime_version: the Python that it is made for, as in "3.13".

    Returns:
        SHA-256 in hex.
    """
    digest = hashlib.sha256(f"python {runtime_version}\n".encode())
    for name in _names(folder):
        if not name.endswith(".pyc"):
            digest.update(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()} {name}\n".encode())
    return digest.hexdigest()


def write_zip(folder: Path, file: Path) -> None:
    """Write a folder's files as a zip, in place of any that is there once the new one is whole."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    with ZipFile(unfinished, "w") as archive:
        for name in _names(folder):
            entry = ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, (folder / name).read_bytes(), ZIP_DEFLATED, 9)
    os.replace(unfinished, file)


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
