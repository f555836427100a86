"""Threads that work side by side, and whose results one thread takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

Result = TypeVar("Result")

# Seconds after which a waiting thread sees that it has to stop; and Python handles Ctrl-C between two waits only.
PATIENCE = 0.2


class Stopped(Exception):
    """No more results are wanted."""


def side_by_side(
    work: Callable[[Callable[[Result], None]], None], number: int, *, stop: Callable[[], None]
) -> Iterator[Result]:
    """Yield the results of several threads, and end them when no more results are wanted.

    Args:
        work: what each thread calls; its argument takes a result, and raises `Stopped` if no more are wanted.
        number: the number of threads.
        stop: called once no more results are wanted, or all are there.

    Raises:
        Exception: the first error of a thread.
    """
    results: Queue[Result | Exception | None] = Queue(maxsize=2 * number)
    stopped = Event()

    def report(result: Result | Exception | None) -> None:
        while not stopped.is_set():
            with suppress(Full):
                return results.put(result, timeout=PATIENCE)
        raise Stopped

    def run() -> None:
        with suppress(Stopped):
            try:
                work(report)
                report(None)
            except Stopped:
                raise
            except Exception as error:  # pylint: disable=broad-exception-caught  # the other thread raises it
                report(error)

    threads = [Thread(target=run) for _ in range(number)]
    try:
        for thread in threads:
            thread.start()
        yield from _taken(results, number)
    finally:
        stopped.set()
        stop()
        for thread in threads:
            thread.join()


def _taken(results: Queue[Result | Exception | None], working: int) -> Iterator[Result]:
    while working:
        try:
            found = results.get(timeout=PATIENCE)
        except Empty:
            continue
        if isinstance(found, Exception):
            raise found
        if found is None:
            working -= 1
        else:
            yield found
