"""A DynamoDB table that costs next to nothing, for the rows that mirror objects.

Moto takes longer for a request to a table than a function does for the object that it is about, on the same cores, and
ends the connection after each. DynamoDB's work is done elsewhere, and connections to it stay.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Item = dict[str, Any]


class Items(dict[tuple[str, str], Item]):
    """The items by `Key` and `VersionId`, and the operations on them that contestants use."""

    def get_item(self, request: Item) -> Item:
        """Find an item."""
        found = self.get(_place(request["Key"]))
        return {"Item": found} if found else {}

    def put_item(self, request: Item) -> Item:
        """Put an item. Nobody else writes, so that conditions hold."""
        self[_place(request["Item"])] = request["Item"]
        return {}


def _place(item: Item) -> tuple[str, str]:
    return item["Key"]["S"], item["VersionId"]["S"]


class _Handler(BaseHTTPRequestHandler):
    # A connection stays open, and what is written goes out at once.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    items: Items

    def do_POST(self) -> None:  # pylint: disable=invalid-name  # the name that http.server looks for
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
        """Say nothing."""


@contextmanager
def served(items: Items) -> Iterator[str]:
    """Serve the items on this machine until the block ends; yield the endpoint's URL."""
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
