"""The workload of the command's options, with the settings of a deployment or of Terraform's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.brigade import Brigade
from ops.deployment import Task
from ops.estimating.units import size
from ops.estimating.workload import DEFAULTS, Function, Workload, function_of


def workload_of(brigade: Brigade, object_size: int, options: Mapping[str, Any]) -> Workload:
    """Return what is estimated.

    Args:
        brigade: with the deployment, if an option names one.
        object_size: bytes of one object.
        options: the command's.

    Raises:
        OpsError: the deployment does not have the task, or an option is wrong.
    """
    task: Task | None = None
    if brigade.names_a_deployment:
        task = brigade.task(options["task"], brigade.deployment.tasks)
    settings = brigade.settings(task.functions[-1]) if task else {}
    versions = options["versions"] or settings.get("VERSIONS") or "current"
    return Workload(
        task=options["task"],
        size=object_size,
        function=_deployed(brigade, task) if task else DEFAULTS[options["task"]],
        all_versions=versions == "all",
        annotations=settings.get("ANNOTATIONS", "carry") == "carry",
        part_size=size(options["part_size"], "--part-size") if options["part_size"] else None,
        prefixes=options["prefixes"],
        kms=options["kms"],
        region=brigade.account.region or "us-east-1",
    )


def _deployed(brigade: Brigade, task: Task) -> Function:
    functions, name = brigade.client("lambda"), task.functions[-1]
    mappings = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    most = [each.get("ScalingConfig", {}).get("MaximumConcurrency") for each in mappings]
    return function_of(functions.get_function_configuration(FunctionName=name), next(filter(None, most), None))
