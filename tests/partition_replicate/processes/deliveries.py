"""Deliveries: batches of messages for workers that run at the same time and may be killed."""

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.partition_replicate.processes.checks import Failure
from tests.support.containers import answers_of
from tests.support.network import AMBIGUOUS, KILLS

# A container answers within this time, or the history fails.
PATIENCE_SECONDS = 60
# A container has few files and threads when it starts, and may hold at most these after a job.
MOST_FILES, MOST_THREADS = 60, 12


@dataclass
class Report:
    """What happened in a history: a line for each event, and how often it happened."""

    story: list = field(default_factory=list)
    counts: Counter = field(default_factory=lambda: Counter(deliveries=0, kills=0, late=0, faults=0))


class Deliveries:
    """Deliveries to the workers of one history.

    Args:
        stage: the `Stage`.
        setting: the `Setting` of the workers.
        name: the seed of the workers.
        held: the `Held` requests of the history.
        report: the `Report`.

    Attributes:
        was_ambiguous: whether a worker did not learn the result of a request.
    """

    def __init__(self, stage, setting, name, held, report):
        self.was_ambiguous = False
        self._stage = stage
        self._setting = setting
        self._name = name
        self._held = held
        self._report = report

    def deliver(self, deliveries, function="replicate"):
        """Pass batches to workers at the same time, and return the messages that are done."""
        self._report.counts["deliveries"] += len(deliveries)
        workers = [self._stage.worker(self._setting) for _ in deliveries]
        for worker, delivery in zip(workers, deliveries):
            self._send(worker, delivery, function)
        answers = answers_of([worker.container for worker in workers], PATIENCE_SECONDS)
        unfinished = []
        for worker, delivery, answer in zip(workers, deliveries, answers):
            unfinished += self._finish(worker, delivery, answer)
        sent = {message for delivery in deliveries for message in delivery.messages if message not in delivery.keeps}
        # A message is not done if any delivery of it is unfinished.
        return sent.difference(unfinished)

    def _send(self, worker, delivery, function):
        worker.line.begin(dict(delivery.plan), self._held)
        records = [message.receive() for message in delivery.messages]
        job = {"function": function, "event": {"Records": records}, "seconds": delivery.seconds}
        worker.container.send({**job, "seed": self._name, "planted": self._stage.planted})

    def _finish(self, worker, delivery, answer):
        """Close the worker or give it back, and return the messages that come back."""
        met = worker.line.met
        self._report.counts["faults"] += len(met)
        ids = ", ".join(message.id for message in delivery.messages)
        faults = met or "no fault"
        self._report.story.append(f"deliver {ids} in {delivery.seconds:.3f} s: {faults} -> {answer}")
        self.was_ambiguous = self.was_ambiguous or any(kind in AMBIGUOUS for kind, _ in met)
        is_killed = any(kind in KILLS for kind, _ in met)
        if answer is None:
            return self._bury(worker, delivery, is_killed)
        if "error" in answer:
            raise Failure(f"the handler raised: {answer['error']}")
        if is_killed:
            # The kill came after the answer.
            worker.close()
        else:
            self._stage.give_back(self._setting, worker)
        if answer["files"] > MOST_FILES or answer["threads"] > MOST_THREADS:
            raise Failure(f"a container holds {answer['files']} files and {answer['threads']} threads")
        failed = {one["itemIdentifier"] for one in answer["answer"]["batchItemFailures"]}
        return [message for message in delivery.messages if message.id in failed]

    def _bury(self, worker, delivery, is_killed):
        if not is_killed:
            raise Failure(f"a worker died without a kill: {self.log()}")
        self._report.counts["kills"] += 1
        _wait_until_quiet(worker)
        worker.close()
        for message in delivery.messages:
            message.is_invisible = True
        return delivery.messages

    def log(self):
        """Return the end of the workers' output."""
        self._stage.log.seek(0)
        return self._stage.log.read().decode(errors="replace")[-6000:]


def _wait_until_quiet(worker):
    """Wait until all requests of a dead container have ended, including those on connections not yet accepted."""
    end, quiet = time.monotonic() + PATIENCE_SECONDS, 0
    while quiet < 3:
        if time.monotonic() > end:
            lines = [request.line.decode() for request in worker.line.under_way]
            raise Failure(f"{worker.line.connections} connections of a dead worker stay open, requests {lines}")
        time.sleep(0.002)
        quiet = 0 if worker.line.connections else quiet + 1
