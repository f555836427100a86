"""A DynamoDB table with very little overhead, for the rows that mirror objects.

Moto needs more CPU time for a request to a table than a function needs for an object, on the same cores, and closes
the connection after each request. DynamoDB uses no CPU of the function, and keeps connections open.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Item = dict[str, Any]


class Items(dict[tuple[str, str], Item]):
    """The items by `Key` and `VersionId`, and the operations that contestants use."""

    def get_item(self, request: Item) -> Item:
        """Return an item."""
        found = self.get(_primary_key(request["Key"]))
        return {"Item": found} if found else {}

    def put_item(self, request: Item) -> Item:
        """Store an item. There is one writer, so its conditions always hold."""
        self[_primary_key(request["Item"])] = request["Item"]
        return {}


def _primary_key(item: Item) -> tuple[str, str]:
    return item["Key"]["S"], item["VersionId"]["S"]


class _Handler(BaseHTTPRequestHandler):
    # Connections stay open, and answers are sent without delay.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    items: Items

    def do_POST(self) -> None:  # pylint: disable=invalid-name  # http.server requires this name
        """Answer a request."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        work = {"GetItem": self.items.get_item, "PutItem": self.items.put_item}[operation]
        answer = json.dumps(work(request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def served(items: Items) -> Iterator[str]:
    """Serve the items until the block ends; yield the URL of the endpoint."""
    handler = type("Handler", (_Handler,), {"items": items})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
