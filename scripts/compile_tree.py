"""Compile a package's modules: `python -I -S compile_tree.py ROOT FOLDER`, run by the Lambda runtime's own Python.

Alone in its file and on nothing but the standard library, because that Python has none of this project installed.
"""

import sys
from pathlib import Path
from py_compile import PycInvalidationMode, PyCompileError
from py_compile import compile as compile_module

# Where Lambda unpacks a zip: tracebacks name it, and no path of the machine that built gets into the zip.
UNPACKED_AT = "/var/task"


def compile_tree(root: Path, folder: str) -> None:
    """Compile each module below `root/folder`, in an order and under names that are the same everywhere."""
    for module in sorted((root / folder).rglob("*.py")):
        # Unchecked: the zip's dates mean nothing, and the sources beside the bytecode cannot change.
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
