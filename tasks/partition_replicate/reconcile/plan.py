"""What to do next with a key: a pure function of what is known.

No function here or in `plan_*.py` makes a request, reads a clock or changes anything.
"""

from __future__ import annotations

from tasks.partition_replicate.reconcile import plan_current, plan_versions
from tasks.partition_replicate.reconcile.policy import Policy
from tasks.partition_replicate.reconcile.snapshot import Snapshot
from tasks.partition_replicate.reconcile.steps import Done, Step, SweepUploads
from tasks.utils.events import Kind


def next_step(snapshot: Snapshot, policy: Policy) -> Step:
    """Return the next step for a key.

    Args:
        snapshot: what is known, and what was not observed yet.
        policy: what the settings ask for.
    """
    plan = plan_versions if policy.every_version else plan_current
    step: Step = plan.next_step(snapshot, policy)
    if isinstance(step, Done) and snapshot.event.kind is Kind.RECHECK and not snapshot.progress.is_swept:
        return SweepUploads()
    return step
