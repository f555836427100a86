"""Reads all messages of a dead-letter queue and removes none.

SQS has no request that only reads. Each receive hides its messages until they are made visible again, and no other
receive returns them meanwhile. So the reader makes all of them visible again when it ends.

A FIFO queue returns no more messages of a group while some of them are hidden (Amazon SQS Developer Guide, "FIFO queue
delivery logic in Amazon SQS"). A receive returns ten messages at most, and may cut a group. So after the first pass the
reader makes each such group visible by itself, and receives it again. Only the first ten messages of a group can be
read: the others follow when these are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from ops.dead_letters import DeadLetter
from ops.interrupts import one_step
from ops.letter_queues import LetterQueue

# The most that one request of SQS takes or returns.
BATCH = 10
# As long as it takes to receive the 120,000 messages that a queue hides at most, and no longer for a reader that was
# killed.
HIDDEN_SECONDS = 300
# A long poll asks all servers of SQS; without it, an answer may be empty although the queue is not.
WAIT_SECONDS = 1


class LetterReader:
    """The dead letters of a queue, each once; at the end of the `with` block they are visible again.

    Args:
        sqs: a boto3 SQS client.
        queue: the queue.
    """

    def __init__(self, sqs: Any, queue: LetterQueue) -> None:
        self._sqs = sqs
        self._queue = queue
        self._seen: set[str] = set()
        # The id of each hidden message -> the handle of its receive, and its group.
        self._hidden: dict[str, tuple[str, str]] = {}
        self._cut: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with one_step():
            self._show(list(self._hidden))

    def __iter__(self) -> Iterator[DeadLetter]:
        while new := self._receive():
            yield from new
        for group in list(self._cut):
            with one_step():
                self._show([each for each, (_, its_group) in self._hidden.items() if its_group == group])
            yield from self._receive()

    def delete(self, letter: DeadLetter) -> None:
        """Remove a dead letter for good."""
        self._sqs.delete_message(QueueUrl=self._queue.url, ReceiptHandle=letter.receipt)
        self._hidden.pop(letter.id, None)

    def _receive(self) -> list[DeadLetter]:
        """Return messages that were not read before: none if no others are left."""
        with one_step():
            answer = self._sqs.receive_message(
                QueueUrl=self._queue.url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            letters = [DeadLetter(self._queue, message) for message in answer.get("Messages", [])]
            self._hidden |= {letter.id: (letter.receipt, letter.group) for letter in letters}
        groups = Counter(letter.group for letter in letters if letter.group)
        if len(letters) == BATCH and len(groups) > 1:
            self._cut |= dict.fromkeys(groups)
        new = [letter for letter in letters if letter.id not in self._seen]
        self._seen |= {letter.id for letter in new}
        return new

    def _show(self, ids: list[str]) -> None:
        """Make messages visible again; one whose time-out has ended is visible already."""
        for start in range(0, len(ids), BATCH):
            receipts = [self._hidden.pop(each)[0] for each in ids[start : start + BATCH]]
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts)
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self._queue.url, Entries=entries)


def letters_of(sqs: Any, queues: Iterable[LetterQueue]) -> Generator[DeadLetter, None, None]:
    """Yield the dead letters of some queues, each queue's before its messages are visible again."""
    for queue in queues:
        with LetterReader(sqs, queue) as letters:
            yield from letters
