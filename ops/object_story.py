"""The story of one object in one task: facts in the order of time, and a last sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ops import conclusions
from ops.brigade import Brigade
from ops.conclusions import Conclusion, Pending
from ops.dead_letters import DeadLetter
from ops.deployment import ArchiveCopy, Mirror, Task, UploadValidate
from ops.errors import OpsError
from ops.function_logs import LogLine, lines_about
from ops.letter_queues import letter_queues
from ops.letter_reader import letters_of
from ops.object_sides import Side, observe
from ops.plurals import number_of
from tasks.archive_copy.bucket_map import BucketMap, UnmappedExtensionError
from tasks.object_clerk.s3_requests import S3Requests
from tasks.partition_replicate.table import Table
from tasks.upload_validate.file_sets import UploadBucket
from tasks.utils.errors import BucketBrigadeError
from tasks.utils.s3_object import S3Object

EFFECTS = ("verdict", "issue", "email", "webhook")
FILE_LIMIT = 1000


@dataclass(frozen=True)
class Fact:
    """Something that is known of the object.

    Attributes:
        where: a bucket, a table, a queue or a function.
        text: the fact.
        time: when it happened; None for a state that has no time.
    """

    where: str
    text: str
    time: datetime | None = None


@dataclass
class Story:
    """What is known of an object in a task.

    Attributes:
        task: the name of the task.
        facts: the facts.
        conclusion: the last sentence.
    """

    task: str
    facts: list[Fact] = field(default_factory=list)
    conclusion: Conclusion = Conclusion("")

    @property
    def in_order(self) -> list[Fact]:
        """The facts in the order of time, and then those without a time."""
        timed = sorted((fact for fact in self.facts if fact.time), key=lambda fact: fact.time or datetime.now(UTC))
        return [*timed, *(fact for fact in self.facts if fact.time is None)]


def buckets_of(task: Task) -> tuple[str, ...]:
    """Return the buckets of a task."""
    if isinstance(task, ArchiveCopy):
        return task.source, *task.archives
    if isinstance(task, Mirror):
        return task.source, task.destination
    return tuple(filter(None, (task.uploads, task.final, task.quarantine)))


@dataclass(frozen=True)
class Teller:
    """Finds out what is known of an object.

    Attributes:
        brigade: the options of the command line.
        address: the object, in any bucket of a task.
        since: the time of the first log line.
    """

    brigade: Brigade
    address: S3Object
    since: datetime

    def story(self, task: Task) -> Story:
        """Return the story of the object in a task.

        Raises:
            OpsError: nothing is known of it.
        """
        story, pending = Story(task.name), self._pending(task)
        try:
            story.conclusion = self._conclude(task, story, pending)
        except BucketBrigadeError as error:
            raise OpsError(str(error)) from error
        story.facts += [_of_letter(letter) for letter in pending.letters]
        story.facts += [_of_line(line) for function in task.functions for line in self._lines(function, task)]
        if not story.facts:
            raise OpsError(f"{self.address} is not known: no bucket, record, dead letter or log line has it")
        if pending.messages:
            story.facts.append(Fact("work queues", f"{number_of(pending.messages, 'message')} waiting or in flight"))
        return story

    def _conclude(self, task: Task, story: Story, pending: Pending) -> Conclusion:
        if isinstance(task, ArchiveCopy):
            return self._of_archive(task, story, pending)
        if isinstance(task, Mirror):
            return self._of_mirror(task, story, pending)
        return self._of_upload(task, story, pending)

    def _of_archive(self, task: ArchiveCopy, story: Story, pending: Pending) -> Conclusion:
        source = self._observe(story, task.source)
        try:
            archive = self._observe(story, BucketMap(task.bucket_map).bucket_for(self.address.key))
        except UnmappedExtensionError as error:
            return pending.conclude(f"no archive takes the object ({error})")
        return conclusions.of_archive(source, archive, pending)

    def _of_mirror(self, task: Mirror, story: Story, pending: Pending) -> Conclusion:
        source = self._observe(story, task.source)
        mirror = self._observe(story, task.destination, self.brigade.destination_s3(task))
        state, records = Table(self.brigade.client("dynamodb"), task.table).read_all(self.address.key)
        if state.revision.stored is not None:
            story.facts.append(Fact(task.table, f"key row: {_of_state(state)}"))
        for version_id, replica in records.replicas.items():
            text = f"is version {replica.version or 'null'} of the mirror" if replica else "was left out on purpose"
            story.facts.append(Fact(task.table, f"version row: {version_id} {text}"))
        asked = self.address.version_id
        if asked and self.address.bucket == task.source and (version := source.version(asked)):
            return conclusions.of_mirrored_version(version, mirror, records.replicas.get(asked), pending)
        return conclusions.of_mirror(source, mirror, state, pending)

    def _of_upload(self, task: UploadValidate, story: Story, pending: Pending) -> Conclusion:
        upload, final = self._observe(story, task.uploads), self._observe(story, task.final)
        if task.quarantine:
            self._observe(story, task.quarantine)
        verdict = ""
        for effect, record in self._effects(task):
            data, status = record.get("data", {}).get("S", ""), record.get("status", {}).get("S", "")
            story.facts.append(Fact(task.table, f"{effect} of the set that is there now: {status} {data}".rstrip()))
            if effect == "verdict":
                verdict = _outcome(data) or status
        return conclusions.of_upload(upload, final, verdict, pending)

    def _observe(self, story: Story, bucket: str, s3: Any = None) -> Side:
        side = observe(s3 or self.brigade.client("s3"), bucket, self.address.key)
        story.facts += [Fact(bucket, version.text, version.time) for version in side.versions]
        story.facts += [
            Fact(bucket, f"multipart upload {each} began, and is open", time) for time, each in side.uploads
        ]
        return side

    def _effects(self, task: UploadValidate) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the idempotency records of the file set that the upload bucket holds now."""
        prefix, dynamodb = _prefix(self.address.key), self.brigade.client("dynamodb")
        found = UploadBucket(S3Requests(self.brigade.client("s3")), task.uploads, FILE_LIMIT).list_set(prefix, {})
        digest = hashlib.sha256(json.dumps(found.digest).encode()).hexdigest()
        for effect in EFFECTS:
            answer = dynamodb.get_item(TableName=task.table, Key={"id": {"S": f"{effect}#{digest}"}})
            if "Item" in answer:
                yield effect, answer["Item"]

    def _lines(self, function: str, task: Task) -> list[LogLine]:
        prefix = _prefix(self.address.key) if isinstance(task, UploadValidate) else ""
        return lines_about(self.brigade.client("logs"), function, self.address.key, prefix, self.since)

    def _pending(self, task: Task) -> Pending:
        sqs = self.brigade.client("sqs")
        with closing(letters_of(sqs, letter_queues((task,)))) as letters:
            own = tuple(letter for letter in letters if self._is_about(letter, task))
        return Pending(own, sum(_count(sqs, queue.url) for queue in task.queues))

    def _is_about(self, letter: DeadLetter, task: Task) -> bool:
        key = self.address.key
        if isinstance(task, UploadValidate):
            return any(_prefix(address.key) == _prefix(key) for address in letter.addresses)
        return any(address.key == key for address in letter.addresses)


