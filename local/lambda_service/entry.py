"""What runs first in a sandbox: it ties the sandbox's life to its parent's and hands over to awslambdaric.

Arguments: the lifeline's file descriptor, the folder that holds awslambdaric, the function's handler.
"""

import os
import runpy
import signal
import sys
import threading


def end_with_parent(lifeline: int) -> None:
    """End this process and its children once the parent is gone, however it went."""
    # Nobody ever writes to the lifeline: reading returns when its other end is closed.
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the function under awslambdaric, with its own code, the standard library and awslambdaric in reach."""
    lifeline, client, handler = sys.argv[1:]
    os.set_inheritable(int(lifeline), False)
    threading.Thread(target=end_with_parent, args=(int(lifeline),), daemon=True).start()
    sys.path[:] = [os.getcwd(), *sys.path, client]
    sys.argv[1:] = [handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


main()
