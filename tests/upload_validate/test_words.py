"""The texts that people read: exact words, and inert text of uploaders."""

from html.parser import HTMLParser

import pytest

from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.findings import FileFinding, Problem
from tasks.upload_validate.messages import BODY_LIMIT, code_span, issue_of, mail_of
from tasks.upload_validate.page import advice_for, page_of
from tasks.upload_validate.verdict import Verdict, errors_of
from tests.upload_validate.conftest import PREFIX, csv_of

NAMES = {"gss": "E07000223", "election_date": "2025-05-01", "timestamp": "1"}
HOSTILE = [
    "a`b``c.csv",
    "a\n- [x](javascript:alert(1)).csv",
    "@octocat.csv",
    "<script>alert(1)</script>.csv",
    "a\r\nBcc: all@example.org.csv",
    '=HYPERLINK("http://x").csv',
    "\u202egpj.csv",
    '"onload="x',
    "<!-- -->",
    "a\0b",
    "&lt;img src=x onerror=alert(1)&gt;",
    "![x](http://evil.example/x.png)",
    "\ud800.csv",
]


def verdict_of(profile, *findings, names=None, council="Adur District Council", prefix=PREFIX):
    files = tuple(UploadedFile(finding.key, "etag", 2000) for finding in findings)
    file_set = FileSet("uploads", prefix, {**NAMES, **(names or {})}, files)
    return Verdict(profile, file_set, tuple(findings), council)


def wrong(key, *texts, count=None, excerpt=""):
    problems = tuple(Problem(text, 2, 3, excerpt) for text in texts)
    return FileFinding(key, rows=9, problems=problems, problem_count=count or len(problems))


def test_issue_has_its_exact_words(profile):
    issue = issue_of(verdict_of(profile, FileFinding("x/a.csv", kind="Xpress DC"), FileFinding("x/b.csv")))
    assert issue.title == "Import E07000223-Adur District Council for 2025-05-01"
    assert issue.body == "EMS: Xpress DC\nFiles:\n- `x/a.csv`\n- `x/b.csv`"
    assert issue.marked_body == f"{issue.body}\n\n{issue.marker}"
    assert issue.marked_comment == f"Updated\n{issue.body}\n\n{issue.marker}"
    assert issue.labels == ("Data Import", "ready")


def test_mail_has_its_exact_words(profile):
    mail = mail_of(verdict_of(profile, FileFinding("x/a.csv"), wrong("x/b.csv", "One", "Two")), "<p>")
    assert mail.subject == "Error with data for council E07000223-Adur District Council"
    assert mail.text == (
        "Data for council E07000223-Adur District Council failed because:\n\nx/b.csv:\nOne\nTwo\n\n\nPlease follow up."
        "\n\nDetails of x/b.csv:\nline 3, row 2\nline 3, row 2"
    )


def test_mail_on_errors_without_a_line_has_no_details(profile):
    finding = FileFinding("x/b.csv", problems=(Problem("One"),), problem_count=1)
    assert mail_of(verdict_of(profile, finding), "<p>").text.endswith("x/b.csv:\nOne\n\n\nPlease follow up.")


def test_errors_beyond_the_limit_are_counted():
    assert errors_of(wrong("a", "One", "Two", count=12)) == "One\nTwo\n... and 10 more errors"


@pytest.mark.parametrize(
    "text, span", [("a", "`a`"), ("a`b", "`` a`b ``"), ("```", "```` ``` ````"), ("a\nb", "`a\\nb`"), ("`", "`` ` ``")]
)
def test_code_span_holds_any_text(text, span):
    assert code_span(text) == span