def _of_letter(letter: DeadLetter) -> Fact:
    return Fact(letter.queue.name, f"dead letter: {letter.error}: {letter.reason}", letter.sent)


def _of_line(line: LogLine) -> Fact:
    names = ("set", "version_id", "destination", "error", "reason")
    more = [f"{name} {line.text(name)}" for name in names if line.text(name)]
    return Fact(line.function, ", ".join([f"{line.text('level')}: {line.text('message')}", *more]), line.time)


def _of_state(state: Any) -> str:
    origin, replica, work = state.origin, state.replica, state.open
    texts = [f"revision {state.revision.number}", f"source {origin.etag or '-'} {origin.version}".rstrip()]
    texts.append(f"mirror {replica.etag or '-'} {replica.version}".rstrip())
    flags = {"skipped": origin.skipped, "removal mirrored": state.removed, "annotated": state.annotated}
    texts += [name for name, is_set in flags.items() if is_set]
    ids = {"pending delete": work.pending_delete, "without tags": work.untagged}
    texts += [f"{name} {each}" for name, each in ids.items() if each]
    return ", ".join([*texts, *([f"upload {work.upload.id or 'intended'}"] if work.upload else [])])


def _outcome(data: str) -> str:
    try:
        found = json.loads(data)
    except ValueError:
        return ""
    return str(found.get("outcome", "")) if isinstance(found, dict) else ""


def _prefix(key: str) -> str:
    return key[: key.rfind("/") + 1]


def _count(sqs: Any, url: str) -> int:
    names: Iterable[str] = ("", "NotVisible", "Delayed")
    wanted = [f"ApproximateNumberOfMessages{name}" for name in names]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"].values()))
