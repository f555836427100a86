"""Pauses of coverage, which costs a third of the time of all code that runs meanwhile, libraries included."""

import functools
import sys
import threading
from contextlib import contextmanager


def _is_of_coverage(trace):
    """Return whether it is coverage that traces. A debugger keeps its trace function."""
    return type(trace).__module__.startswith("coverage")


@contextmanager
def paused():
    """Turn tracing off for this thread and new ones.

    The marker of pytest-cov does that too, but each of its pauses costs more than the one before.
    """
    of_this_thread, of_new_threads = sys.gettrace(), threading.gettrace()
    if not _is_of_coverage(of_this_thread):
        yield
        return
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        sys.settrace(of_this_thread)
        threading.settrace(of_new_threads)


def unmeasured(function):
    """Turn tracing off for this thread during each call of a function that calls nothing of tasks/.

    Code of tasks/ may call the function: its next lines are measured again.
    """

    @functools.wraps(function)
    def run(*args, **kwargs):
        trace = sys.gettrace()
        if not _is_of_coverage(trace):
            return function(*args, **kwargs)
        sys.settrace(None)
        try:
            return function(*args, **kwargs)
        finally:
            sys.settrace(trace)

    return run
