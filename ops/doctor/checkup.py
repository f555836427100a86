"""The run of all checks: one that fails or may not look gives a finding too, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.aws import sentence_of
from ops.deployment import Deployment
from ops.doctor.facts import Facts, NotAllowed, ReportedElsewhere
from ops.doctor.findings import Finding, Result, unknown
from ops.errors import OpsError


@dataclass(frozen=True)
class Check:
    """A check.

    Attributes:
        name: its name.
        looks_at: what it looks at, for the documentation.
        subjects: the subjects of a deployment; each has a `task` and a `label`.
        run: yields the results for one subject.
    """

    name: str
    looks_at: str
    subjects: Callable[[Deployment], Iterable[Any]]
    run: Callable[[Facts, Any], Iterator[Result]]


def findings(facts: Facts, checks: Iterable[Check]) -> Iterator[Finding]:
    """Run checks on all their subjects.

    Args:
        facts: the state of the deployment.
        checks: the checks.

    Yields:
        The findings.
    """
    for check in checks:
        for subject in check.subjects(facts.deployment):
            for result in _results(facts, check, subject):
                yield Finding(subject.task.name, check.name, subject.label, result)


def _results(facts: Facts, check: Check, subject: Any) -> Iterator[Result]:
    try:
        yield from check.run(facts, subject)
    except ReportedElsewhere:
        return
    except NotAllowed as error:
        yield unknown(f"the caller may not look: it needs {error.permission}", f"allow {error.permission}")
    except (ClientError, BotoCoreError) as error:
        yield unknown(sentence_of(error))
    except OpsError as error:
        yield unknown(str(error))
    except Exception as error:  # pylint: disable=broad-exception-caught  # the other checks go on
        yield unknown(f"the check itself fails with {type(error).__name__}: {error}; please report that")
