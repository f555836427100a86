"""The GitHub issue that asks for a set to be imported: one for each title, and a comment for each further outcome.

Every issue and comment carries a mark, unseen, of the outcome that it tells. Before one is made it is looked whether
there is one with this mark, so that a call whose answer was lost is not made twice.
"""

import logging
from dataclasses import dataclass
from typing import Any

from tasks.upload_validate.errors import AnswerLostError, ServiceFailedError
from tasks.upload_validate.reporters.http import Http

LOGGER = logging.getLogger("bucket_brigade")

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
PAGE_SIZE = 100


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
                extra={"repository": self.repository, "title": issue.title, "body": issue.marked_body,
                       "labels": list(issue.labels)},
            )
            return ""
        return self.http.patiently(
            lambda: self._look_and_tell(issue, since), cured=(AnswerLostError, ServiceFailedError)
        )

    def _look_and_tell(self, issue, since):
        found = [one for one in self._issues(state="open") if one.get("title") == issue.title]
        told = self._told(issue, found, since)
        if told:
            return told
        if found:
            path = f"issues/{found[0]['number']}/comments"
            self._post(path, {"body": issue.marked_comment})
            return _address(found[0])
        raised = self._post(
            "issues", {"title": issue.title, "body": issue.marked_body, "labels": list(issue.labels)}
        )
        return _address(raised)

    def _told(self, issue, found, since):
        """Returns the address of the issue that tells this outcome already, or None."""
        for one in [*found, *self._closed(since)]:
            if issue.marker in (one.get("body") or ""):
                return _address(one)
            if one.get("title") == issue.title and self._is_in_comments(issue.marker, one, since):
                return _address(one)
        return None

    def _closed(self, since):
        # Somebody may be quicker than the second delivery of a message, and have closed it by then.
        return self._issues(state="closed", since=_utc(since)) if since else []

    def _is_in_comments(self, marker, one, since):
        parameters = {"since": _utc(since)} if since else {}
        comments = self._pages(f"issues/{one['number']}/comments", parameters) if one.get("comments") else []
        return any(marker in (comment.get("body") or "") for comment in comments)

    def _issues(self, **parameters):
        # GitHub's list of issues holds the pull requests too.
        return [one for one in self._pages("issues", parameters) if "pull_request" not in one]

    def _pages(self, path, parameters):
        url, parameters = self._url(path), {"per_page": PAGE_SIZE, **parameters}
        while url:
            answer = self.http.send("GET", url, params=parameters, headers=HEADERS, scheme="Bearer", key=self.key)
            yield from answer.json()
            # The address of the next page holds the parameters already.
            url, parameters = answer.links.get("next", {}).get("url"), None

    def _post(self, path, body):
        # Once: whatever the failure, it is looked first and only then tried again.
        return self.http.call(
            "POST", self._url(path), json=body, headers=HEADERS, scheme="Bearer", key=self.key
        ).json()

    def _url(self, path):
        return f"{self.api_url.rstrip('/')}/repos/{self.repository}/{path}"


def _address(issue):
    return issue["html_url"].partition("#")[0]


def _utc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
