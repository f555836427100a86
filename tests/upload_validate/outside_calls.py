"""Calls to GitHub, and answers of a server in the place of GitHub, the council service or the webhook."""

import json

from tasks.upload_validate.api_keys import KeyRing
from tasks.upload_validate.messages import Issue
from tasks.upload_validate.reporters.github_issues import GithubIssues
from tasks.upload_validate.reporters.http import HttpClient
from tasks.utils.retry import RetryPolicy
from tests.upload_validate.conftest import REPOSITORY

ONCE, TWICE = HttpClient(RetryPolicy(tries=1)), HttpClient(RetryPolicy(tries=2))
KEY = KeyRing(None, None).key("github-key")
ISSUE = Issue("Import E01-Adur", "EMS: unknown", ("Data Import",), "<!-- mark -->")
MEGABYTE = 1 << 20


def base(server):
    return f"http://127.0.0.1:{server.server_port}"


def github(server, http=ONCE):
    return GithubIssues(http, base(server), REPOSITORY, KEY)


def methods(server):
    return [method for method, *_ in server.received]


def entry(**about):
    return {"number": 7, "title": "another", "body": None, "comments": 0, "html_url": "https://github.com/7", **about}


def answered(value, status=200, **headers):
    return status, headers, value if isinstance(value, bytes) else json.dumps(value).encode()
