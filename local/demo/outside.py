"""The world outside AWS, as far as upload_validate knows it: GitHub, the councils' look-up and the webhook.

One small HTTP server that remembers what it was told.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "bucket-brigade/demo"
KEYS = {"/demo/github-token": "a-github-token", "/demo/webhook-key": "a-webhook-key"}
COUNCILS = {"E07000223": "Adur District Council", "E06000023": "Bristol City Council"}


@dataclass
class Outside:
    """What was told, and where.

    Attributes:
        url: the server's address.
        issues: the repository's issues.
        comments: (number of the issue, text) of each comment.
        reports: what the webhook was given.
        refused: calls without the right key, or to no address known here.
    """

    url: str = ""
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def answer(self, method: str, address: str, authorization: str, body: bytes) -> tuple[int, Any]:
        """Returns status and JSON of the answer to a call."""
        path, query = urlsplit(address).path, parse_qs(urlsplit(address).query)
        if method == "GET" and path.startswith("/councils/"):
            name = COUNCILS.get(path.removeprefix("/councils/").removesuffix(".json"))
            return (200, {"name": name}) if name else (404, {})
        if method == "POST" and path == "/hook" and authorization == f"Token {KEYS['/demo/webhook-key']}":
            self.reports.append(json.loads(body))
            return 200, {}
        if path.startswith(f"/repos/{REPOSITORY}/issues") and authorization == f"Bearer {KEYS['/demo/github-token']}":
            return self._github(method, path.split("/")[5:], query, body)
        self.refused.append(f"{method} {path}")
        return 404, {"message": "Not Found"}

    def _github(self, method: str, rest: list[str], query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        if method == "GET" and rest:
            return 200, [{"body": text} for number, text in self.comments if number == int(rest[0])]
        if method == "GET":
            return 200, [issue for issue in self.issues if issue["state"] in query["state"]]
        told = json.loads(body)
        if rest:
            issue = self.issues[int(rest[0]) - 1]
            self.comments.append((issue["number"], told["body"]))
            issue["comments"] += 1
            return 201, {"html_url": f"{issue['html_url']}#issuecomment-{len(self.comments)}"}
        number = len(self.issues) + 1
        address = f"https://github.com/{REPOSITORY}/issues/{number}"
        self.issues.append({**told, "number": number, "state": "open", "comments": 0, "html_url": address})
        return 201, self.issues[-1]


@contextmanager
def outside() -> Iterator[Outside]:
    """Serves an `Outside` until the block ends."""
    there = Outside()

    class Handler(BaseHTTPRequestHandler):
        """Hands each call to the `Outside`."""

        def do_POST(self) -> None:  # pylint: disable=invalid-name
            """Answers a call."""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, told = there.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing of calls that were answered."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        there.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()
