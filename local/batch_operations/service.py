"""The batch service: it runs all jobs of S3 Batch Operations that are created in an embedded AWS."""

import threading
from contextlib import ExitStack

from local.batch_operations.run import JobRun
from local.embedded_aws import EmbeddedAws
from local.patches.s3_jobs import Job


class BatchOperations:
    """A context manager that runs the jobs of an embedded AWS, each in its own thread.

    A job generates or reads its manifest, invokes its function or computes a checksum once for each object, repeats
    temporary failures, and writes its report, all with the permissions of its role. Jobs run side by side, so a
    priority has no effect.

    Args:
        aws: The embedded AWS, started. A Lambda service runs its functions.
    """

    def __init__(self, aws: EmbeddedAws):
        self._aws = aws
        self._stack = ExitStack()

    def __enter__(self) -> "BatchOperations":
        hooks = self._aws.hooks
        self._stack.callback(setattr, hooks, "job_starter", hooks.job_starter)
        hooks.job_starter = self._start
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, job: Job) -> None:
        run = JobRun(self._aws, job)
        thread = threading.Thread(target=run.run, name=f"job {job.id}", daemon=True)
        # The stack calls the last one first: a job is stopped, and then awaited.
        self._stack.callback(thread.join)
        self._stack.callback(run.stop)
        thread.start()
