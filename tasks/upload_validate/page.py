"""The report as a page for people: `report.html`, and the HTML part of the e-mail.

It is one file without scripts that fetches nothing, readable on a phone and in a mail reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from tasks.upload_validate.file_check import EMPTY, UNDECODABLE, UNPARSEABLE
from tasks.upload_validate.findings import UNKNOWN, FileFinding, Problem
from tasks.upload_validate.verdict import TOO_MANY_FILES, Verdict
from tasks.utils.s3_object import printable

# As for the plain text: no person reads more than this.
LIMIT = 400_000


@dataclass(frozen=True)
class Labels:
    """What the page says about the place of a set.

    Attributes:
        valid: the badge of a valid set.
        rejected: the badge of a set with errors.
        place: how the prefix is introduced.
    """

    valid: str
    rejected: str
    place: str


UPLOADED = Labels("Published", "Not published", "uploaded to")
AT_A_DESK = Labels("Valid", "Not valid", "in")

# Which errors an advice is for, and the advice.
_ADVICE: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda error: error == UNDECODABLE, "Save the file as CSV in UTF-8."),
    (
        lambda error: error == EMPTY,
        "The file has no rows: export it again, and look into it before you upload it.",
    ),
    (
        lambda error: error == UNPARSEABLE,
        'Look at the line named for a quote (") that is opened and not closed.',
    ),
    (
        lambda error: error.startswith("Incomplete file: "),
        "Rows are cut short: export the file again, or complete the rows named below.",
    ),
    (lambda error: error.startswith("File has only "), "Use a comma or a tab between the columns."),
    (
        lambda error: error.startswith(TOO_MANY_FILES),
        "Upload fewer files at a time, each part of them under a prefix of its own.",
    ),
    (
        lambda error: error.startswith("Expected ") and error.endswith(" files, found 1"),
        "Upload the other file of this set beside this one.",
    ),
)

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  background: #f3f5f7; color: #17202a; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere; }
h1 span { display: inline-block; }
h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
section { background: #fff; border: 1px solid #d5dbe1; border-left: .35rem solid #b3261e; border-radius: .4rem;
  padding: 1rem; margin: 1rem 0; }
section.fine { border-left-color: #1b7f4b; }
.badge { display: inline-block; border-radius: 1rem; padding: .1rem .7rem; font-weight: 600; color: #fff;
  background: #b3261e; }
.badge.fine { background: #1b7f4b; }
.facts { color: #56616c; margin: .25rem 0; }
ol.problems { padding: 0; margin: .5rem 0; list-style: none; }
ol.problems li { border-top: 1px solid #e3e8ec; padding: .5rem 0; overflow-wrap: anywhere; }
.where { color: #56616c; font-size: .9rem; }
code { display: block; margin-top: .25rem; padding: .4rem .6rem; background: #f3f5f7; border-radius: .25rem;
  font: .85rem/1.4 ui-monospace, SFMono-Regular, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; margin: .25rem 0; }
@media (prefers-color-scheme: dark) {
  body { background: #12171c; color: #e6eaee; }
  section { background: #1b2229; border-color: #313b45; border-left-color: #e5776f; }
  section.fine { border-left-color: #4cc38a; }
  ol.problems li { border-color: #313b45; }
  .facts, .where { color: #a3adb7; }
  code { background: #12171c; }
}
"""


def replacing_page(verdict: Verdict) -> str:
    """Return the page that stands beside the files of a set while they are being replaced."""
    name = printable(verdict.file_set.prefix)
    sentence = f"The set {name} is being replaced. The report on it comes when it is whole."
    return f'<!doctype html>\n<meta charset="utf-8">\n<title>Being replaced</title>\n<p>{escape(sentence)}</p>\n'


