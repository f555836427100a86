"""A command in a terminal, as a person runs it."""

import os
import pty
import re
import subprocess
from contextlib import contextmanager

# What moves the cursor, colours and erases: ECMA-48, control sequences.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A running command whose output goes to a terminal.

    Attributes:
        process: the process.
        shown: all that it has shown so far, without control sequences.
    """

    def __init__(self, process, file):
        self.process = process
        self.shown = ""
        self._file = file

    def read_until(self, pattern):
        """Read until a pattern is shown, or until the command ends; return the match or None."""
        while not (found := re.search(pattern, self.shown)):
            if not self._read():
                return None
        return found

    def wait(self):
        """Read to the end; return the exit status."""
        while self._read():
            pass
        return self.process.wait()

    def _read(self):
        try:
            text = os.read(self._file, 65_536).decode(errors="replace")
        except OSError:
            # Linux has no other end of file for a terminal: pty(7).
            return ""
        self.shown += CONTROL.sub("", text)
        return text


@contextmanager
def terminal(words, folder, **variables):
    """Run a command in a terminal of 200 columns until the block ends; yield its `Terminal`.

    Args:
        words: the command line.
        folder: the working folder.
        variables: environment variables beside those of the tests.
    """
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200", **variables}
    with subprocess.Popen(
        # A shell that starts the tests in the background makes their children ignore Ctrl-C.
        ["env", "--default-signal=INT", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)
