"""The issue in Markdown and the e-mail in plain text. Text that an uploader wrote stays inert in both.

Keys, council names and cells come from outside. Control characters and line ends are shown as escapes. In Markdown such
a text is a code span, in which GitHub reads neither links, mentions nor HTML.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.upload_validate.findings import FileFinding, Problem
from tasks.upload_validate.verdict import Verdict, errors_of
from tasks.utils.s3_object import printable

# GitHub takes titles of 256 characters and bodies of 65,536; mail readers cut a subject longer than this.
TITLE_LIMIT = 250
BODY_LIMIT = 60_000
# SES takes 10 MB; no person reads more than this.
MAIL_LIMIT = 100_000
SUBJECT_LIMIT = 200


@dataclass(frozen=True)
class Issue:
    """An issue, or the comment with the same text on an existing issue."""

    title: str
    body: str
    labels: tuple[str, ...]
    marker: str

    @property
    def marked_body(self) -> str:
        """The body, followed by the hidden marker of the outcome."""
        return f"{self.body}\n\n{self.marker}"

    @property
    def marked_comment(self) -> str:
        """The same as a comment."""
        return f"Updated\n{self.marked_body}"


@dataclass(frozen=True)
class Mail:
    """An e-mail, and the digest of the set that it is about."""

    subject: str
    text: str
    html: str
    outcome: str


def issue_of(verdict: Verdict) -> Issue:
    """Return the issue that asks a person to import a set."""
    keys = [f"- {code_span(finding.key)}" for finding in verdict.findings]
    files = _as_many_as_fit(keys, BODY_LIMIT, "- and {} more")
    return Issue(
        title=printable(verdict.fill(verdict.profile.words.issue_title))[:TITLE_LIMIT],
        body="\n".join([f"EMS: {printable(verdict.ems)}", "Files:", *files]),
        labels=verdict.profile.words.labels,
        marker=f"<!-- upload_validate {verdict.file_set.digest} -->",
    )


def mail_of(verdict: Verdict, html: str) -> Mail:
    """Return the e-mail that lists the errors of a set.

    Args:
        verdict: the `Verdict`.
        html: the same for mail readers that show HTML.
    """
    words = verdict.profile.words
    parts = [f"{printable(finding.key)}:\n{_lines(errors_of(finding))}\n\n" for finding in verdict.rejected]
    errors = "".join(_as_many_as_fit(parts, MAIL_LIMIT, "... and {} more files\n\n"))
    details = "".join(_as_many_as_fit(list(map(_details, verdict.rejected)), MAIL_LIMIT, "\n... and {} more files\n"))
    return Mail(
        subject=printable(verdict.fill(words.subject))[:SUBJECT_LIMIT],
        text=f"{printable(verdict.fill(words.opening))}\n\n{errors}\nPlease follow up.{details}",
        html=html,
        outcome=verdict.file_set.digest,
    )


def code_span(text: str) -> str:
    """Return a text as a Markdown code span, even if it contains backticks (CommonMark 6.1)."""
    shown = printable(text)
    if "`" not in shown:
        return f"`{shown}`"
    fence = "`" * (1 + max(map(len, re.findall("`+", shown))))
    return f"{fence} {shown} {fence}"


def place_of(problem: Problem) -> str:
    """Return where an error is, why it is one, and the beginning of the row, in one line; "" if nothing is known."""
    parts = [problem.where, problem.reason, problem.excerpt]
    return printable(": ".join(filter(None, parts)))


def _details(finding: FileFinding) -> str:
    places = [place for place in map(place_of, finding.problems) if place]
    return f"\n\nDetails of {printable(finding.key)}:\n" + "\n".join(places) if places else ""


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def _as_many_as_fit(parts: Sequence[str], limit: int, rest: str) -> list[str]:
    taken: list[str] = []
    length = 0
    for part in parts:
        length += len(part) + 1
        if length > limit:
            return [*taken, rest.format(len(parts) - len(taken))]
        taken.append(part)
    return taken
