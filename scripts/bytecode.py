"""Bytecode for the Python that the functions run on, when that Python is at hand.

`/var/task` is read-only, so a function without bytecode in its zip compiles every module again at every cold start.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.errors import ScriptError

# The default of Terraform's `runtime`; bytecode of another minor version would be ignored there.
RUNTIME_VERSION = "3.13"

_COMPILER = Path(__file__).with_name("compile_tree.py")


def runtime_python() -> Path | None:
    """Find an interpreter of `RUNTIME_VERSION` that really runs; None where there is none."""
    return next((python for python in _candidates() if _is_runtime(python)), None)


def compile_tree(python: Path, root: Path, folder: str = ".") -> None:
    """Compile each module below `root/folder` into the `__pycache__` beside it.

    Args:
        python: the interpreter, see `runtime_python`.
        root: what will be unpacked at `/var/task`.
        folder: the part of it to compile.

    Raises:
        ScriptError: a module does not compile.
    """
    # Isolated and without site packages: what else is imported would show in the bytecode's reference flags.
    command = [python, "-I", "-S", _COMPILER, root, folder]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ScriptError(f"Python {RUNTIME_VERSION} cannot compile the package:\n{finished.stderr.strip()}")


def _candidates() -> Iterator[Path]:
    name = f"python{RUNTIME_VERSION}"
    for folder in os.get_exec_path():
        found = shutil.which(name, path=folder)
        if found:
            yield Path(found)
    # pyenv's shim on the PATH refuses to run a version that is installed but not selected.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{RUNTIME_VERSION}.*/bin/{name}"), reverse=True)


def _is_runtime(python: Path) -> bool:
    script = "import sys; print(sys.implementation.cache_tag)"
    try:
        finished = subprocess.run([python, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return finished.stdout.strip() == f"cpython-{RUNTIME_VERSION.replace('.', '')}"
