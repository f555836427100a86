"""The one error of these scripts, and how a person gets to see it."""

import sys
from collections.abc import Callable


class ScriptError(Exception):
    """Something the caller can put right; the message is one sentence that says what."""


def exit_status(main: Callable[[], None]) -> int:
    """Run a command; show a `ScriptError` as one line.

    Args:
        main: the command, which returns nothing.

    Returns:
        The process's exit status: 0, or 1 after an error.
    """
    try:
        main()
    except ScriptError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
