"""Moto, patched where it answers otherwise than AWS does.

Each patch is one function that wraps one of moto's; its docstring says what AWS does and what moto does instead, and
its test fails when moto has become right by itself, so that the patch can go.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from local.patches import (
    dynamodb,
    events,
    iam,
    lambda_,
    lambda_recursion,
    s3_annotations,
    s3_checksums,
    s3_copy,
    s3_destinations,
    s3_events,
    s3_limits,
    s3_locks,
    s3_parts,
    s3_permissions,
    s3_requests,
    s3_restore,
    s3_tags,
    s3_versions,
    sqs,
    sqs_moves,
    sts_federation,
)
from local.patches.hooks import HOOKS, Hooks
from local.patches.patching import PATCHES, Applications, Patch

__all__ = [
    "PATCHES",
    "Hooks",
    "Patch",
    "applied",
    "dynamodb",
    "events",
    "iam",
    "lambda_",
    "lambda_recursion",
    "s3_annotations",
    "s3_checksums",
    "s3_copy",
    "s3_destinations",
    "s3_events",
    "s3_limits",
    "s3_locks",
    "s3_parts",
    "s3_permissions",
    "s3_requests",
    "s3_restore",
    "s3_tags",
    "s3_versions",
    "sqs",
    "sqs_moves",
    "sts_federation",
]

_applications = Applications()


@contextmanager
def applied(*, without: Collection[Patch] = ()) -> Iterator[Hooks]:
    """Apply all patches to the moto of this process until the block ends; blocks may be nested.

    Args:
        without: Patches to leave out.

    Yields:
        The settings of the patches, which go back to their defaults when the outermost block ends.
    """
    _applications.enter(without)
    try:
        yield HOOKS
    finally:
        if _applications.leave():
            HOOKS.reset()
