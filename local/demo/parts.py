"""The parts of the demo that it finds by name: `local/demo/<task>.py` of each task that `make new-task` wrote."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from local.demo import archive_copy, partition_replicate, upload_validate
from local.demo.result import Result
from local.demo.screen import Screen
from local.embedded_aws import EmbeddedAws
from local.stack import Stack
from scripts.sources import zipped_tasks

# Tasks with parts of their own kind, which `__main__` calls.
CALLED = {module.__name__.rpartition(".")[2] for module in (archive_copy, partition_replicate, upload_validate)}


class Part(Protocol):
    """The module of a part.

    Attributes:
        VARIABLES: the values of the task's variables in Terraform.
    """

    VARIABLES: Mapping[str, Any]

    def prepare(self, aws: EmbeddedAws) -> None:
        """Create what exists before the deployment."""

    def run(self, stack: Stack, screen: Screen) -> Result:
        """Show the task at work, and compare its results."""


def parts_of(root: Path) -> dict[str, Part]:
    """Return the parts of all tasks but `CALLED`, by task. tests/test_tasks.py names a task without a part."""
    found = [task for task in zipped_tasks(root) if (root / "local" / "demo" / f"{task}.py").is_file()]
    return {task: cast(Part, import_module(f"local.demo.{task}")) for task in found if task not in CALLED}
