"""Sends dead letters back, each way at least once: a message is deleted only after its copy was accepted.

SQS moves whole queues itself (`moves.py`). This module does what SQS cannot. It sends selected messages to the work
queue. And it invokes the function with each event that did not reach a queue: SQS refuses to move these (Amazon SQS API
Reference, StartMessageMoveTask).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops.dead_letters import DeadLetter, Selection
from ops.errors import OpsError
from ops.interrupts import one_step
from ops.letter_queues import LetterQueue
from ops.letter_reader import LetterReader
from tasks.utils.s3_object import printable

# Lambda's answer to an asynchronous invocation that it has accepted.
ACCEPTED = 202


@dataclass(frozen=True)
class Limits:
    """How many messages are sent.

    Attributes:
        most: the most of a queue, or None.
        rate: messages a second, or None.
    """

    most: int | None = None
    rate: int | None = None


@dataclass(frozen=True)
class Redrive:
    """Sends the selected messages of a queue back.

    Attributes:
        sqs: a boto3 SQS client.
        functions: a boto3 Lambda client.
        queue: the queue of dead letters.
        selection: which of them.
        limits: how many, and how fast.
    """

    sqs: Any
    functions: Any
    queue: LetterQueue
    selection: Selection
    limits: Limits

    def run(self, sent: Callable[[], None] = lambda: None) -> int:
        """Send the messages back, and call `sent` after each; return their number.

        A FIFO queue shows the later messages of a group when the earlier ones are gone, so it is read until nothing is
        left to send.
        """
        count = 0
        while count != self.limits.most:
            done = self._one_pass(count, sent)
            count += done
            if not done or not self.queue.is_fifo:
                break
        return count

    def _one_pass(self, count: int, sent: Callable[[], None]) -> int:
        before = count
        with LetterReader(self.sqs, self.queue) as letters:
            for letter in filter(self._takes, letters):
                if count == self.limits.most:
                    break
                # A kill between the two requests leaves both messages: a duplicate, and never a loss.
                with one_step():
                    self._send(letter)
                    letters.delete(letter)
                count += 1
                sent()
                if self.limits.rate:
                    time.sleep(1 / self.limits.rate)
        return count - before

    def _takes(self, letter: DeadLetter) -> bool:
        return letter.is_sendable and self.selection.has(letter)

    def _send(self, letter: DeadLetter) -> None:
        if letter.is_invocation or not self.queue.work:
            self._invoke(letter)
        else:
            self.sqs.send_message(QueueUrl=self.queue.work, **_copy(letter))

    def _invoke(self, letter: DeadLetter) -> None:
        """Invoke the function with an event; if it fails again, Lambda returns the event to the queue."""
        payload = json.dumps(letter.payload).encode()
        answer = self.functions.invoke(FunctionName=self.queue.function, InvocationType="Event", Payload=payload)
        if answer["StatusCode"] != ACCEPTED:
            raise OpsError(
                printable(f"Lambda answers {answer['StatusCode']} to an invocation of {self.queue.function}")
            )


def _copy(letter: DeadLetter) -> dict[str, Any]:
    # SQS drops a message with a deduplication id of the last five minutes, such as that of an earlier redrive.
    fifo = {"MessageGroupId": letter.group, "MessageDeduplicationId": uuid.uuid4().hex} if letter.queue.is_fifo else {}
    return {"MessageBody": letter.body, "MessageAttributes": letter.attributes_of_copy, **fifo}
