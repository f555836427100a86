"""The work queues of a run: how much work waits, and the wait until none is left."""

import time

from tests.chaos.changes import ARCHIVE, MIRROR, UPLOADS

WORK = (MIRROR, ARCHIVE, UPLOADS, "recheck")
COUNTS = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
# Without work for so long, no function is still about to send a message.
QUIET_SECONDS = 2.0
POLL_SECONDS = 0.2
SAY_SECONDS = 10
# A message that failed often comes back after a quarter of an hour, one of a killed function only after its visibility
# timeout of six minutes; then comes the work itself.
STUCK_SECONDS = 25 * 60


class StuckError(AssertionError):
    """Messages wait too long."""


def counts(stage):
    """Return the number of messages of each queue: to be received, in flight and delayed."""
    sqs, found = stage.aws.client("sqs"), {}
    for name in WORK:
        answer = sqs.get_queue_attributes(QueueUrl=stage.queue(name), AttributeNames=COUNTS)["Attributes"]
        found[name] = sum(int(answer[count]) for count in COUNTS)
    return found


def wait_below(stage, most):
    """Wait until fewer messages than `most` wait, rechecks aside."""
    _wait(stage, lambda: sum(found for name, found in counts(stage).items() if name != "recheck") < most)


def wait_until_empty(stage, say):
    """Wait until no message and no late event is left, and none comes; say sometimes how many are left."""
    quiet_since = said = time.monotonic()

    def is_quiet():
        nonlocal quiet_since, said
        left = counts(stage)
        if stage.deliveries.waiting or sum(left.values()):
            quiet_since = time.monotonic()
        if quiet_since > said + SAY_SECONDS:
            said = quiet_since
            say(f"messages left: {left}")
        return time.monotonic() > quiet_since + QUIET_SECONDS

    _wait(stage, is_quiet)


def _wait(stage, condition):
    until = time.monotonic() + STUCK_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise StuckError(f"messages are left in the queues: {counts(stage)}")
        time.sleep(POLL_SECONDS)
