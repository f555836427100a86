"""Random histories of a few keys, mirrored by real processes that are killed, over a network with faults.

A `History` draws its choices from a seed and its number: changes of the source, deliveries of their messages, and the
fault of each request. At the end all held requests land, the messages that are left are delivered without faults, and
then the requested rechecks. After that the mirror has to equal the source.

Assumptions, beside those of `tests.support.network`: a request of a killed worker lands before its message is visible
again (90 minutes), and any other request before its recheck is due (15 minutes).

`python -m tests.partition_replicate.processes.histories SEED NUMBER` repeats one history. Its choices are the same as
long as the same messages come back, which may depend on the faster one of two workers. A third argument is the number
of histories to run from there, a fourth the planted error, a key of `container.PLANTED`.
"""

import itertools
import sys
import threading
import time
import traceback
from collections import Counter

from tests.partition_replicate.events import event_of
from tests.partition_replicate.processes.checks import Checks, Failure
from tests.partition_replicate.processes.deliveries import Deliveries, Report
from tests.partition_replicate.processes.draws import AFTER_A_LOSS, BEFORE_A_LOSS, CHANGES, Draws
from tests.partition_replicate.processes.messages import Delivery, Message
from tests.partition_replicate.processes.sides import Sides, SourceChanges
from tests.partition_replicate.processes.stage import Stage
from tests.support.network import Fault, Held

# After this many deliveries without faults no message may be left.
LAST_ROUNDS = 12
# A run ends after this many failed histories: more of them say nothing new.
MOST_FAILURES = 3


