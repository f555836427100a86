"""A deployment as the commands see it: its tasks, with the names of their functions, queues, buckets and tables.

The names have the shape of Terraform's outputs (`terraform/outputs.tf`), wherever they were found: `discovery.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ops.errors import OpsError


@dataclass(frozen=True)
class WorkQueue:
    """A queue whose messages a function handles.

    Attributes:
        name: what it holds: `events`, `keys`, `rechecks` or `runs`.
        url: its URL.
        dead_letters: the URL of its dead-letter queue.
        function: the name of the function.
    """

    name: str
    url: str
    dead_letters: str
    function: str


@dataclass(frozen=True)
class JobPlace:
    """What a job of S3 Batch Operations needs in its account.

    Attributes:
        role_arn: the ARN of the job's role.
        reports: the bucket of the completion reports.
    """

    role_arn: str
    reports: str

    @property
    def account_id(self) -> str:
        """The account."""
        return self.role_arn.split(":")[4]

    @property
    def partition(self) -> str:
        """The partition of the account."""
        return self.role_arn.split(":")[1]


@dataclass(frozen=True)
class Batch(JobPlace):
    """What a job needs to pass objects to a task.

    Attributes:
        function_arn: the ARN of the task's function.
    """

    function_arn: str

    @property
    def region(self) -> str:
        """The region of the deployment."""
        return self.function_arn.split(":")[3]

    @property
    def function(self) -> str:
        """The name of the task's function."""
        return self.function_arn.rpartition(":")[2]

    @classmethod
    def of(cls, function_arn: str, output: Mapping[str, Any]) -> Batch:
        """Return what the output of a task says."""
        return cls(output["batch_role_arn"], output["report_bucket"], function_arn)


@dataclass(frozen=True)
class ArchiveCopy:
    """The task that archives restored objects.

    Attributes:
        function: the function's name.
        source: the bucket of the restored objects.
        archives: the archive buckets, sorted.
        bucket_map: extension -> what the function's setting `bucket_map` says of it.
        queues: its queues.
        batch: what its jobs of S3 Batch Operations need.
    """

    name: ClassVar[str] = "archive_copy"

    function: str
    source: str
    archives: tuple[str, ...]
    bucket_map: Mapping[str, Any]
    queues: tuple[WorkQueue, ...]
    batch: Batch

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of its functions."""
        return (self.function,)

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> ArchiveCopy:
        """Return the task that an output describes."""
        function = output["function_name"]
        queue = WorkQueue("events", output["queue_url"], output["dead_letter_queue_url"], function)
        buckets = tuple(sorted(set(output["archive_buckets"].values())))
        batch = Batch.of(output["function_arn"], output)
        return cls(function, output["source_bucket"], buckets, output["bucket_map"], (queue,), batch)


@dataclass(frozen=True)
class Mirror:  # pylint: disable=too-many-instance-attributes  # one for each name in the output
    """A mirror, which `partition_replicate` keeps.

    Attributes:
        enqueue: the name of the function that takes events.
        replicate: the name of the function that copies.
        source: the bucket that is mirrored.
        destination: the bucket of the mirror.
        table: the DynamoDB table.
        secret: the secret with the key of a user of the destination, or None if a role is assumed.
        undelivered: the URL of the queue of events that did not reach the FIFO queue.
        queues: its queues; the FIFO queue is the first.
        batch: what its jobs of S3 Batch Operations need.
        checksums: what a job needs that computes the checksums of the source.
    """

    name: ClassVar[str] = "partition_replicate"

    enqueue: str
    replicate: str
    source: str
    destination: str
    table: str
    secret: str | None
    undelivered: str
    queues: tuple[WorkQueue, ...]
    batch: Batch
    checksums: JobPlace

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of its functions."""
        return self.enqueue, self.replicate

    @property
    def fifo_queue(self) -> str:
        """The URL of the FIFO queue."""
        return self.queues[0].url

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> Mirror:
        """Return the mirror that an output describes."""
        enqueue, replicate = output["enqueue_function_name"], output["replicate_function_name"]
        keys = WorkQueue("keys", output["queue_url"], output["dead_letter_queue_url"], replicate)
        letters = output["recheck_dead_letter_queue_url"]
        return cls(
            enqueue=enqueue,
            replicate=replicate,
            source=output["source_bucket"],
            destination=output["destination_bucket"],
            table=output["table"],
            secret=output.get("secret"),
            undelivered=output["undelivered_queue_url"],
            queues=(keys, WorkQueue("rechecks", output["recheck_queue_url"], letters, enqueue)),
            batch=Batch.of(output["replicate_function_arn"], output),
            checksums=JobPlace(output["checksum_role_arn"], output["report_bucket"]),
        )


