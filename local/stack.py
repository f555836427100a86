"""Everything that is deployed, on this machine: the embedded AWS, what Terraform made in it, the functions at work."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import terraform
from local.embedded_aws import EmbeddedAws
from local.lambda_service import LambdaService

# How soon a message comes back whose function crashed or timed out. With AWS that is after six time-outs of the
# function. A function that ends by itself sets the visibility of what failed, and that holds here as well.
REDELIVERY_SECONDS = 1


@dataclass(frozen=True)
class Stack:
    """What runs.

    Attributes:
        aws: the embedded AWS.
        functions: the Lambda service in it.
        outputs: Terraform's outputs.
        folder: where Terraform works, and its state lies.
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
    """Starts the stack, and stops it again when the block ends, however it ends.

    Args:
        variables: the values of Terraform's input variables.
        folder: where Terraform works.
        on_progress: is told how far Terraform is.
        prepare: makes what is to be there before Terraform comes, such as a bucket that is given, and returns the
            variables that follow from it.

    Yields:
        The `Stack`.

    Raises:
        DeploymentError: Terraform is not there, finds no provider, or fails.
    """
    with EmbeddedAws() as aws:
        variables = {**variables, **prepare(aws)}
        outputs = terraform.apply(aws, folder, variables, on_progress=on_progress)
        with LambdaService(aws, redelivery_seconds=REDELIVERY_SECONDS) as functions:
            yield Stack(aws, functions, outputs, folder)
