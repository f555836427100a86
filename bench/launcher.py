"""`python launcher.py COMMAND ...`: run a command and print its time and memory, as JSON in the last line.

A small process of its own, because a child's peak memory includes its parent's memory at the fork.
"""

import json
import os
import subprocess
import sys
import time


def main() -> int:
    """Run the command in the arguments."""
    started = time.perf_counter()
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT) as process:
        # wait4 returns the usage of this child; getrusage(RUSAGE_CHILDREN) would return the maximum of all children.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    measures = {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_mb": peak / 1_000_000}
    print(json.dumps(measures))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