@dataclass(frozen=True)
class MirrorCheck:
    """The task that compares both sides of a mirror on a schedule.

    Attributes:
        function: the function's name.
        undelivered: the URL of the queue of its failed asynchronous invocations.
        queues: its queues.
    """

    name: ClassVar[str] = "mirror_check"

    function: str
    undelivered: str
    queues: tuple[WorkQueue, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of its functions."""
        return (self.function,)

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> MirrorCheck:
        """Return the task that an output describes."""
        function = output["function_name"]
        queue = WorkQueue("runs", output["queue_url"], output["dead_letter_queue_url"], function)
        return cls(function, output["undelivered_queue_url"], (queue,))


@dataclass(frozen=True)
class UploadValidate:
    """The task that checks and publishes uploads.

    Attributes:
        function: the function's name.
        uploads: the bucket of the uploads.
        final: the bucket of what was published.
        quarantine: the bucket of what was rejected, or None.
        table: the DynamoDB table.
        queues: its queues.
    """

    name: ClassVar[str] = "upload_validate"

    function: str
    uploads: str
    final: str
    quarantine: str | None
    table: str
    queues: tuple[WorkQueue, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of its functions."""
        return (self.function,)

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> UploadValidate:
        """Return the task that an output describes."""
        function = output["function_name"]
        queue = WorkQueue("events", output["queue_url"], output["dead_letter_queue_url"], function)
        buckets = output["upload_bucket"], output["final_bucket"], output["quarantine_bucket"]
        return cls(function, *buckets, output["outcomes_table"], (queue,))


# The tasks whose work is objects, and all tasks.
Task = ArchiveCopy | Mirror | UploadValidate
AnyTask = Task | MirrorCheck
KINDS = (ArchiveCopy, Mirror, UploadValidate)


@dataclass(frozen=True)
class Deployment:
    """A deployment.

    Attributes:
        tasks: its tasks whose work is objects; a task that is disabled is not among them.
        where: how it was found, for messages.
        checks: the task that compares the mirror on a schedule: one or none.
    """

    tasks: tuple[Task, ...]
    where: str
    checks: tuple[MirrorCheck, ...] = ()

    @classmethod
    def of(cls, outputs: Mapping[str, Any], where: str) -> Deployment:
        """Return the deployment that Terraform's outputs describe.

        Args:
            outputs: name -> value.
            where: where they are from.

        Raises:
            OpsError: they describe no task, or come from another version of the project.
        """
        try:
            tasks = tuple(kind.of(outputs[kind.name]) for kind in KINDS if outputs.get(kind.name))
            check = outputs.get(MirrorCheck.name)
            checks = (MirrorCheck.of(check),) if check else ()
        except (KeyError, AttributeError, TypeError) as error:
            raise OpsError(f"{where} is not of this version of the project: {error} is missing") from error
        if not tasks:
            raise OpsError(f"{where} has no task of Bucket Brigade: is that the folder of the deployment?")
        return cls(tasks, where, checks)

    @property
    def all_tasks(self) -> tuple[AnyTask, ...]:
        """All tasks."""
        return *self.tasks, *self.checks

    @property
    def region(self) -> str | None:
        """Its region, or None if no name in the outputs says it."""
        batches = [task.batch for task in self.tasks if not isinstance(task, UploadValidate)]
        return batches[0].region if batches else None

    @property
    def mirrors(self) -> tuple[Mirror, ...]:
        """The mirrors."""
        return tuple(task for task in self.tasks if isinstance(task, Mirror))

    @property
    def archives(self) -> tuple[ArchiveCopy, ...]:
        """The tasks that archive restored objects: one or none."""
        return tuple(task for task in self.tasks if isinstance(task, ArchiveCopy))

    @property
    def uploads(self) -> tuple[UploadValidate, ...]:
        """The tasks that check uploads: one or none."""
        return tuple(task for task in self.tasks if isinstance(task, UploadValidate))
