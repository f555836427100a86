"""Threads that work side by side, and whose results one thread takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

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


class Ahead(Generic[Result]):
    """The items of an iterator, which another thread takes before they are used.

    Args:
        items: the iterator; None is no item.
        most: the most items that wait to be used; at least 2.
        executor: has a thread for it until the items end, or until `stop`.
    """

    def __init__(self, items: Iterator[Result], most: int, executor: Executor) -> None:
        self._items = items
        self._waiting: Queue[Result | None] = Queue(most)
        self._is_stopped = False
        self._work = executor.submit(self._take)

    def __iter__(self) -> Iterator[Result]:
        while (item := self._waiting.get()) is not None:
            yield item
        self._work.result()

    def stop(self) -> None:
        """Take no more items."""
        self._is_stopped = True
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()

    def _take(self) -> None:
        try:
            for item in self._items:
                self._waiting.put(item)
                if self._is_stopped:
                    break
        finally:
            self._waiting.put(None)
