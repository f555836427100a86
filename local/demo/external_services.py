"""The services outside AWS that upload_validate calls: GitHub, the councils' look-up and the webhook.

One small HTTP server stands for all three, and stores the calls.
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
class ExternalServices:
    """The stored calls.

    Attributes:
        url: The URL of the server.
        issues: The issues of the repository.
        comments: (number of the issue, text) of each comment.
        reports: The reports that the webhook got.
        refused: Calls without the right key, or to an unknown path.
    """

    url: str = ""
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def answer(self, method: str, address: str, authorization: str, body: bytes) -> tuple[int, Any]:
        """Return status and JSON value of the answer to a call."""
        path, query = urlsplit(address).path, parse_qs(urlsplit(address).query)
        if method == "GET" and path.startswith("/councils/"):
            name = COUNCILS.get(path.removeprefix("/councils/").removesuffix(".json"))
            return (200, {"name": name}) if name else (404, {})
        if method == "POST" and path == "/hook" and authorization == f"Token {KEYS['/demo/webhook-key']}":
            self.reports.append(json.loads(body))
            return 200, {}
        if path.startswith(f"/repos/{REPOSITORY}/issues") and authorization == f"Bearer {KEYS['/demo/github-token']}":
            return self._answer_github(method, path.split("/")[5:], query, body)
        self.refused.append(f"{method} {path}")
        return 404, {"message": "Not Found"}

    def _answer_github(
        self, method: str, parts: list[str], query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any]:
        if method == "GET" and parts:
            return 200, [{"body": text} for number, text in self.comments if number == int(parts[0])]
        if method == "GET":
            return 200, [issue for issue in self.issues if issue["state"] in query["state"]]
        content = json.loads(body)
        if parts:
            issue = self.issues[int(parts[0]) - 1]
            self.comments.append((issue["number"], content["body"]))
            issue["comments"] += 1
            return 201, {"html_url": f"{issue['html_url']}#issuecomment-{len(self.comments)}"}
        number = len(self.issues) + 1
        address = f"https://github.com/{REPOSITORY}/issues/{number}"
        self.issues.append({**content, "number": number, "state": "open", "comments": 0, "html_url": address})
        return 201, self.issues[-1]


@contextmanager
def external_services() -> Iterator[ExternalServices]:
    """Serve the external services until the block ends."""
    services = ExternalServices()

    class Handler(BaseHTTPRequestHandler):
        """A handler that passes each call to the `ExternalServices`."""

        def do_POST(self) -> None:  # pylint: disable=invalid-name  # http.server requires this name
            """Answer a call."""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, value = services.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing for answered calls."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        services.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield services
        finally:
            server.shutdown()
            thread.join()
