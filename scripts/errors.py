"""The error of these scripts, and its output."""

import os
import sys
from collections.abc import Callable
from pathlib import Path


class ScriptError(Exception):
    """An error that the caller can fix; the message is one sentence."""


def exit_status(main: Callable[[], None]) -> int:
    """Run a command, and print a `ScriptError`, or an error of the file system, as one line.

    Args:
        main: The command.

    Returns:
        The exit status of the process: 0, or 1 after an error.
    """
    try:
        main()
    except ScriptError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _sentence(error: OSError) -> str:
    names = [os.path.relpath(name) for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)]
    if isinstance(error, FileExistsError | NotADirectoryError):
        for place in (place for name in names for place in (Path(name), *Path(name).parents)):
            if os.path.lexists(place) and not place.is_dir():
                return f"{place} is not a folder and should be one: move it away"
    if isinstance(error, IsADirectoryError):
        return f"{names[-1]} is a folder and should be a file: move it away"
    return f"{error.strerror}: {' -> '.join(names)}"
