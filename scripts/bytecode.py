"""Bytecode for the functions' Python, if that Python is installed.

`/var/task` is read-only, so a function without bytecode in its zip compiles every module at every cold start.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.errors import ScriptError

# The default of Terraform's `runtime`. It ignores bytecode of another minor version.
RUNTIME_VERSION = "3.13"

_COMPILER = Path(__file__).with_name("compile_tree.py")


def runtime_python() -> Path | None:
    """Return an interpreter of `RUNTIME_VERSION` that runs; None if there is none."""
    return next((python for python in _candidates() if _is_runtime(python)), None)


def compile_tree(python: Path, root: Path, folder: str = ".") -> None:
    """Compile each module below `root/folder` into the `__pycache__` beside it.

    Args:
        python: The interpreter, see `runtime_python`.
        root: The folder that Lambda unpacks at `/var/task`.
        folder: The part of it to compile.

    Raises:
        ScriptError: A module does not compile.
    """
    # Isolated and without site packages, because other imported modules change the reference flags in the bytecode.
    command = [str(python), "-I", "-S", str(_COMPILER), str(root), folder]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ScriptError(f"Python {RUNTIME_VERSION} cannot compile the package:\n{finished.stderr.strip()}")


def _candidates() -> Iterator[Path]:
    name = f"python{RUNTIME_VERSION}"
    for folder in os.get_exec_path():
        found = shutil.which(name, path=folder)
        if found:
            yield Path(found)
    # pyenv's shim on the PATH does not run a version that is installed but not selected.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{RUNTIME_VERSION}.*/bin/{name}"), reverse=True)


def _is_runtime(python: Path) -> bool:
    script = "import sys; print(sys.implementation.cache_tag)"
    try:
        finished = subprocess.run([python, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return finished.stdout.strip() == f"cpython-{RUNTIME_VERSION.replace('.', '')}"
