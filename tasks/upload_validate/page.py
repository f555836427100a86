"""The report as a page for people: `report.html`, and the HTML part of the e-mail.

One file without scripts and without anything fetched, readable on a phone and in a mail reader.
"""

from html import escape

from tasks.upload_validate.file_check import EMPTY, UNDECODABLE, UNPARSEABLE
from tasks.upload_validate.report import TOO_MANY_FILES
from tasks.utils.s3_object import printable

# As for the plain text: what is longer, nobody reads.
LIMIT = 400_000

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


def replacing_page(verdict):
    """Returns the page that stands beside the files of a set while they are being replaced, as a text."""
    name = printable(verdict.file_set.prefix)
    sentence = f"The set {name} is being replaced. The report on it comes when it is whole."
    return f'<!doctype html>\n<meta charset="utf-8">\n<title>Being replaced</title>\n<p>{escape(sentence)}</p>\n'


def page_of(verdict):
    """Returns the page as a text: what was uploaded, what is wrong where, and what to do next."""
    parts = _title(verdict)
    sections = _as_many_as_fit([_section(finding) for finding in _wrong_ones_first(verdict.findings)])
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # The page is served from a bucket, and nothing in it may come from elsewhere or run.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{' · '.join(parts)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            _badge(verdict.valid, "Published", "Not published"),
            # A date is not broken at its hyphens as long as there is a line that it fits on.
            f"<h1>{' · '.join(f'<span>{part}</span>' for part in parts)}</h1>",
            f'<p class="facts">{_facts_of_set(verdict)}</p>',
            *sections,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def advice_for(finding):
    """Returns what to do about a file, a sentence each."""
    texts = {problem.text for problem in finding.problems}
    advice = []
    if finding.recognised_as:
        advice.append(f"This is {finding.recognised_as}. Save or export it as CSV in UTF-8 and upload that.")
    elif UNDECODABLE in texts:
        advice.append("Save the file as CSV in UTF-8.")
    if EMPTY in texts:
        advice.append("The file has no rows: export it again, and look into it before you upload it.")
    if UNPARSEABLE in texts and not finding.recognised_as:
        advice.append('Look at the line named for a quote (") that is opened and not closed.')
    if any(text.startswith("Incomplete file: ") for text in texts):
        advice.append("Rows are cut short: export the file again, or complete the rows named below.")
    if any(text.startswith("File has only ") for text in texts):
        advice.append("Use a comma or a tab between the columns.")
    if any(text.startswith(TOO_MANY_FILES) for text in texts):
        advice.append("Upload fewer files at a time, each part of them under a prefix of its own.")
    if any(text.startswith("Expected ") and text.endswith(" files, found 1") for text in texts):
        advice.append("Upload the other file of this set beside this one.")
    return advice or ["Correct what is named below and upload the file again."]


def _title(verdict):
    names = verdict.file_set.names
    told = [verdict.council_name] if verdict.profile.council else []
    told += [text for name, text in names.items() if name not in (verdict.profile.council, "timestamp")]
    return [_safe(text) for text in told] or ["Upload"]


def _facts_of_set(verdict):
    more_than = verdict.file_set.more_than
    if more_than:
        return f"more than {more_than:,} files · uploaded to {_safe(verdict.file_set.prefix)}"
    count, wrong = len(verdict.findings), len(verdict.rejected)
    files = "1 file" if count == 1 else f"{count} files"
    told = f"{files}, {wrong} with errors" if wrong else f"{files}, all in order"
    return f"{told} · uploaded to {_safe(verdict.file_set.prefix)}"


def _wrong_ones_first(findings):
    return sorted(findings, key=lambda finding: finding.valid)


def _section(finding):
    facts = ["1 row" if finding.rows == 1 else f"{finding.rows:,} rows"] if finding.rows else []
    facts += [finding.encoding] if finding.encoding and finding.rows else []
    facts += [finding.kind] if finding.kind != "unknown" else []
    lines = [
        f'<section class="{"fine" if finding.valid else "wrong"}">',
        f"<h2>{_safe(finding.key.rpartition('/')[2] or finding.key)}</h2>",
        *([f'<p class="facts">{_safe(" · ".join(facts))}</p>'] if facts else []),
    ]
    if not finding.valid:
        noun = "error" if finding.problem_count == 1 else "errors"
        lines += [
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
    return "\n".join([*lines, "</section>"])


def _item(problem):
    where = "" if problem.line is None else f'<div class="where">line {problem.line:,}, row {problem.row:,}</div>'
    excerpt = f"<code>{_safe(problem.excerpt)}</code>" if problem.excerpt else ""
    return f"<li>{_safe(problem.text)}{where}{excerpt}</li>"


def _rest(finding):
    left = finding.problem_count - len(finding.problems)
    return [f"<li>… and {left:,} more</li>"] if left else []


def _badge(fine, yes, no):
    return f'<span class="badge{" fine" if fine else ""}">{yes if fine else no}</span>'


def _as_many_as_fit(sections):
    taken, length = [], 0
    for section in sections:
        length += len(section)
        if length > LIMIT:
            return [*taken, f"<p>… and {len(sections) - len(taken):,} more files</p>"]
        taken.append(section)
    return taken


def _safe(text):
    return escape(printable(text), quote=True)
