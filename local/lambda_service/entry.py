"""The entry point of a sandbox's process: it watches the parent process and runs awslambdaric.

Arguments: the lifeline's file descriptor, the folder that holds awslambdaric, the function's handler.
"""

import os
import runpy
import signal
import sys
import threading


def end_with_parent(lifeline: int) -> None:
    """Kill this process and its children once the parent has ended, for whatever reason."""
    # Nothing is ever written to the lifeline: the read returns when the parent's end is closed.
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the function under awslambdaric; it can import its own code, the standard library and awslambdaric."""
    lifeline, client, handler = sys.argv[1:]
    os.set_inheritable(int(lifeline), False)
    threading.Thread(target=end_with_parent, args=(int(lifeline),), daemon=True).start()
    sys.path[:] = [os.getcwd(), *sys.path, client]
    sys.argv[1:] = [handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


main()
