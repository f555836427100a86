"""What is checked: the functions, queues, buckets and tables of a deployment, with their addresses in Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ops.deployment import AnyTask, ArchiveCopy, Deployment, Mirror, MirrorCheck, Task, UploadValidate, WorkQueue


@dataclass(frozen=True)
class Function:
    """A function.

    Attributes:
        task: its task.
        label: its name.
        kind: the name of its module in Terraform, and of its entry in `needs.py`.
        queue: the queue whose messages it handles.
        on_failure: the URL of the queue of its failed asynchronous invocations.
    """

    task: AnyTask
    label: str
    kind: str
    queue: WorkQueue
    on_failure: str

    @property
    def module(self) -> str:
        """The address of its module in Terraform."""
        return f"module.{self.kind}[0]"

    def uses(self, bucket: Bucket) -> bool:
        """Return whether it reads or writes the objects of a bucket. A deployment has one mirror at most."""
        return bucket.function == self.label or isinstance(self.task, MirrorCheck) and isinstance(bucket.task, Mirror)


@dataclass(frozen=True)
class Identity:
    """The identity of a function at the destination of a mirror: its role there, or the user of the mirror's secret.

    Attributes:
        function: the function.
        mirror: the mirror.
    """

    function: Function
    mirror: Mirror

    @property
    def task(self) -> AnyTask:
        """The task of its function."""
        return self.function.task

    @property
    def label(self) -> str:
        """The name of its function."""
        return self.function.label

    @property
    def kind(self) -> str:
        """The name of its role and policy in Terraform, and of its entry in `needs.py`."""
        return f"{self.function.kind}_destination"

    @property
    def is_writer(self) -> bool:
        """Whether its function writes the mirror; the other function compares."""
        return self.function.label == self.mirror.replicate


@dataclass(frozen=True)
class Queue:
    """A queue of work.

    Attributes:
        task: its task.
        work: the queue.
        module: the address of its module in Terraform.
        sender: the bucket whose notifications it takes, or None.
    """

    task: AnyTask
    work: WorkQueue
    module: str
    sender: str | None

    @property
    def label(self) -> str:
        """Its name."""
        return name_of(self.work.url)


@dataclass(frozen=True)
class Bucket:
    """A bucket.

    Attributes:
        task: its task.
        label: its name.
        use: what it holds, such as `source` or `mirror`.
        function: the function whose settings name its owner.
    """

    task: AnyTask
    label: str
    use: str
    function: str

    @property
    def is_far(self) -> bool:
        """Whether it is the bucket of a mirror."""
        return self.use == "mirror"

    @property
    def is_read(self) -> bool:
        """Whether its events start the task."""
        return self.use in ("source", "uploads")


@dataclass(frozen=True)
class Table:
    """A DynamoDB table.

    Attributes:
        task: its task.
        label: its name.
        address: its address in Terraform.
        expiry: the attribute that DynamoDB's time to live reads.
    """

    task: Task
    label: str
    address: str
    expiry: str


def mirror_of(subject: Function | Bucket) -> Mirror:
    """Return the mirror that a function or bucket belongs to.

    Raises:
        TypeError: it belongs to another task.
    """
    if not isinstance(subject.task, Mirror):
        raise TypeError(f"{subject.label} belongs to {subject.task.name}")
    return subject.task


def name_of(queue_url: str) -> str:
    """Return the name of a queue."""
    return queue_url.rstrip("/").rpartition("/")[2]


def functions_of(task: AnyTask) -> Iterator[Function]:
    """Yield the functions of a task."""
    if not isinstance(task, Mirror):
        # The on-failure destination of a function cannot be a FIFO queue.
        failures = task.undelivered if isinstance(task, MirrorCheck) else task.queues[0].dead_letters
        yield Function(task, task.function, task.name, task.queues[0], failures)
        return
    keys, rechecks = task.queues
    yield Function(task, task.enqueue, "partition_replicate_enqueue", rechecks, task.undelivered)
    yield Function(task, task.replicate, "partition_replicate", keys, task.undelivered)


def functions(deployment: Deployment) -> Iterator[Function]:
    """Yield the functions of a deployment."""
    for task in deployment.all_tasks:
        yield from functions_of(task)


def identities(deployment: Deployment) -> Iterator[Identity]:
    """Yield the identities at destinations: of the function that writes the mirror, and of the one that checks it.

    A deployment has one mirror at most.
    """
    for mirror in deployment.mirrors:
        for function in functions(deployment):
            if function.label == mirror.replicate or isinstance(function.task, MirrorCheck):
                yield Identity(function, mirror)


def writers(deployment: Deployment) -> Iterator[Identity]:
    """Yield the identities that write a mirror."""
    yield from (identity for identity in identities(deployment) if identity.is_writer)


def queues(deployment: Deployment) -> Iterator[Queue]:
    """Yield the queues of work of a deployment."""
    for task in deployment.all_tasks:
        if isinstance(task, Mirror):
            keys, rechecks = task.queues
            yield Queue(task, keys, "module.partition_replicate_queue[0]", None)
            yield Queue(task, rechecks, "module.partition_replicate_recheck_queue[0]", None)
        else:
            yield Queue(task, task.queues[0], f"module.{task.name}_queue[0]", _sender(task))


def _sender(task: AnyTask) -> str | None:
    if isinstance(task, ArchiveCopy):
        return task.source
    return task.uploads if isinstance(task, UploadValidate) else None


def buckets(deployment: Deployment) -> Iterator[Bucket]:
    """Yield the buckets of a deployment."""
    for task in deployment.tasks:
        function = task.functions[-1]
        yield from (Bucket(task, name, use, function) for use, name in _names(task) if name)


def _names(task: Task) -> list[tuple[str, str | None]]:
    if isinstance(task, ArchiveCopy):
        return [("source", task.source), *(("archive", bucket) for bucket in task.archives)]
    if isinstance(task, UploadValidate):
        return [("uploads", task.uploads), ("final", task.final), ("quarantine", task.quarantine)]
    return [("source", task.source), ("mirror", task.destination)]


def tables(deployment: Deployment) -> Iterator[Table]:
    """Yield the tables of a deployment."""
    for mirror in deployment.mirrors:
        yield Table(mirror, mirror.table, "aws_dynamodb_table.partition_replicate[0]", "ExpiresAt")
    for task in deployment.uploads:
        yield Table(task, task.table, "aws_dynamodb_table.upload_validate[0]", "expiration")


@dataclass(frozen=True)
class Whole:
    """The deployment as a whole.

    Attributes:
        deployment: the deployment.
    """

    deployment: Deployment

    name = label = "deployment"

    @property
    def task(self) -> Whole:
        """Itself: findings about it belong to no task."""
        return self

    @property
    def account(self) -> str:
        """The account of the deployment, as the addresses of its queues have it."""
        return self.deployment.tasks[0].queues[0].url.rstrip("/").rsplit("/", 2)[-2]
