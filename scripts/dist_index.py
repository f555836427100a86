"""`dist/packages.json`: the packages of the last `make dist`, which are all zips in `dist/`."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import ScriptError


@dataclass(frozen=True)
class Package:
    """One task's zip.

    Attributes:
        task: The task's name.
        hash: The hash of its content, see `scripts.archive.content_hash`.
        zip: The name of the file in `dist/`.
        sha256: SHA-256 of the zip, in hex.
        bytes: The size of the zip.
    """

    task: str
    hash: str
    zip: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Index:
    """All packages of one build, by task."""

    packages: tuple[Package, ...]

    @property
    def hash(self) -> str:
        """The hash of a single package, or else a hash over all packages."""
        if len(self.packages) == 1:
            return self.packages[0].hash
        return hashlib.sha256("".join(f"{item.hash} {item.task}\n" for item in self.packages).encode()).hexdigest()


def write_index(dist: Path, packages: Iterable[Package]) -> None:
    """Write `packages.json`."""
    index = Index(tuple(packages))
    tasks = {
        item.task: {"hash": item.hash, "zip": item.zip, "sha256": item.sha256, "bytes": item.bytes}
        for item in index.packages
    }
    text = json.dumps({"hash": index.hash, "tasks": tasks}, indent=2) + "\n"
    (dist / "packages.json").write_text(text, encoding="utf-8")


def read_index(dist: Path, task: str = "") -> Index:
    """Read `packages.json`.

    Args:
        dist: The folder.
        task: The only task that it should name, or "" for any.

    Raises:
        ScriptError: Nothing is built yet, or other tasks are.
    """
    try:
        tasks = json.loads((dist / "packages.json").read_text(encoding="utf-8"))["tasks"]
        index = Index(tuple(Package(task=name, **package) for name, package in tasks.items()))
    except FileNotFoundError as error:
        raise ScriptError("dist/ holds no packages yet: run `make dist` first") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ScriptError("dist/packages.json is damaged: run `make dist` again") from error
    if task and list(tasks) != [task]:
        raise ScriptError(f"dist/ holds {', '.join(tasks)}, not {task} alone: run `make dist TASK={task}` first")
    return index
