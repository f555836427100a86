"""Councils are looked up, and issues raised, at services that work."""

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
