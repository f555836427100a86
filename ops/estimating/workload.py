"""What is estimated: objects of one size, and the deployment's settings that matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ARCHIVE_COPY, MIRROR, UPLOAD_VALIDATE = "archive_copy", "partition_replicate", "upload_validate"


@dataclass(frozen=True)
class Function:
    """A function's settings.

    Attributes:
        memory_mb: its memory.
        concurrency: invocations that its queue runs at once.
        timeout: seconds.
        architecture: `arm64` or `x86_64`.
    """

    memory_mb: int
    concurrency: int
    timeout: int
    architecture: str = "arm64"

    @property
    def gigabytes(self) -> float:
        """Its memory as Lambda charges it."""
        return self.memory_mb / 1024


# The defaults of terraform/variables.<task>.tf; a test compares them.
DEFAULTS: Mapping[str, Function] = {
    ARCHIVE_COPY: Function(512, 20, 900),
    MIRROR: Function(1769, 20, 300),
    UPLOAD_VALIDATE: Function(1024, 5, 300),
}

# The memory of `enqueue`, in terraform/partition_replicate.tf.
ENQUEUE_GIGABYTES = 256 / 1024


@dataclass(frozen=True)
class Workload:  # pylint: disable=too-many-instance-attributes  # one for each option of the command
    """Objects of one size, and how they are handled.

    Attributes:
        task: the task that handles them.
        size: bytes of one object.
        function: settings of the function that does the work.
        all_versions: whether the mirror keeps versions.
        annotations: whether the mirror carries annotations.
        part_size: bytes of the parts in which large sources were uploaded; None takes the task's own.
        prefixes: S3 prefixes over which the keys are spread, each of which has its own rate.
        kms: whether keys of the user encrypt both sides, without bucket keys.
        region: the region, for its quotas.
    """

    task: str
    size: int
    function: Function
    all_versions: bool = False
    annotations: bool = True
    part_size: int | None = None
    prefixes: int = 1
    kms: bool = False
    region: str = "us-east-1"

    @property
    def transfer_memory_mb(self) -> int:
        """The mirror's TRANSFER_MEMORY_MB, which Terraform derives from the memory."""
        return self.function.memory_mb // 2


def function_of(configuration: Mapping[str, Any], concurrency: int | None) -> Function:
    """Return the settings of a deployed function.

    Args:
        configuration: Lambda's answer to GetFunctionConfiguration.
        concurrency: maximum concurrency of its queue; None if it has none, so the account's 1,000 are its limit.
    """
    architecture = configuration.get("Architectures", ["x86_64"])[0]
    return Function(configuration["MemorySize"], concurrency or 1000, configuration["Timeout"], architecture)
