"""The files that a command writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ops.errors import OpsError


@contextmanager
def output_file(file: Path) -> Iterator[TextIO]:
    """Yield a file that gets its name when the block ends; if the block fails, the name keeps what it had.

    A device or a pipe is written directly.

    Raises:
        OpsError: it cannot be written.
    """
    is_direct = file.exists() and not file.is_file()
    target = file if is_direct else file.resolve()
    unfinished = file if is_direct else target.with_name(f"{target.name}.unfinished")
    try:
        opened = open(unfinished, "w", encoding="utf-8", newline="")
    except OSError as error:
        raise OpsError(f"{file} cannot be written: {error.strerror}") from error
    try:
        with opened:
            yield opened
        if not is_direct:
            os.replace(unfinished, target)
    except BaseException:
        if not is_direct:
            unfinished.unlink(missing_ok=True)
        raise