def in_code_spans(line):
    """Return the part of a list item that GitHub shows as code: between two equal runs of backticks (CommonMark)."""
    run = len(line) - len(line.lstrip("`"))
    inside, fence, after = line[run:].partition("`" * run)
    assert (run > 0, fence, after) == (True, "`" * run, "")
    return inside


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_key_is_inert_in_an_issue(profile, hostile):
    issue = issue_of(verdict_of(profile, FileFinding(hostile), names={"gss": hostile}, council=hostile))
    first, second, item = issue.body.split("\n")
    assert (first, second, item[:2]) == ("EMS: unknown", "Files:", "- ")
    assert in_code_spans(item[2:])
    assert issue.title.isprintable()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_key_is_inert_in_a_mail(profile, hostile):
    mail = mail_of(verdict_of(profile, wrong(hostile, hostile), names={"gss": hostile}, council=hostile), "")
    assert mail.subject.isprintable()
    assert all(line.isprintable() for line in mail.text.split("\n"))
    mail.text.encode("utf-8")


class Elements(HTMLParser):
    """Collects the elements, attributes and texts of a page."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.open = set(), [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def read(page):
    elements = Elements()
    elements.feed(page)
    elements.close()
    assert not elements.open
    return elements


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_key_and_content_are_inert_in_the_page(profile, hostile):
    plain = read(page_of(verdict_of(profile, wrong("x/plain", "plain", excerpt="plain"))))
    finding = wrong(f"x/{hostile}", hostile, excerpt=hostile)
    page = page_of(verdict_of(profile, finding, names={"gss": hostile}, council=hostile, prefix=hostile))
    elements = read(page)
    assert elements.tags == plain.tags
    assert elements.attributes == plain.attributes
    page.encode("utf-8")


def test_page_loads_and_runs_nothing(profile):
    elements = read(page_of(verdict_of(profile, wrong("x/a", "One"))))
    assert elements.tags.isdisjoint({"script", "link", "img", "iframe", "object", "a", "form"})
    assert {name for name, _ in elements.attributes} <= {"lang", "charset", "name", "content", "http-equiv", "class"}
    assert ("name", "viewport") in elements.attributes


def test_page_shows_each_error_with_its_line_and_what_to_do(profile):
    content = csv_of(3) + b"<b>short</b>,2\n"
    found = check_file("x/stations.csv", len(content), [content], profile=profile, limit=5)
    texts = read(page_of(verdict_of(profile, found, FileFinding("x/fine.csv", rows=9)))).texts
    for expected in (
        "Not published",
        "stations.csv",
        "Incomplete file: Expected 3 columns on row 5 found 2",
        "line 5, row 5",
        "<b>short</b>,2",
        "Rows are cut short: export the file again, or complete the rows named below.",
        "fine.csv",
    ):
        assert expected in texts


@pytest.mark.parametrize(
    "content, advice",
    [
        ("a,b,c\n1,2,3\n".encode("utf-16"), "This is UTF-16 text. Save or export it as CSV in UTF-8 and upload that."),
        (b"PK\x03\x04", "This is a ZIP archive. Unpack it and upload the files that are in it."),
        (b"", "The file has no rows"),
        (b'a,b,c\n1,"', "Look at the line named for a quote"),
        (b"a\n1\n", "Use a comma or a tab between the columns."),
        (b"a,b,c\n1\n", "Rows are cut short"),
        (b"a,b,c\n1,2,3\n", "Correct what is named below"),
    ],
)
def test_advice_fits_the_error(profile, content, advice):
    found = check_file("a.csv", 100, [content], profile=profile, limit=5)
    assert any(sentence.startswith(advice) for sentence in advice_for(found))


def test_lone_file_of_two_gets_the_advice_to_upload_the_other(profile):
    content = csv_of(header="a,b,xordinate")
    (found,) = profile.check_set([check_file("a.csv", 2000, [content], profile=profile, limit=5)])
    assert advice_for(found) == ["Upload the other file of this set beside this one."]


def test_texts_on_thousands_of_files_stay_within_their_limits(profile):
    findings = [wrong(f"{number}{'k' * 900}", "x" * 500) for number in range(1005)]
    verdict = verdict_of(profile, *findings)
    assert len(issue_of(verdict).marked_comment) < BODY_LIMIT + 300
    assert issue_of(verdict).body.splitlines()[-1].endswith(" more")
    assert len(page_of(verdict)) < 500_000
    assert "more files" in mail_of(verdict, "").text
