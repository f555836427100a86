"""The state of the queues and functions of a deployment: what waits, what moves, what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ops.brigade import Brigade
from ops.function_logs import last_error
from ops.letter_queues import UNDELIVERED, LetterQueue
from ops.metrics import HOUR, OURS, SQS, Series, of_functions, of_queues, with_values

AGE = "ApproximateAgeOfOldestMessage"
# Objects and file sets whose state changed, failures, and the age of events.
CHANGED, FAILED, EVENT_AGE = ("Copied", "Published", "Rejected"), "Failed", "EventAge"
SUMS = (*CHANGED, FAILED)
COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}
# Requests of one refresh that are under way at the same time.
WORKERS = 8


@dataclass(frozen=True)
class QueueState:  # pylint: disable=too-many-instance-attributes  # one for each column
    """A queue, and the function that works on it. A number that does not exist or is not known is None.

    Attributes:
        task: the name of the task.
        queue: what the queue holds.
        function: the name of the function.
        waiting: messages that a receive could return.
        in_flight: messages that were received and are not done.
        delayed: messages that are not due yet.
        oldest_seconds: the age of the oldest message.
        dead_letters: messages in the queue of dead letters.
        changed: objects and file sets that were copied, published or rejected in the last hour.
        failed: failures of the last hour.
        lag_seconds: the age of the oldest event of the latest five minutes in which there was one.
        error: the latest ERROR line of the last hour.
    """

    task: str
    queue: str
    function: str
    dead_letters: int
    waiting: int | None = None
    in_flight: int | None = None
    delayed: int | None = None
    oldest_seconds: float | None = None
    changed: int | None = None
    failed: int | None = None
    lag_seconds: float | None = None
    error: Mapping[str, str] | None = None

    @property
    def record(self) -> dict[str, Any]:
        """The state as JSON."""
        return asdict(self)


class Observer:
    """Reads the states; nothing is received from a queue.

    Args:
        brigade: the options of the command line.
        queues: the queues of dead letters, each with its work queue.
    """

    def __init__(self, brigade: Brigade, queues: Sequence[LetterQueue]) -> None:
        self._queues = queues
        self._sqs, self._cloudwatch = brigade.client("sqs"), brigade.client("cloudwatch")
        self._logs, self._functions = brigade.client("logs"), brigade.client("lambda")

    def states(self) -> list[QueueState]:
        """Return the state of each queue now."""
        series = self._series()
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(lambda queue: self._state(queue, series), self._queues))

    def warnings(self) -> list[str]:
        """Return what keeps a function from its messages, a sentence for each."""
        with ThreadPoolExecutor(WORKERS) as pool:
            return [text for texts in pool.map(self._warnings_of, self._function_names) for text in texts]

    def alarms(self) -> list[str]:
        """Return the alarms that are on, each with its reason."""
        names = {queue.name for queue in self._queues} | {_name(queue.work) for queue in self._queues if queue.work}
        names |= set(self._function_names)
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(StateValue="ALARM")
        alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
        return [f"{alarm['AlarmName']}: {alarm['StateReason']}" for alarm in alarms if names & _named_by(alarm)]

    @cached_property
    def _function_names(self) -> list[str]:
        return list(dict.fromkeys(queue.function for queue in self._queues))

    def _series(self) -> list[Series]:
        works = [_name(queue.work) for queue in self._queues if queue.work]
        wanted = of_functions(self._cloudwatch, self._function_names, (*SUMS, EVENT_AGE)) + of_queues(works, AGE)
        return with_values(self._cloudwatch, wanted, sums=SUMS)

    def _state(self, queue: LetterQueue, series: Sequence[Series]) -> QueueState:
        letters = self._counts(queue.url)
        # A reader hides dead letters for a while.
        dead = letters["waiting"] + letters["in_flight"]
        if queue.work is None:
            return QueueState(queue.task, UNDELIVERED, queue.function, dead)
        counts = self._counts(queue.work)
        ages = _values(series, SQS, _name(queue.work), (AGE,)) if any(counts.values()) else []
        lags = _values(series, OURS, queue.function, (EVENT_AGE,))
        return QueueState(
            queue.task,
            queue.kind,
            queue.function,
            dead,
            **counts,
            oldest_seconds=next(iter(ages), None),
            changed=round(sum(_values(series, OURS, queue.function, CHANGED))),
            failed=round(sum(_values(series, OURS, queue.function, (FAILED,)))),
            lag_seconds=next(iter(lags), None),
            error=self._last_error(queue.function),
        )

    def _counts(self, url: str) -> dict[str, int]:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS.values()))
        return {name: int(answer["Attributes"][attribute]) for name, attribute in COUNTS.items()}

    def _last_error(self, function: str) -> dict[str, str] | None:
        line = last_error(self._logs, function, datetime.now(UTC) - HOUR)
        if line is None:
            return None
        return {"time": line.time.isoformat(), "key": line.about, "reason": line.text("reason") or line.text("message")}

    def _warnings_of(self, function: str) -> list[str]:
        mappings = self._functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        found = [
            f"{function} gets no messages: its event source mapping {mapping['UUID']} is {mapping['State']}"
            for mapping in mappings
            if mapping["State"] != "Enabled"
        ]
        if not mappings:
            found.append(f"{function} gets no messages: it has no event source mapping")
        recursion = self._functions.get_function_recursion_config(FunctionName=function)["RecursiveLoop"]
        if recursion != "Allow":
            found.append(
                f"Lambda stops {function} after 16 turns: its recursion configuration is {recursion}, not Allow"
            )
        return found


def _values(series: Sequence[Series], namespace: str, of: str, names: Sequence[str]) -> list[float]:
    return [
        value
        for each in series
        if each.namespace == namespace and each.name in names and of in dict(each.dimensions).values()
        for value in each.values
    ]


def _named_by(alarm: Mapping[str, Any]) -> set[str]:
    return {dimension["Value"] for dimension in alarm.get("Dimensions", [])}


def _name(url: str) -> str:
    return url.rpartition("/")[2]
