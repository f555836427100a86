"""`brigade doctor`: what is wrong with a deployment, and the command that settles it."""

from __future__ import annotations

import click

from ops.brigade import Brigade
from ops.cli import BrigadeCommand
from ops.doctor.all_checks import CHECKS
from ops.doctor.checkup import findings
from ops.doctor.facts import Facts
from ops.doctor.findings import Finding, Verdict
from ops.errors import ExitStatus
from ops.plurals import number_of

STYLES = {Verdict.PROBLEM: "bold red", Verdict.WARNING: "yellow", Verdict.UNKNOWN: "cyan", Verdict.OK: "green"}


@click.command("doctor", cls=BrigadeCommand)
@click.option("--all", "show_all", is_flag=True, help="Show also what is right.")
def command(brigade: Brigade, show_all: bool) -> ExitStatus:
    """Find what is wrong with a deployment, and name the command that settles it.

    It only reads: credentials on both sides, versioning, events, permissions, keys, quotas and more. A check that
    cannot look says why, and which permission it needs.

    Exit status: 0 no problem and no warning, 1 problems or warnings, 2 failure.
    """
    facts = Facts(brigade)
    # Without an identity, no check can look.
    _ = facts.deployment, facts.caller
    found = list(findings(facts, CHECKS))
    for finding in found:
        brigade.screen.record(record_of(finding))
    _show(brigade, found, show_all)
    bad = any(finding.result.verdict in (Verdict.PROBLEM, Verdict.WARNING) for finding in found)
    return ExitStatus.DIFFERENT if bad else ExitStatus.DONE


def record_of(finding: Finding) -> dict[str, str]:
    """Return a finding as `--json` prints it."""
    return {
        "task": finding.task,
        "check": finding.check,
        "subject": finding.subject,
        "verdict": finding.result.verdict,
        "sentence": finding.result.sentence,
        "command": finding.result.command,
    }


def _show(brigade: Brigade, found: list[Finding], show_all: bool) -> None:
    """Print the findings by task, problems first, then the count of each verdict."""
    order = list(Verdict)
    for task in dict.fromkeys(finding.task for finding in found):
        own = [each for each in found if each.task == task and (show_all or each.result.verdict != Verdict.OK)]
        if own:
            brigade.screen.say(task, "bold")
        for each in sorted(own, key=lambda finding: order.index(finding.result.verdict)):
            verdict = each.result.verdict
            brigade.screen.say(f"  {verdict:8} {each.check}: {each.subject}: {each.result.sentence}", STYLES[verdict])
            if each.result.command:
                brigade.screen.say(f"           {each.result.command}")
    brigade.screen.say(summary_of(found))


def summary_of(found: list[Finding]) -> str:
    """Return the count of each verdict."""
    counts = {verdict: sum(each.result.verdict == verdict for each in found) for verdict in Verdict}
    nouns = (Verdict.PROBLEM, Verdict.WARNING)
    texts = (number_of(count, each) if each in nouns else f"{count} {each}" for each, count in counts.items())
    return ", ".join(texts)
