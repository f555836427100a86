"""Run a command and list the processes that it leaves behind: `python -m tests.support.subreaper COMMAND...`.

Orphans of the command become children of this process, so it finds them all. It forwards SIGINT and SIGTERM. The last
line of its output is JSON: the exit status, and the command line of each remaining process, which it then kills.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_SECONDS = 2


def main():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # A process group of its own, like the foreground job of a terminal: Ctrl-C reaches all of the group.
    with subprocess.Popen(sys.argv[1:], process_group=0) as command:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: os.killpg(command.pid, received))
        status = command.wait()
    # A process that was killed a moment ago may still be alive.
    end = time.monotonic() + PATIENCE_SECONDS
    while (left := dict(children())) and time.monotonic() < end:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    print(json.dumps({"status": status, "left": list(left.values())}), flush=True)


def children():
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            yield int(folder.name), " ".join(words).strip()


if __name__ == "__main__":
    main()
