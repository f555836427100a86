"""What is known of a mirror as a whole: its policy, its queues, its open uploads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from ops.brigade import Brigade
from ops.deployment import Mirror, Task
from ops.letter_queues import letter_queues
from ops.letter_reader import letters_of
from tasks.mirror_check.causes import Circumstances, Why, cause_of
from tasks.mirror_check.circumstances import messages_in, open_uploads
from tasks.mirror_check.evidence import Comparer
from tasks.mirror_check.findings import Finding


@dataclass
class Explainer:
    """Says why keys differ. What is known of the mirror is asked for once, for the first key that differs.

    Attributes:
        brigade: the command's deployment and clients.
        mirror: the mirror.
        evidence: compares its sides.
        lag: seconds within which the event of a change arrives.
    """

    brigade: Brigade
    mirror: Mirror
    evidence: Comparer
    lag: float

    def __call__(self, finding: Finding) -> Why:
        return cause_of(finding, self._circumstances)

    @cached_property
    def _circumstances(self) -> Circumstances:
        return circumstances_of(self.brigade, self.mirror, self.evidence, lag=self.lag)


def circumstances_of(brigade: Brigade, mirror: Mirror, evidence: Comparer, *, lag: float) -> Circumstances:
    """Return the circumstances of a mirror.

    Args:
        brigade: the command's deployment and clients.
        mirror: the mirror.
        evidence: compares its sides.
        lag: seconds within which the event of a change arrives.
    """
    settings, sqs = brigade.settings(mirror.replicate), brigade.client("sqs")
    return Circumstances(
        prefixes=_prefixes(brigade, mirror),
        keeps_deleted=settings.get("DELETES") == "keep",
        keeps_versions=settings.get("VERSION_DELETES", "keep") == "keep",
        carries_annotations=settings.get("ANNOTATIONS", "carry") == "carry",
        waiting=sum(messages_in(sqs, queue.url) for queue in mirror.queues),
        dead=reasons_of_dead_letters(sqs, mirror),
        uploads=frozenset(open_uploads(evidence.destination)),
        settled_before=datetime.now(UTC) - timedelta(seconds=lag),
    )


def reasons_of_dead_letters(sqs: Any, task: Task) -> dict[str, str]:
    """Return key -> reason; the dead letters stay where they are."""
    letters = letters_of(sqs, letter_queues((task,)))
    return {address.key: letter.reason for letter in letters for address in letter.addresses}


def _prefixes(brigade: Brigade, mirror: Mirror) -> tuple[str, ...]:
    """Return the prefixes that the mirror's rule selects; () for all keys."""
    try:
        # Terraform gives the rule the name of the function.
        pattern = json.loads(brigade.client("events").describe_rule(Name=mirror.replicate)["EventPattern"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return ()
    keys = pattern.get("detail", {}).get("object", {}).get("key", [])
    return tuple(key["prefix"] for key in keys)
