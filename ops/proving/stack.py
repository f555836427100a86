"""The promises of a deployment's tasks, and where a run leaves objects."""

from __future__ import annotations

from botocore.config import Config

from ops.brigade import Brigade
from ops.deployment import ArchiveCopy, Mirror, Task, UploadValidate
from ops.proving.archive import ArchiveProof
from ops.proving.canary import Canary
from ops.proving.cleaning import Places
from ops.proving.mirror import MirrorProof, excluded_by
from ops.proving.promises import WORKERS, Promise
from ops.proving.report import messages_in, pattern_of
from ops.proving.side import Side
from ops.proving.uploads import UploadProof

CONNECTIONS = Config(max_pool_connections=WORKERS)


class Stack:
    """The deployment of one run.

    Attributes:
        canary: the run.

    Args:
        brigade: the deployment.
        canary: the run.
        tasks: the tasks to prove.
    """

    def __init__(self, brigade: Brigade, canary: Canary, tasks: tuple[Task, ...]) -> None:
        self._brigade = brigade
        self.canary = canary
        self._tasks = tasks
        self._s3 = brigade.client("s3", CONNECTIONS)
        self._sqs = brigade.client("sqs")
        self._mirrored = {
            each.destination: Side(brigade.destination_s3(each, CONNECTIONS), each.destination)
            for each in tasks
            if isinstance(each, Mirror)
        }

    def promises(self) -> list[Promise]:
        """Return the promises of all tasks, of which nothing is done yet."""
        return [promise for task in self._tasks for promise in self._promises(task)]

    @property
    def places(self) -> Places:
        """Where the run leaves objects."""
        sources = [
            self._side(task.uploads if isinstance(task, UploadValidate) else task.source) for task in self._tasks
        ]
        copies = [side for task in self._tasks for side in self._copies(task)]
        return Places([*sources, *copies], self._waiting)

    def _side(self, bucket: str) -> Side:
        return Side(self._s3, bucket)

    def _copies(self, task: Task) -> list[Side]:
        if isinstance(task, Mirror):
            return [self._mirrored[task.destination]]
        names = task.archives if isinstance(task, ArchiveCopy) else tuple(filter(None, (task.final, task.quarantine)))
        return [self._side(name) for name in names]

    def _waiting(self) -> int:
        return sum(messages_in(self._sqs, task.queues[0].url) for task in self._tasks)

    def _promises(self, task: Task) -> list[Promise]:
        if isinstance(task, Mirror):
            return self._of_mirror(task)
        if isinstance(task, ArchiveCopy):
            archives = {name: self._side(name) for name in task.archives}

            def send(body: str) -> None:
                self._sqs.send_message(QueueUrl=task.queues[0].url, MessageBody=body)

            return ArchiveProof(self._side(task.source), archives, task.bucket_map, send, self.canary).promises()
        settings = self._brigade.settings(task.function)
        quarantine = self._side(task.quarantine) if task.quarantine else None
        sides = self._side(task.uploads), self._side(task.final), quarantine
        return UploadProof(*sides, settings, self.canary).promises()

    def _of_mirror(self, mirror: Mirror) -> list[Promise]:
        if reason := excluded_by(pattern_of(self._brigade, mirror), self.canary.prefix):
            return [Promise(mirror.name, "objects are mirrored", skipped=reason)]
        settings = self._brigade.settings(mirror.replicate)
        sides = self._side(mirror.source), self._mirrored[mirror.destination]
        return MirrorProof(*sides, settings, self.canary).promises()
