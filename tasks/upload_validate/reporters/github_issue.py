"""The GitHub issue that asks for a set to be imported: one for each title, and a comment for each further outcome.

Every issue and comment carries a hidden mark of the outcome that it reports. Before one is made it is looked whether
there is one with this mark, so that a call whose answer was lost is not made twice.

A look reads a bounded number of pages, each of bounded size, and believes nothing in them: an answer that is not what
GitHub's API describes is that of a service that has failed.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.upload_validate.addresses import is_address
from tasks.upload_validate.errors import AnswerLostError, ServiceFailedError
from tasks.upload_validate.messages import Issue
from tasks.upload_validate.reporters.http import Http

LOGGER = logging.getLogger("bucket_brigade")

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
# Entries of a page: the most that GitHub gives; fewer where their page is longer than an answer may be. The text of one
# has 65,536 characters at most, which always fits.
PAGE_SIZES = (100, 10, 1)
# Pages of one look, the newest issues first: 10,000 of them.
MOST_PAGES = 100
# A longer address is none.
ADDRESS_LIMIT = 500


@dataclass(frozen=True)
class GithubIssue:
    """Raises issues in one repository.

    Attributes:
        http: an `Http`.
        api_url: GitHub's API.
        repository: `owner/name`.
        key: a `Key`, or None: then what would be sent is logged.
    """

    http: Http
    api_url: str
    repository: str
    key: Any

    def tell(self, issue, *, since):
        """Raises an issue, or comments on the open one of its title, and returns its address.

        Args:
            issue: an `Issue`.
            since: when the set was uploaded, a datetime or None: nobody told of it before.

        Returns:
            The issue's address; "" without a key.
        """
        if self.key is None:
            LOGGER.info(
                "would raise an issue",
                extra={
                    "repository": self.repository,
                    "title": issue.title,
                    "body": issue.marked_body,
                    "labels": list(issue.labels),
                },
            )
            return ""
        return self.http.patiently(
            lambda: self._look_and_tell(issue, since), cured=(AnswerLostError, ServiceFailedError)
        )

    def _look_and_tell(self, issue, since):
        for size in PAGE_SIZES[:-1]:
            try:
                return _Look(self, issue, since, size).tell()
            except _PageTooLong:
                pass
        return _Look(self, issue, since, PAGE_SIZES[-1]).tell()


class _PageTooLong(Exception):
    """A page of fewer entries may be short enough."""


@dataclass(frozen=True)
class _Entry:
    """An issue in one of GitHub's lists.

    Attributes:
        number: the issue's number.
        address: its address, without a fragment.
        has_title: whether it has the title that is looked for.
        has_mark: whether its text has the mark that is looked for.
        has_comments: whether there are comments on it.
    """

    number: int
    address: str
    has_title: bool
    has_mark: bool
    has_comments: bool


@dataclass
class _Look:
    """One look for an outcome, which is reported where it is not found.

    Attributes:
        github: the `GithubIssue`.
        issue: the `Issue`.
        since: when the set was uploaded, or None.
        size: entries of a page.
        pages: how many pages were read.
    """

    github: GithubIssue
    issue: Issue
    since: Any
    size: int
    pages: int = field(default=0, init=False)

    def tell(self):
        """Reports the outcome if that was not done, and returns the issue's address."""
        found = [entry for entry in self._issues(state="open") if entry.has_title]
        known = self._known(found)
        if known:
            return known
        if found:
            path = f"issues/{found[0].number}/comments"
            self._post(path, {"body": self.issue.marked_comment}, with_body=False)
            return found[0].address
        issue = self.issue
        answer = self._post("issues", {"title": issue.title, "body": issue.marked_body, "labels": list(issue.labels)})
        return _address(answer, answer.json())

    def _known(self, found):
        """Returns the address of the issue that reports this outcome already, or None."""
        for entry in [*found, *self._closed()]:
            if entry.has_mark or (entry.has_title and self._has_mark_in_comments(entry)):
                return entry.address
        return None

    def _closed(self):
        # A person may be quicker than the second delivery of a message, and have closed it by then.
        closed = self._issues(state="closed", since=_utc(self.since)) if self.since else ()
        return (entry for entry in closed if entry.has_mark or entry.has_title)

    def _has_mark_in_comments(self, entry):
        parameters = {"since": _utc(self.since)} if self.since else {}
        comments = self._listed(f"issues/{entry.number}/comments", parameters) if entry.has_comments else ()
        return any(self.issue.marker in _text(answer, comment, "body") for answer, comment in comments)

    def _issues(self, **parameters):
        for answer, one in self._listed("issues", parameters):
            # GitHub's list of issues holds the pull requests too.
            if "pull_request" not in one:
                yield self._entry(answer, one)

    def _entry(self, answer, one):
        has_title = _text(answer, one, "title") == self.issue.title
        has_mark = self.issue.marker in _text(answer, one, "body")
        # Nothing else is read of an issue on something else.
        is_found = has_title or has_mark
        number, comments = one.get("number"), one.get("comments", 0)
        if is_found and not (isinstance(number, int) and isinstance(comments, int)):
            raise answer.unreadable("a list in which an issue has no number")
        return _Entry(
            number=number,
            address=_address(answer, one) if is_found else "",
            has_title=has_title,
            has_mark=has_mark,
            has_comments=is_found and comments > 0,
        )

    def _listed(self, path, parameters):
        """Yields each entry of a list, an object, with the answer that it is from."""
        url, parameters = self._url(path), {"per_page": self.size, **parameters}
        while url:
            if self.pages == MOST_PAGES:
                LOGGER.warning("GitHub's lists are too long to be read to their end", extra={"pages": MOST_PAGES})
                return
            self.pages += 1
            answer = self.github.http.send("GET", url, params=parameters, **self._common)
            if not answer.is_whole and self.size > PAGE_SIZES[-1]:
                raise _PageTooLong
            entries = answer.json()
            if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
                raise answer.unreadable("an answer that is no list of objects")
            yield from ((answer, one) for one in entries)
            # The address of the next page holds the parameters already.
            url, parameters = answer.next_page and answer.target(answer.next_page, "the next page is at"), None

    def _post(self, path, body, **arguments):
        # Once: whatever the failure, it is looked first and only then tried again.
        return self.github.http.call("POST", self._url(path), json=body, **self._common, **arguments)

    @property
    def _common(self):
        return {"headers": HEADERS, "scheme": "Bearer", "key": self.github.key}

    def _url(self, path):
        return f"{self.github.api_url.rstrip('/')}/repos/{self.github.repository}/{path}"


def _address(answer, one):
    address = _text(answer, one, "html_url").partition("#")[0]
    if len(address) > ADDRESS_LIMIT or not is_address(address):
        raise answer.unreadable("an issue without an address")
    return address


def _text(answer, one, name):
    text = one.get(name) if isinstance(one, Mapping) else 0
    # An issue without a text has null.
    if text is not None and not isinstance(text, str):
        raise answer.unreadable(f"an answer whose {name} is no text")
    return text or ""


def _utc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
