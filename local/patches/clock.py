"""Calls that are to be made later, by one thread that ends with its owner."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Clock:
    """Makes calls when their time has come; starts its thread with the first and ends it with `stop`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[tuple[float, Callable[[], None]]] = []
        self._thread: threading.Thread | None = None
        self._stopped = False

    def call_later(self, seconds: float | None, call: Callable[[], None]) -> None:
        """Make a call after some seconds, or with None only when `run_all` is called."""
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
        """Make every waiting call now, in this thread."""
        for call in self._take_due(float("inf")):
            call()

    def stop(self) -> None:
        """Forget every waiting call and end the thread."""
        with self._changed:
            self._stopped = True
            self._calls.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _take_due(self, now: float) -> list[Callable[[], None]]:
        with self._changed:
            due = sorted((entry for entry in self._calls if entry[0] <= now), key=lambda entry: entry[0])
            self._calls = [entry for entry in self._calls if entry[0] > now]
        return [call for _, call in due]

    def _run(self) -> None:
        while not self._stopped:
            for call in self._take_due(time.monotonic()):
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
    except Exception:  # pylint: disable=broad-exception-caught
        # Whatever one call fails of: the others are still to be made.
        logger.exception("What was to happen now did not")
