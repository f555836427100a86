"""Terraform's apply in the background: the first objects move while Terraform still waits for other resources."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from local.terraform import Terraform, resource_of

# The provider spends most of an apply waiting for AWS to settle, so many resources can wait at the same time.
PARALLELISM = 30

# Resources that matter only days later, or after a crash. The provider waits 55 s for each of the first kind, and 25 s
# for each of the second.
NEEDED_LATER = ("aws_s3_bucket_lifecycle_configuration", "aws_sqs_queue_redrive_policy")


@dataclass(frozen=True)
class Progress:
    """The progress of Terraform.

    Attributes:
        done: The number of created resources.
        planned: The number of resources to create in all; 0 while it is unknown.
        current: The address of the latest resource, or the running command.
    """

    done: int
    planned: int
    current: str


class _Resources:
    """The resources of an apply, by the JSON lines of Terraform."""

    def __init__(self) -> None:
        self._planned: set[str] = set()
        self._made: set[str] = set()

    def take(self, line: Mapping[str, Any]) -> None:
        """Take a line."""
        if line["type"] == "planned_change":
            self._planned.add(resource_of(line))
        if line["type"] == "apply_complete" and line["hook"].get("action") == "create":
            self._made.add(resource_of(line))

    def progress(self, current: str) -> Progress:
        """Return the progress."""
        return Progress(len(self._made), len(self._planned), current)

    def has_task(self, task: str) -> bool:
        """Return whether all resources of a task are made, except those that are `NEEDED_LATER`."""
        # Names of a task's resources and modules begin with the task's name.
        of_task = {address for address in self._planned if re.search(rf"\b{task}", address)}
        needed = {address for address in of_task if not any(kind in address for kind in NEEDED_LATER)}
        return bool(needed) and needed <= self._made


class Deployment:
    """A context manager that applies a configuration in a thread, and kills Terraform if the block ends first.

    Attributes:
        outputs: The outputs, by name, of the tasks that were waited for; of all tasks after `wait`.

    Args:
        terraform: An initialised working folder without state.
        on_progress: A callback for each start and end of a resource, and every few seconds in between. The thread calls
            it.
    """

    def __init__(self, terraform: Terraform, on_progress: Callable[[Progress], None]):
        self.outputs: dict[str, Any] = {}
        self._terraform = terraform
        self._on_progress = on_progress
        self._resources = _Resources()
        self._end: Future[None] = Future()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._apply, name="Terraform", daemon=True)

    def __enter__(self) -> "Deployment":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        while self._thread.is_alive():
            # A broken state is harmless: its AWS is about to end.
            self._terraform.kill()
            self._thread.join(0.1)

    def wait_for(self, task: str) -> None:
        """Wait until the resources of a task exist, except those that are `NEEDED_LATER`.

        Raises:
            DeploymentError: Terraform has failed.
        """
        self._wait(lambda: self._resources.has_task(task) and task in self._take_outputs())

    def wait(self) -> None:
        """Wait until all resources exist.

        Raises:
            DeploymentError: Terraform has failed.
        """
        self._wait(lambda: False)

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._end.done() or condition())
        if self._end.done():
            self._end.result()

    def _take_outputs(self) -> dict[str, Any]:
        """Add the outputs in the state to `outputs`, and return these."""
        # While Terraform writes the file, it is no JSON.
        with suppress(FileNotFoundError, ValueError):
            state = json.loads((self._terraform.folder / "terraform.tfstate").read_text(encoding="utf-8"))
            self.outputs.update({name: output["value"] for name, output in state["outputs"].items()})
        return self.outputs

    def _apply(self) -> None:
        error = None
        try:
            self._run()
        except Exception as raised:  # pylint: disable=broad-exception-caught  # `wait` raises it
            error = raised
        with self._changed:
            self._take_outputs()
            if error:
                self._end.set_exception(error)
            else:
                self._end.set_result(None)
            self._changed.notify_all()

    def _run(self) -> None:
        flags = ("-auto-approve", "-input=false", "-json", f"-parallelism={PARALLELISM}")
        for line in self._terraform.stream("apply", *flags):
            with self._changed:
                self._resources.take(line)
                self._changed.notify_all()
            if line["type"] in ("planned_change", "apply_start", "apply_progress", "apply_complete"):
                self._on_progress(self._resources.progress(resource_of(line)))