class History:  # pylint: disable=too-many-instance-attributes,too-few-public-methods  # it has many parts, and runs
    """One history.

    Args:
        stage: a `Stage`.
        seed: a text.
        number: the number of the history among those of this seed.

    Attributes:
        report: the `Report` of the history.
    """

    def __init__(self, stage, seed, number):
        self._name = f"{seed}-{number}"
        self._draws = Draws(self._name)
        setting = self._draws.setting
        self.report = Report([f"settings {tuple(setting)}{', calm' if self._draws.is_calm else ''}"])
        self._stage = stage
        self._sides = Sides(stage.s3, setting, f"{self._name}/")
        self._changes = SourceChanges(self._sides, setting.source == "versions", self._send_event)
        self._checks = Checks(stage, self._sides, setting, self._changes.removed_for_good)
        self._held = Held(stage.network)
        self._deliveries = Deliveries(stage, setting, self._name, self._held, self.report)
        self._messages = []
        self._rechecks = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def run(self):
        """Play the history and check its end.

        Raises:
            Failure: the mirror differs from the source, or messages, uploads or other work are left.
        """
        self._stage.log.truncate(0)
        try:
            for _ in range(self._draws.number_of_steps()):
                self._step()
            self._end()
        except Failure:
            if not self._checks.server_contradicts_itself():
                raise
            self.report.counts["contradictions"] += 1
        finally:
            self.report.counts["late"] = sum(status < 300 for _, status in self._held.landed)
            self.report.counts["repeated"] = self._checks.repeated
            self._stage.forget(self._sides.prefix)

    def _step(self):
        step, key = self._draws.step()
        if step == "change":
            self._change(key, self._draws.change(CHANGES))
        elif step == "land":
            self._land()
        elif step == "lose a write" and not self._draws.is_calm:
            self._lose_a_write(key)
        elif deliverable := self._deliverable():
            number = self._draws.number_of_deliveries()
            drawn = [self._draws.delivery(deliverable, self._change, waits=number > 1) for _ in range(number)]
            self._deliver(drawn)

    def _lose_a_write(self, key):
        """Hold the first write of a delivery, let its repetition pass, and mirror a later change as well."""
        for changes, plan in ((BEFORE_A_LOSS, {("write", 1): Fault("held")}), (AFTER_A_LOSS, {})):
            self._change(key, self._draws.change(changes))
            if deliverable := self._deliverable():
                self._deliver([Delivery(deliverable[-1:], plan)])

    def _change(self, key, change, content=None):
        with self._lock:
            self._changes.make(key, change, self._draws.content() if content is None else content)

    def _send_event(self, key, name, **about):
        event = event_of(self._sides.source, self._sides.prefix + key, name, **about)
        message = Message.of_event(event, f"{self._name}-m{next(self._numbers)}")
        self.report.story.append(f"{message.id}: {name} {key!r} {about}")
        self._messages.append(message)

    def _deliverable(self):
        return [message for message in self._messages if not message.is_invisible]

    def _deliver(self, deliveries, function="replicate"):
        """Deliver batches, and return the messages that are done."""
        done = self._deliveries.deliver(deliveries, function)
        self._messages = [one for one in self._messages if one not in done]
        self._messages += map(Message.of_queue, self._stage.take(self._stage.queue, self._sides.prefix))
        return done

    def _land(self):
        """Land all held requests. Then invisible messages are visible again, and rechecks are due."""
        if self._held.waiting:
            self.report.story.append(f"land {[request.line.decode() for request, _ in self._held.waiting]}")
        self._held.land()
        for message in self._messages:
            message.is_invisible = False
        self._rechecks += map(Message.of_queue, self._stage.take(self._stage.recheck_queue, self._sides.prefix))
        if self._rechecks and not self._draws.is_calm:
            self.report.story.append(f"{len(self._rechecks)} rechecks are due")
            done = self._deliver([Delivery(list(self._rechecks))], function="enqueue")
            self._rechecks = [message for message in self._rechecks if message not in done]

    def _end(self):
        self._deliver_the_rest()
        if self._draws.is_calm:
            self._check_keys()
            # From here on rechecks are delivered too.
            self._draws.is_calm = False
            self._deliver_the_rest()
        self._check_keys()
        self._checks.check_nothing_is_left()

    def _check_keys(self):
        self._checks.may_repeat = self._deliveries.was_ambiguous
        self._checks.check_keys()

    def _deliver_the_rest(self):
        for _ in range(LAST_ROUNDS):
            self._land()
            if not self._messages:
                return
            self._draws.shuffle(self._messages)
            self._deliver([Delivery(list(self._messages))])
        log = self._deliveries.log()
        raise Failure(f"{len(self._messages)} messages are not done after {LAST_ROUNDS} rounds: {log}")


def run(seed, first, count=1, planted=None):
    """Run histories one after the other, and print their results.

    Args:
        seed: a text.
        first: the number of the first history.
        count: how many histories to run. The run ends after `MOST_FAILURES`, or after the first one with `planted`.
        planted: a key of `container.PLANTED`, or None.

    Returns:
        The number of failed histories.
    """
    stage = Stage(planted)
    counts, failed, began = Counter(), 0, time.monotonic()
    try:
        for number in range(first, first + count):
            history = History(stage, seed, number)
            failed += not _passes(history, f"{seed} {number}")
            counts.update({"histories": 1, **history.report.counts})
            if failed == (1 if planted else MOST_FAILURES):
                break
    finally:
        stage.close()
    happened = ", ".join(f"{number} {what}" for what, number in counts.items())
    print(f"{failed} failed of {happened} in {time.monotonic() - began:.0f} s")
    return failed


def _passes(history, name):
    try:
        history.run()
        return True
    except Exception:  # pylint: disable=broad-exception-caught  # it is printed with the story
        print(f"HISTORY {name} failed; to repeat it:")
        print(f"    .venv/bin/python -m tests.partition_replicate.processes.histories {name}")
        print("\n".join(history.report.story))
        traceback.print_exc(file=sys.stdout)
        return False


if __name__ == "__main__":
    _, given_seed, *given = sys.argv
    sys.exit(bool(run(given_seed, *map(int, given[:2]), *given[2:])))
