"""Scheduled calls, made by one thread that ends with its owner."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Clock:
    """A scheduler of calls. Its thread starts with the first call and ends with `stop`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[tuple[float, Callable[[], None]]] = []
        self._thread: threading.Thread | None = None
        self._stopped = False

    def call_later(self, seconds: float | None, call: Callable[[], None]) -> None:
        """Schedule a call in some seconds; with None only `run_all` makes it."""
        with self._changed:
            if self._stopped:
                return
            due = float("inf") if seconds is None else time.monotonic() + seconds
            self._calls.append((due, call))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="clock of the patches", daemon=True)
                self._thread.start()
            self._changed.notify()

    def run_all(self) -> None:
        """Make every scheduled call now, in this thread."""
        for call in self._pop_due(float("inf")):
            call()

    def stop(self) -> None:
        """Drop every scheduled call and end the thread."""
        with self._changed:
            self._stopped = True
            self._calls.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _pop_due(self, now: float) -> list[Callable[[], None]]:
        with self._changed:
            due = sorted((entry for entry in self._calls if entry[0] <= now), key=lambda entry: entry[0])
            self._calls = [entry for entry in self._calls if entry[0] > now]
        return [call for _, call in due]

    def _run(self) -> None:
        while not self._stopped:
            for call in self._pop_due(time.monotonic()):
                _make(call)
            with self._changed:
                if not self._stopped:
                    self._changed.wait(self._seconds_to_next())

    def _seconds_to_next(self) -> float | None:
        next_due = min((due for due, _ in self._calls), default=float("inf"))
        return None if next_due == float("inf") else max(0.0, next_due - time.monotonic())


def _make(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:  # pylint: disable=broad-exception-caught  # whatever the failure, the other calls must be made
        logger.exception("A scheduled call failed")
