"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The verdict of a check; the worst stands first.

    Attributes:
        PROBLEM: objects stay behind, or soon will.
        WARNING: a protection is missing, or a limit is near.
        UNKNOWN: the check could not look.
        OK: nothing is wrong.
    """

    PROBLEM = "problem"
    WARNING = "warning"
    UNKNOWN = "unknown"
    OK = "ok"


@dataclass(frozen=True)
class Result:
    """The result of one check.

    Attributes:
        verdict: the verdict.
        sentence: what was seen, in one sentence.
        command: the command, or the Terraform variable, that settles it.
    """

    verdict: Verdict
    sentence: str
    command: str = ""


@dataclass(frozen=True)
class Finding:
    """A result, with what was checked.

    Attributes:
        task: the task, or `deployment`.
        check: the name of the check.
        subject: the name of the function, queue, bucket or table.
        result: the result.
    """

    task: str
    check: str
    subject: str
    result: Result


def ok(sentence: str) -> Result:
    """Return a result that needs no action."""
    return Result(Verdict.OK, sentence)


def warning(sentence: str, command: str) -> Result:
    """Return a missing protection, or a limit that is near."""
    return Result(Verdict.WARNING, sentence, command)


def problem(sentence: str, command: str) -> Result:
    """Return a fault because of which objects stay behind."""
    return Result(Verdict.PROBLEM, sentence, command)


def unknown(sentence: str, command: str = "") -> Result:
    """Return the reason why a check could not look."""
    return Result(Verdict.UNKNOWN, sentence, command)


def check_that(holds: bool, good: str, otherwise: Result) -> Result:
    """Return a good result if a condition holds, and the other one if not."""
    return ok(good) if holds else otherwise
