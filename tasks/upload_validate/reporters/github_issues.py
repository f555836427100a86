"""The GitHub issue that asks a person to import a set: one for each title, and a comment for each further outcome.

Each issue and comment carries a hidden marker of its outcome. Before a new one is made, the repository is searched for
the marker, so that a call whose response was lost is not made twice.

A search lists the issues with the first label of the profile ("List repository issues", GitHub's REST API), so a
repository may have any number of others. The other labels are not asked for: a person removes `ready` when the work
begins. GitHub's search API is not used, because its index lags behind, and an issue that it does not have yet would be
raised twice.

A search reads a bounded number of pages of bounded size. A response that GitHub's API does not describe counts as a
failure of the service.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from requests.utils import parse_header_links

from tasks.upload_validate.addresses import is_address
from tasks.upload_validate.api_keys import Key
from tasks.upload_validate.errors import AnswerLostError, ServiceFailedError
from tasks.upload_validate.messages import Issue
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.http_exchange import Response

LOGGER = logging.getLogger("bucket_brigade")

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
# Entries of a page: the most that GitHub returns, and fewer if such a page is too long for a response. An entry has
# 65,536 characters at most, so a page of one entry always fits.
PAGE_SIZES = (100, 10, 1)
# Pages of one search, the newest issues first: 10,000 issues.
MOST_PAGES = 100
# A longer text is no address.
ADDRESS_LIMIT = 500


@dataclass(frozen=True)
class GithubIssues:
    """Raises issues in one repository.

    Attributes:
        http: an `HttpClient`.
        api_url: the address of GitHub's API.
        repository: `owner/name`.
        key: a `Key`, or None: then the issue is logged instead.
    """

    http: HttpClient
    api_url: str
    repository: str
    key: Key | None

    def report(self, issue: Issue, *, since: datetime | None) -> str:
        """Raise an issue, or comment on the open issue with its title, unless that was done before.

        Args:
            issue: the `Issue`.
            since: when the set was uploaded, or None; no issue on this outcome is older.

        Returns:
            The issue's address; "" without a key.
        """
        if self.key is None:
            fields = {"title": issue.title, "body": issue.marked_body, "labels": list(issue.labels)}
            LOGGER.info("would raise an issue", extra={"repository": self.repository, **fields})
            return ""
        return self.http.retry(
            lambda: self._search_and_report(issue, since), cured=(AnswerLostError, ServiceFailedError)
        )

    def _search_and_report(self, issue: Issue, since: datetime | None) -> str:
        for size in PAGE_SIZES[:-1]:
            try:
                return _Search(self, issue, since, size).report()
            except _PageTooLong:
                pass
        return _Search(self, issue, since, PAGE_SIZES[-1]).report()


class _PageTooLong(Exception):
    """A page with fewer entries may be short enough."""


@dataclass(frozen=True)
class _Entry:
    """An issue in one of GitHub's lists.

    Attributes:
        number: the issue's number.
        address: its address, without a fragment.
        has_title: whether it has the title of the search.
        has_marker: whether its text contains the marker of the search.
        has_comments: whether it has comments.
    """

    number: int
    address: str
    has_title: bool
    has_marker: bool
    has_comments: bool


@dataclass
class _Search:
    """One search for an outcome, which is reported if it is not found.

    Attributes:
        github: the `GithubIssues`.
        issue: the `Issue`.
        since: when the set was uploaded, or None.
        size: the entries of a page.
        pages: the number of pages read.
    """

    github: GithubIssues
    issue: Issue
    since: datetime | None
    size: int
    pages: int = field(default=0, init=False)

    def report(self) -> str:
        """Report the outcome unless it was reported before, and return the issue's address."""
        found = [entry for entry in self._issues(state="open") if entry.has_title]
        known = self._known(found)
        if known:
            return known
        if found:
            path = f"issues/{found[0].number}/comments"
            self._post(path, {"body": self.issue.marked_comment}, with_body=False)
            return found[0].address
        issue = self.issue
        response = self._post("issues", {"title": issue.title, "body": issue.marked_body, "labels": list(issue.labels)})
        raised = response.json()
        self._check_label(raised)
        return _address(response, raised)

    @property
    def _label(self) -> str:
        """The label of the issues that are searched, or "" for all issues."""
        # A comma separates labels in a query.
        return next((label for label in self.issue.labels if "," not in label), "")

    def _check_label(self, raised: Any) -> None:
        """Log a warning if no later search will find the issue that was raised."""
        labels = raised.get("labels") if isinstance(raised, Mapping) else None
        names = [
            label.get("name") if isinstance(label, Mapping) else label
            for label in (labels if isinstance(labels, list) else ())
        ]
        # A name in GitHub is the same in upper and lower case.
        if self._label and self._label.casefold() not in {str(name).casefold() for name in names}:
            # "Create an issue", GitHub's REST API: labels are dropped without push access to the repository.
            LOGGER.warning("GitHub did not set the label of the issue", extra={"label": self._label})

    def _known(self, found: Iterable[_Entry]) -> str | None:
        """Return the address of the issue that reports this outcome already, or None."""
        for entry in [*found, *self._closed()]:
            if entry.has_marker or (entry.has_title and self._has_marker_in_comments(entry)):
                return entry.address
        return None

    def _closed(self) -> Iterator[_Entry]:
        # A person may close the issue before the second delivery of the message.
        closed = self._issues(state="closed", since=_utc(self.since)) if self.since else iter(())
        return (entry for entry in closed if entry.has_marker or entry.has_title)

    def _has_marker_in_comments(self, entry: _Entry) -> bool:
        parameters = {"since": _utc(self.since)} if self.since else {}
        comments = self._listed(f"issues/{entry.number}/comments", parameters) if entry.has_comments else iter(())
        return any(self.issue.marker in _text(response, comment, "body") for response, comment in comments)

    def _issues(self, **parameters: str) -> Iterator[_Entry]:
        if self._label:
            parameters["labels"] = self._label
        for response, item in self._listed("issues", parameters):
            # GitHub lists pull requests as issues too.
            if "pull_request" not in item:
                yield self._entry(response, item)

    def _entry(self, response: Response, item: Mapping[str, Any]) -> _Entry:
        has_title = _text(response, item, "title") == self.issue.title
        has_marker = self.issue.marker in _text(response, item, "body")
        # No other field of an unrelated issue is read.
        is_found = has_title or has_marker
        number, comments = item.get("number"), item.get("comments", 0)
        if not is_found:
            return _Entry(0, "", False, False, False)
        if not (isinstance(number, int) and isinstance(comments, int)):
            raise response.unreadable("a list in which an issue has no number")
        return _Entry(number, _address(response, item), has_title, has_marker, comments > 0)

    def _listed(self, path: str, parameters: Mapping[str, str]) -> Iterator[tuple[Response, Mapping[str, Any]]]:
        """Yield each entry of a list, a JSON object, with its response."""
        url: str | None = self._url(path)
        query: dict[str, Any] | None = {"per_page": self.size, **parameters}
        while url:
            if self.pages == MOST_PAGES:
                LOGGER.warning("GitHub's lists are too long to be read to their end", extra={"pages": MOST_PAGES})
                return
            self.pages += 1
            response = self.github.http.send("GET", url, params=query, **self._common)
            if not response.is_whole and self.size > PAGE_SIZES[-1]:
                raise _PageTooLong
            entries = response.json()
            if not isinstance(entries, list) or not all(isinstance(item, Mapping) for item in entries):
                raise response.unreadable("an answer that is no list of objects")
            yield from ((response, item) for item in entries)
            # The address of the next page contains the parameters already.
            next_page = _next_page(response)
            url, query = next_page and response.target(next_page, "the next page is at"), None

    def _post(self, path: str, body: Mapping[str, Any], **arguments: Any) -> Response:
        # Called once: after any failure the repository is searched before the next try.
        return self.github.http.call("POST", self._url(path), json=body, **self._common, **arguments)

    @property
    def _common(self) -> dict[str, Any]:
        return {"headers": HEADERS, "scheme": "Bearer", "key": self.github.key}

    def _url(self, path: str) -> str:
        return f"{self.github.api_url.rstrip('/')}/repos/{self.github.repository}/{path}"


def _next_page(response: Response) -> str | None:
    """Return the next page in the header `Link` (RFC 8288), or None."""
    links = parse_header_links(response.headers.get("link", ""))
    return next((link["url"] for link in links if link.get("rel") == "next"), None)


def _address(response: Response, item: Any) -> str:
    address = _text(response, item, "html_url").partition("#")[0]
    if len(address) > ADDRESS_LIMIT or not is_address(address):
        raise response.unreadable("an issue without an address")
    return address


def _text(response: Response, item: Any, name: str) -> str:
    text = item.get(name) if isinstance(item, Mapping) else 0
    # The body of an issue without a text is null.
    if text is not None and not isinstance(text, str):
        raise response.unreadable(f"an answer whose {name} is no text")
    return text or ""


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
