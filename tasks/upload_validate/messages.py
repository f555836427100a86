"""What people read in plain text and in Markdown: the issue and the e-mail. What uploaders write stays inert in it.

Keys, council names and cells come from outside. Control characters and line ends are shown as escapes, and in
Markdown such a text stands in a code span, in which GitHub reads neither links, mentions nor HTML.
"""

import re
from dataclasses import dataclass

from tasks.upload_validate.report import errors_of
from tasks.utils.s3_object import printable

# GitHub takes titles of 256 characters and bodies of 65,536; a subject longer than this is cut by every reader.
TITLE_LIMIT = 250
BODY_LIMIT = 60_000
# SES takes 10 MB; nobody reads more than this.
MAIL_LIMIT = 100_000
SUBJECT_LIMIT = 200


@dataclass(frozen=True)
class Issue:
    """An issue, or the comment that says the same where there is an issue already."""

    title: str
    body: str
    labels: tuple
    marker: str

    @property
    def marked_body(self):
        """The body, and after it, unseen, what the outcome is recognised by."""
        return f"{self.body}\n\n{self.marker}"

    @property
    def marked_comment(self):
        """The same as a comment."""
        return f"Updated\n{self.marked_body}"


@dataclass(frozen=True)
class Mail:
    """An e-mail, and the digest of the set that it is about."""

    subject: str
    text: str
    html: str
    outcome: str


def issue_of(verdict):
    """Returns the `Issue` that asks for a set to be imported."""
    words = verdict.profile.words
    lines = [f"EMS: {printable(verdict.ems)}", "Files:"]
    keys = [f"- {code_span(finding.key)}" for finding in verdict.findings]
    return Issue(
        title=printable(verdict.fill(words.issue_title))[:TITLE_LIMIT],
        body="\n".join([*lines, *_as_many_as_fit(keys, BODY_LIMIT, "- and {} more")]),
        labels=words.labels,
        marker=f"<!-- upload_validate {verdict.file_set.digest} -->",
    )


def mail_of(verdict, html):
    """Returns the `Mail` that says what is wrong with a set.

    Args:
        verdict: the `Verdict`.
        html: the same for people whose mail shows HTML.
    """
    words = verdict.profile.words
    parts = [f"{printable(finding.key)}:\n{_lines(errors_of(finding))}\n\n" for finding in verdict.rejected]
    told = "".join(_as_many_as_fit(parts, MAIL_LIMIT, "... and {} more files\n\n"))
    return Mail(
        subject=printable(verdict.fill(words.subject))[:SUBJECT_LIMIT],
        text=f"{printable(verdict.fill(words.opening))}\n\n{told}\nPlease follow up.",
        html=html,
        outcome=verdict.file_set.digest,
    )


def code_span(text):
    """Returns a text as a Markdown code span, whatever backticks it holds (CommonMark 6.1)."""
    shown = printable(text)
    if "`" not in shown:
        return f"`{shown}`"
    fence = "`" * (1 + max(map(len, re.findall("`+", shown))))
    return f"{fence} {shown} {fence}"


def _lines(text):
    return "\n".join(printable(line) for line in text.split("\n"))


def _as_many_as_fit(parts, limit, rest):
    taken, length = [], 0
    for part in parts:
        length += len(part) + 1
        if length > limit:
            return [*taken, rest.format(len(parts) - len(taken))]
        taken.append(part)
    return taken
