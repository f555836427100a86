"""The deployed stack on this machine: the embedded AWS, Terraform's resources in it, and the running functions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.batch_operations import BatchOperations
from local.deployment import Deployment, Progress
from local.embedded_aws import EmbeddedAws
from local.lambda_service import LambdaService
from local.scheduler import Scheduler
from local.terraform import initialise

# Delay of a message whose function crashed or timed out. On AWS it is six time-outs of the function. A function that
# returns sets the visibility of failed messages, here as on AWS.
REDELIVERY_SECONDS = 1


@dataclass(frozen=True)
class Stack:
    """The running stack.

    Attributes:
        aws: The embedded AWS.
        functions: Its Lambda service.
        scheduler: Its EventBridge Scheduler.
        outputs: Terraform's outputs, as far as they were waited for.
        folder: Terraform's working folder, with its state.
    """

    aws: EmbeddedAws
    functions: LambdaService
    scheduler: Scheduler
    outputs: Mapping[str, Any]
    folder: Path


@contextmanager
def deploying(
    variables: Mapping[str, Any],
    *,
    folder: Path,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    prepare: Callable[[EmbeddedAws], Mapping[str, Any]] = lambda aws: {},
    endpoint_of: Callable[[EmbeddedAws], str] = lambda aws: aws.endpoint_url,
) -> Iterator[tuple[Stack, Deployment]]:
    """Start the stack and its deployment, and stop both when the block ends.

    Args:
        variables: The values of Terraform's input variables.
        folder: Terraform's working folder.
        on_progress: A callback for Terraform's progress.
        prepare: Creates resources before Terraform runs, such as an existing bucket, and returns further variables.
        endpoint_of: Returns the URL of AWS for the functions, such as that of a network with faults.

    Yields:
        The `Stack`, and the `Deployment` that waits for tasks and fills `outputs`.

    Raises:
        DeploymentError: Terraform is not installed, or finds no provider.
    """
    with EmbeddedAws() as aws:
        on_progress(Progress(0, 0, "terraform init"))
        terraform = initialise(aws, folder, {**variables, **prepare(aws)})
        with (
            LambdaService(aws, redelivery_seconds=REDELIVERY_SECONDS, endpoint_url=endpoint_of(aws)) as functions,
            BatchOperations(aws),
            Scheduler(aws) as scheduler,
            Deployment(terraform, on_progress) as deployment,
        ):
            yield Stack(aws, functions, scheduler, deployment.outputs, folder), deployment


@contextmanager
def running(
    variables: Mapping[str, Any],
    *,
    folder: Path,
    prepare: Callable[[EmbeddedAws], Mapping[str, Any]] = lambda aws: {},
) -> Iterator[Stack]:
    """Start the stack, whole, and stop it when the block ends; see `deploying`.

    Raises:
        DeploymentError: Terraform is not installed, finds no provider, or fails.
    """
    with deploying(variables, folder=folder, prepare=prepare) as (stack, deployment):
        deployment.wait()
        yield stack
