"""`python launcher.py COMMAND ...`: runs a command and prints what it took, as JSON in the last line.

A process of its own, and a small one: a child's peak memory counts from what its parent held when it was started.
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
        # wait4 tells of this child alone, where getrusage(RUSAGE_CHILDREN) tells the most of all so far.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    taken = {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_mb": peak / 1_000_000}
    print(json.dumps(taken))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
