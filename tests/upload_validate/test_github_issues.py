"""Councils are looked up, and issues raised, at services that work."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tasks.upload_validate.api_keys import KeyRing
from tasks.upload_validate.messages import Issue
from tasks.upload_validate.reporters.councils import council_name
from tasks.upload_validate.reporters.github_issues import GithubIssues
from tasks.upload_validate.reporters.http import HttpClient
from tasks.utils.retry import RetryPolicy
from tests.upload_validate.conftest import GITHUB, REPOSITORY

QUICK = HttpClient(RetryPolicy(tries=3))
KEY = KeyRing(None, None).key("github-key")
ISSUE = Issue("Import E01-Adur for 2025", "EMS: unknown\nFiles:\n- `a`", ("Data Import", "ready"), "<!-- mark -->")


def test_council_is_looked_up_by_any_code(server):
    server.line = [(200, {}, b'{"name": "Adur"}')]
    assert council_name(QUICK, server.url + "/", "E01/../x?y#z") == "Adur"
    assert server.received[0][1] == "/hook/E01%2F..%2Fx%3Fy%23z.json"


def github(**about):
    return GithubIssues(QUICK, GITHUB, REPOSITORY, about.get("key", KEY))


def test_open_issue_of_the_title_gets_a_comment(outside):
    outside.page_size = 2
    for number in range(4):
        outside.open_issue(f"Another {number}")
    outside.open_issue(ISSUE.title, pull_request={})
    outside.open_issue(ISSUE.title, state="closed")
    there = outside.open_issue(ISSUE.title, html_url=f"https://github.com/{REPOSITORY}/issues/7#top")
    assert github().report(ISSUE, since=None) == f"https://github.com/{REPOSITORY}/issues/7"
    assert outside.comments_of(there["number"]) == [ISSUE.marked_comment]
    # After a crash the same report is repeated, and finds its marker among many comments.
    for number in range(5):
        outside.comments[7].insert(0, {"body": f"{number}"})
    assert github().report(ISSUE, since=None) == f"https://github.com/{REPOSITORY}/issues/7"
    assert len(outside.comments_of(7)) == 6


def test_every_call_to_github_carries_the_key(outside):
    # The stand-in for GitHub refuses any other key.
    github().report(ISSUE, since=None)
    assert [method for method, _ in outside.calls] == ["GET", "POST"]
    assert outside.issues[0]["body"] == ISSUE.marked_body


@pytest.mark.parametrize("others", [0, 3_000])
def test_search_takes_two_calls_in_a_repository_of_any_size(outside, others):
    for number in range(others):
        outside.open_issue(f"Another {number}", labels=[{"name": "bug"}, {"name": "ready"}])
        outside.open_issue(ISSUE.title, state="closed", labels=[])
    uploaded = datetime.now(UTC) - timedelta(hours=1)
    there = github().report(ISSUE, since=uploaded)
    assert there == f"https://github.com/{REPOSITORY}/issues/{2 * others + 1}"
    assert [method for method, _ in outside.calls] == ["GET", "GET", "POST"]
    # The same again, as after a lost answer.
    outside.calls.clear()
    assert github().report(ISSUE, since=uploaded) == there
    assert ([method for method, _ in outside.calls], len(outside.issues)) == (["GET"] * 2, 2 * others + 1)


def test_issue_that_a_person_took_the_label_ready_from_gets_a_comment(outside):
    there = outside.open_issue(ISSUE.title, labels=[{"name": "in progress"}, {"name": "Data Import"}])
    github().report(ISSUE, since=None)
    assert outside.comments_of(there["number"]) == [ISSUE.marked_comment]


@pytest.mark.parametrize("labels, wanted", [((), None), (("a,b",), None), (("a,b", "c"), "c")])
def test_label_that_a_query_cannot_name_is_not_searched_for(outside, labels, wanted):
    issue = replace(ISSUE, labels=labels)
    there = outside.open_issue(ISSUE.title, labels=[{"name": wanted or "another"}])
    github().report(issue, since=None)
    assert outside.comments_of(there["number"]) == [ISSUE.marked_comment]


@pytest.mark.parametrize(
    "labels, warnings", [(["data import"], 0), ([{"name": "Data Import"}], 0), ([], 1), (None, 1), (7, 1), ([7, {}], 1)]
)
def test_issue_whose_label_github_dropped_causes_a_warning(server, caplog, labels, warnings):
    made = {"number": 7, "title": "a", "html_url": "https://github.com/7", "labels": labels}
    server.line = [(200, {}, b"[]"), (201, {}, json.dumps(made).encode())]
    assert replace(github(), api_url=server.url).report(ISSUE, since=None) == "https://github.com/7"
    assert caplog.text.count("GitHub did not set the label") == warnings
