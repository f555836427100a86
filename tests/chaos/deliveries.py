"""Events on their way from S3 to the tasks: some come twice, some come late, and so they come in another order."""

import random
import threading
from collections import Counter
from contextlib import contextmanager
from unittest.mock import patch

from moto.s3 import notifications

# Moto's function that sends a notification of S3 to a queue.
SEND = "_send_sqs_message"
# The share of the events that come as they were sent.
CALM_SHARE = 0.8
LONGEST_DELAY = 4.0


class Deliveries:
    """The events of the run.

    Args:
        aws: the `EmbeddedAws`.
        seed: equal seeds give the n-th event the same chance.

    Attributes:
        is_calm: whether each event comes once and at once.
        counts: how many events came twice, and how many came late.
    """

    def __init__(self, aws, seed):
        self.is_calm = True
        self.counts = Counter()
        self._aws = aws
        self._seed = seed
        self._lock = threading.Lock()
        self._events = self._waiting = 0

    @property
    def waiting(self):
        """The number of events that are late."""
        with self._lock:
            return self._waiting

    @contextmanager
    def disturbed(self):
        """Disturb the events of EventBridge and of S3's notifications until the block ends."""
        invoke, send = self._aws.lambda_invoker, vars(notifications)[SEND]

        def invoke_some_time(function, payload, kind):
            if kind != "Event":
                return invoke(function, payload, kind)
            self._deliver(lambda: invoke(function, payload, kind))
            return 202, {}, b""

        self._aws.lambda_invoker = invoke_some_time
        try:
            with patch.object(notifications, SEND, lambda *what: self._deliver(lambda: send(*what))):
                yield self
        finally:
            self._aws.lambda_invoker = invoke

    def _deliver(self, call):
        for delay in self._delays():
            if delay:
                self._aws.hooks.clock.call_later(delay, lambda: self._late(call))
            else:
                call()

    def _delays(self):
        """Return the seconds until each delivery of the next event."""
        with self._lock:
            self._events += 1
            dice = random.Random(f"{self._seed} event {self._events}")
            if self.is_calm or dice.random() < CALM_SHARE:
                return (0,)
            late = dice.uniform(0.1, LONGEST_DELAY)
            delays = dice.choice([(late,), (late,), (0, 0), (0, late)])
            self.counts["late"] += late in delays
            self.counts["twice"] += len(delays) == 2
            self._waiting += sum(delay > 0 for delay in delays)
            return delays

    def _late(self, call):
        try:
            call()
        finally:
            with self._lock:
                self._waiting -= 1
