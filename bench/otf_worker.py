"""`python -m bench.otf_worker list|transfer`: does one task of Open Task Framework with the add-on that is on the path.

Prints, as JSON in the last line, the seconds of the task without the start of its process, and the requests it made.
"""

import json
import os
import sys
import threading
import time
from typing import Any

from opentaskpy.addons.aws.remotehandlers.s3 import S3Transfer
from opentaskpy.taskhandlers.transfer import Transfer

from bench.otf_stage import INBOX, LISTED, OUTBOX, TRANSFERRED

PROTOCOL = {"name": "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"}


class Requests:  # pylint: disable=too-few-public-methods  # it counts
    """Counts what clients send."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def listen_to(self, handler: S3Transfer) -> None:
        """Count what a handler's client sends; the two add-ons keep theirs under different names."""
        client = handler.connection.client if hasattr(handler, "connection") else handler.s3_client
        client.meta.events.register("before-send.s3", self._note)

    def _note(self, **_: Any) -> None:
        with self._lock:
            self.count += 1


def main() -> None:
    """Do what the arguments say."""
    requests = Requests()
    source = {"bucket": INBOX, "directory": LISTED, "fileRegex": r".*\.txt", "protocol": PROTOCOL, "task_id": "bench"}
    if sys.argv[1] == "list":
        handler = S3Transfer(source)
        requests.listen_to(handler)
        started = time.perf_counter()
        files = handler.list_files(LISTED, r".*\.txt")
        expected, found = 5000, len(files)
    else:
        # A directory of its own, so that every run finds what the first one found: nothing.
        target = {"bucket": OUTBOX, "directory": f"dest-{os.getpid()}", "protocol": PROTOCOL}
        definition = {"type": "transfer", "source": {**source, "directory": TRANSFERRED}, "destination": [target]}
        transfer = Transfer({}, "bench", definition)
        started = time.perf_counter()
        expected, found = True, transfer.run()
    seconds = time.perf_counter() - started
    if found != expected:
        raise SystemExit(f"{found} came where {expected} should")
    print(json.dumps({"seconds": seconds, "requests": requests.count}))


if __name__ == "__main__":
    main()
