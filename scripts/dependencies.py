"""A task's dependencies in its zip: locked by hash, pure Python, and without files that no function uses."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.bytecode import RUNTIME_VERSION, compile_tree
from scripts.errors import ScriptError
from scripts.pins import pinned

# Only platform-independent wheels, so that one zip runs on arm64 and x86_64.
_PURE_PYTHON = ["--only-binary=:all:", "--implementation=py", "--abi=none", "--platform=any"]

# `bin` holds programs, `examples` texts, and `swagger_ui` a web page of Powertools' HTTP event handler.
_UNUSED_FOLDERS = frozenset({"__pycache__", "bin", "examples", "swagger_ui", "test", "tests"})

# pip's records of the installation, which differ between machines and runs.
_INSTALLER_FILES = frozenset({"INSTALLER", "RECORD", "REQUESTED", "WHEEL", "direct_url.json"})

_UNUSED_FILES = frozenset({"examples-1.json", "py.typed"})

_SERVICES = re.compile(r"^# botocore services:(.*)$", re.MULTILINE)

# Parts of a dependency that a task never imports, as path patterns.
_LEFT_OUT = re.compile(r"^# left out:(.*)$", re.MULTILINE)


def installed(root: Path, task: str, *, python: Path | None) -> Path:
    """Install a task's dependencies, unless an earlier build did.

    Args:
        root: The checkout.
        task: The task's name.
        python: The interpreter that compiles them; None leaves the bytecode out.

    Returns:
        A folder below `build/.cache` with the files for the root of the zip. It is shared, so do not write to it.

    Raises:
        ScriptError: pip cannot install them, or the requirements are invalid.
    """
    cached = root / "build" / ".cache" / _cache_key(root, task, python=python)
    if not cached.is_dir():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix="unfinished-") as unfinished:
            folder = Path(unfinished) / "site"
            _install(root, task, folder)
            if python:
                compile_tree(python, folder)
            # One atomic step, so that an interrupted build leaves no incomplete folder under the final name.
            folder.rename(cached)
    return cached


def _requirements(task: str) -> Path:
    return Path("tasks", task, "requirements.txt")


def _cache_key(root: Path, task: str, *, python: Path | None) -> str:
    # The requirements, and the modules that trim and compile the packages.
    recipe = [Path(__file__).with_name(f"{name}.py") for name in ("bytecode", "compile_tree", "dependencies", "pins")]
    files = [root / "requirements.txt", root / _requirements(task), *recipe]
    texts = [file.read_bytes() for file in files] + [str(python).encode()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _install(root: Path, task: str, folder: Path) -> None:
    print(f"{task}: installing its dependencies", file=sys.stderr)
    services = _services(root, task)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(_locked(root, task))
        requirements.flush()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
        which = ["--require-hashes", "--requirement", requirements.name, *_PURE_PYTHON]
        target = [f"--python-version={RUNTIME_VERSION}", "--target", str(folder)]
        finished = subprocess.run([*pip, *which, *target], stderr=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise ScriptError(f"pip cannot install {task}'s dependencies:\n{finished.stderr.strip()}")
    _remove_unused_services(folder, services)
    _remove_listed_parts(root, task, folder)
    _remove_unused_files(folder)


def _services(root: Path, task: str) -> list[str]:
    file = _requirements(task)
    declared = _SERVICES.search((root / file).read_text(encoding="utf-8"))
    if not declared:
        raise ScriptError(f"{file} lacks the line that lists its AWS services, such as: # botocore services: s3")
    return declared[1].split()


def _locked(root: Path, task: str) -> str:
    lines = (root / _requirements(task)).read_text(encoding="utf-8").splitlines()
    return pinned(root / "requirements.txt", [line for line in lines if line and not line.startswith("#")])


def _remove_unused_services(folder: Path, services: list[str]) -> None:
    # botocore describes about 400 services in 25 MB. The JSON files beside the folders apply to all services.
    botocore = folder / "botocore" / "data"
    for service in services:
        if not (botocore / service).is_dir():
            raise ScriptError(f'the requirements list the AWS service "{service}", which botocore does not have')
    for described in [*botocore.glob("*/"), *(folder / "boto3" / "data").glob("*/")]:
        if described.is_dir() and described.name not in services:
            shutil.rmtree(described)


def _remove_listed_parts(root: Path, task: str, folder: Path) -> None:
    file = _requirements(task)
    for line in _LEFT_OUT.findall((root / file).read_text(encoding="utf-8")):
        for pattern in line.split():
            found = list(folder.glob(pattern))
            if not found:
                raise ScriptError(f"{file} leaves out {pattern}, which does not exist")
            for path in found:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _remove_unused_files(folder: Path) -> None:
    for unused in [path for path in folder.rglob("*") if path.is_dir() and path.name in _UNUSED_FOLDERS]:
        shutil.rmtree(unused, ignore_errors=True)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        from_pip = file.parent.suffix == ".dist-info" and file.name in _INSTALLER_FILES
        if from_pip or file.name in _UNUSED_FILES:
            file.unlink()
