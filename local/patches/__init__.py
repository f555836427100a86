"""Patches of moto, where it differs from AWS.

Each patch is one function that wraps one of moto's. Its docstring says what AWS does and what moto does instead. Its
test fails once moto behaves like AWS, so that the patch can be deleted.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from local.patches import (
    cloudwatch,
    codebuild,
    dynamodb,
    events,
    iam,
    iam_simulation,
    lambda_,
    lambda_account,
    lambda_recursion,
    logs,
    s3_annotations,
    s3_checksums,
    s3_copy,
    s3_destinations,
    s3_events,
    s3_jobs,
    s3_keys,
    s3_limits,
    s3_locks,
    s3_parts,
    s3_permissions,
    s3_requests,
    s3_restore,
    s3_tags,
    s3_versions,
    scheduler,
    sqs,
    sqs_metrics,
    sqs_moves,
    sts_federation,
)
from local.patches.hooks import HOOKS, Hooks
from local.patches.patching import PATCHES, Patch, PatchCounter

__all__ = [
    "PATCHES",
    "Hooks",
    "Patch",
    "applied",
    "cloudwatch",
    "codebuild",
    "dynamodb",
    "events",
    "iam",
    "iam_simulation",
    "lambda_",
    "lambda_account",
    "lambda_recursion",
    "logs",
    "s3_annotations",
    "s3_checksums",
    "s3_copy",
    "s3_destinations",
    "s3_events",
    "s3_jobs",
    "s3_keys",
    "s3_limits",
    "s3_locks",
    "s3_parts",
    "s3_permissions",
    "s3_requests",
    "s3_restore",
    "s3_tags",
    "s3_versions",
    "scheduler",
    "sqs",
    "sqs_metrics",
    "sqs_moves",
    "sts_federation",
]

_counter = PatchCounter()


@contextmanager
def applied(*, without: Collection[Patch] = ()) -> Iterator[Hooks]:
    """Apply all patches to the moto of this process until the block ends. Blocks may be nested.

    Args:
        without: Patches to leave out.

    Yields:
        The settings of the patches, which are reset when the outermost block ends.
    """
    _counter.enter(without)
    try:
        yield HOOKS
    finally:
        if _counter.leave():
            HOOKS.reset()
