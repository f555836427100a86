"""The deployed stack on this machine: the embedded AWS, Terraform's resources in it, and the running functions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import terraform
from local.embedded_aws import EmbeddedAws
from local.lambda_service import LambdaService

# Delay of a message whose function crashed or timed out. On AWS it is six time-outs of the function. A function that
# returns sets the visibility of failed messages, here as on AWS.
REDELIVERY_SECONDS = 1


@dataclass(frozen=True)
class Stack:
    """The running stack.

    Attributes:
        aws: The embedded AWS.
        functions: Its Lambda service.
        outputs: Terraform's outputs.
        folder: Terraform's working folder, with its state.
    """

    aws: EmbeddedAws
    functions: LambdaService
    outputs: Mapping[str, Any]
    folder: Path


@contextmanager
def running(
    variables: Mapping[str, Any],
    *,
    folder: Path,
    on_progress: Callable[[terraform.Progress], None],
    prepare: Callable[[EmbeddedAws], Mapping[str, Any]] = lambda aws: {},
) -> Iterator[Stack]:
    """Start the stack, and stop it when the block ends.

    Args:
        variables: The values of Terraform's input variables.
        folder: Terraform's working folder.
        on_progress: A callback for Terraform's progress.
        prepare: Creates resources before Terraform runs, such as an existing bucket, and returns further variables.

    Yields:
        The `Stack`.

    Raises:
        DeploymentError: Terraform is not installed, finds no provider, or fails.
    """
    with EmbeddedAws() as aws:
        variables = {**variables, **prepare(aws)}
        outputs = terraform.apply(aws, folder, variables, on_progress=on_progress)
        with LambdaService(aws, redelivery_seconds=REDELIVERY_SECONDS) as functions:
            yield Stack(aws, functions, outputs, folder)
