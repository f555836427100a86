"""The error of these scripts, and its output."""

import sys
from collections.abc import Callable


class ScriptError(Exception):
    """An error that the caller can fix; the message is one sentence."""


def exit_status(main: Callable[[], None]) -> int:
    """Run a command, and print a `ScriptError` as one line.

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
    return 0
