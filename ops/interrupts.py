"""Ctrl-C between two steps, and never within one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_step() -> Iterator[None]:
    """Let a block end before Ctrl-C takes effect.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C during the block.
    """
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