def page_of(verdict: Verdict, labels: Labels = UPLOADED) -> str:
    """Return the page on a set: the files, the errors with their lines, and what to do next."""
    parts = _title(verdict)
    wrong = [_section(finding, "wrong", _errors(finding)) for finding in verdict.findings if finding.problem_count]
    fine = [_section(finding, "fine", []) for finding in verdict.findings if not finding.problem_count]
    badge = _badge("", labels.rejected) if wrong else _badge(" fine", labels.valid)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # The page is served from a bucket. It loads nothing from elsewhere and runs nothing.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{' · '.join(parts)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            badge,
            # A date is not broken at its hyphens if it fits on a line.
            f"<h1>{' · '.join(f'<span>{part}</span>' for part in parts)}</h1>",
            f'<p class="facts">{_facts_of_set(verdict, len(wrong), labels.place)}</p>',
            *_as_many_as_fit([*wrong, *fine]),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def advice_for(finding: FileFinding) -> list[str]:
    """Return what to do about a file, a sentence for each step."""
    texts = {problem.text for problem in finding.problems}
    advice = []
    if finding.recognised_as:
        advice += [problem.reason for problem in finding.problems if problem.reason]
        texts -= {UNDECODABLE, UNPARSEABLE}
    advice += [sentence for is_for, sentence in _ADVICE if any(map(is_for, texts))]
    return advice or ["Correct what is named below and upload the file again."]


def facts_of(finding: FileFinding) -> list[str]:
    """Return what is known about a file: its rows, encoding and kind."""
    facts = ["1 row" if finding.rows == 1 else f"{finding.rows:,} rows"] if finding.rows else []
    facts += [finding.text.encoding] if finding.text.encoding and finding.rows else []
    facts += [finding.kind] if finding.kind != UNKNOWN else []
    return facts


def _title(verdict: Verdict) -> list[str]:
    names, council = verdict.file_set.names, verdict.profile.layout.council
    parts = [verdict.council_name] if council else []
    parts += [text for name, text in names.items() if name not in (council, "timestamp")]
    return [_safe(text) for text in parts if text] or ["Upload"]


def _facts_of_set(verdict: Verdict, rejected: int, place: str) -> str:
    more_than, prefix = verdict.file_set.more_than, _safe(verdict.file_set.prefix)
    if more_than:
        return f"more than {more_than:,} files · {place} {prefix}"
    count = len(verdict.findings)
    files = "1 file" if count == 1 else f"{count} files"
    summary = f"{files}, {rejected} with errors" if rejected else f"{files}, all in order"
    return f"{summary} · {place} {prefix}"


def _section(finding: FileFinding, css_class: str, errors: list[str]) -> str:
    facts = facts_of(finding)
    lines = [
        f'<section class="{css_class}">',
        f"<h2>{_safe(finding.key.rpartition('/')[2] or finding.key)}</h2>",
        *([f'<p class="facts">{_safe(" · ".join(facts))}</p>'] if facts else []),
        *errors,
        "</section>",
    ]
    return "\n".join(lines)


def _errors(finding: FileFinding) -> list[str]:
    noun = "error" if finding.problem_count == 1 else "errors"
    return [
        "<h3>What to do</h3>",
        "<ul>",
        *(f"<li>{_safe(sentence)}</li>" for sentence in advice_for(finding)),
        "</ul>",
        f"<h3>{finding.problem_count:,} {noun}</h3>",
        '<ol class="problems">',
        *map(_item, finding.problems),
        *_rest(finding),
        "</ol>",
    ]


def _item(problem: Problem) -> str:
    where = f'<div class="where">{problem.where}</div>' if problem.where else ""
    # The reason of a file as a whole is the advice above.
    reason = f"<div>{_safe(problem.reason)}</div>" if problem.where and problem.reason else ""
    excerpt = f"<code>{_safe(problem.excerpt)}</code>" if problem.excerpt else ""
    return f"<li>{_safe(problem.text)}{where}{reason}{excerpt}</li>"


def _rest(finding: FileFinding) -> list[str]:
    left = finding.problem_count - len(finding.problems)
    return [f"<li>… and {left:,} more</li>"] if left else []


def _badge(css_class: str, text: str) -> str:
    return f'<span class="badge{css_class}">{text}</span>'


def _as_many_as_fit(sections: Sequence[str]) -> list[str]:
    taken: list[str] = []
    length = 0
    for section in sections:
        length += len(section)
        if length > LIMIT:
            return [*taken, f"<p>… and {len(sections) - len(taken):,} more files</p>"]
        taken.append(section)
    return taken


def _safe(text: str) -> str:
    return escape(printable(text), quote=True)
