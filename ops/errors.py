"""The errors and exit statuses of `brigade`."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit status of `brigade`.

    Attributes:
        DONE: everything is equal, or done.
        DIFFERENT: there are differences, or dead letters.
        FAILED: the command could not be carried out.
        INTERRUPTED: Ctrl-C ended it; 128 plus the signal's number, as shells have it.
        PIPE_CLOSED: the program that read the output has ended, in the same way.
    """

    DONE = 0
    DIFFERENT = 1
    FAILED = 2
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class OpsError(Exception):
    """The command cannot be carried out; the message is one sentence for the user."""
