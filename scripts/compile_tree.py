"""Compile a package's modules: `python -I -S compile_tree.py ROOT FOLDER`, run by the Lambda runtime's own Python.

A file of its own that imports only the standard library, because that Python does not have this project's packages.
"""

import sys
from pathlib import Path
from py_compile import PycInvalidationMode, PyCompileError
from py_compile import compile as compile_module

# Lambda unpacks zips here. Tracebacks show this path, and the zip holds no path of the build machine.
UNPACKED_AT = "/var/task"


def compile_tree(root: Path, folder: str) -> None:
    """Compile each module below `root/folder`, with the same order and paths on every machine."""
    for module in sorted((root / folder).rglob("*.py")):
        # Unchecked, because the dates in the zip are constant and the sources cannot change.
        compile_module(
            str(module),
            dfile=f"{UNPACKED_AT}/{module.relative_to(root).as_posix()}",
            doraise=True,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    try:
        compile_tree(Path(sys.argv[1]), sys.argv[2])
    except PyCompileError as refused:
        sys.exit(refused.msg.strip())
