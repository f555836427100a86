"""`python -m bench.otf_worker list|transfer`: run one task of Open Task Framework with the add-on on the path.

It prints, as JSON in the last line, the seconds of the task without the start of the process, and the number of
requests.
"""

import json
import os
import sys
import threading
import time
from typing import Any

from opentaskpy.addons.aws.remotehandlers.s3 import S3Transfer
from opentaskpy.taskhandlers.transfer import Transfer

from bench.otf_servers import INBOX, LISTED, OUTBOX, TRANSFERRED

PROTOCOL = {"name": "opentaskpy.addons.aws.remotehandlers.s3.S3Transfer"}


class RequestCounter:  # pylint: disable=too-few-public-methods  # its result is the attribute `count`
    """A counter of the requests of clients.

    Attributes:
        count: The number of requests.
    """

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def register(self, handler: S3Transfer) -> None:
        """Count the requests of a handler's client, which the two add-ons store under different names."""
        client = handler.connection.client if hasattr(handler, "connection") else handler.s3_client
        client.meta.events.register("before-send.s3", self._increment)

    def _increment(self, **_: Any) -> None:
        with self._lock:
            self.count += 1


def main() -> None:
    """Run the task of the command line, and print its seconds and requests."""
    requests = RequestCounter()
    source = {"bucket": INBOX, "directory": LISTED, "fileRegex": r".*\.txt", "protocol": PROTOCOL, "task_id": "bench"}
    if sys.argv[1] == "list":
        handler = S3Transfer(source)
        requests.register(handler)
        started = time.perf_counter()
        files = handler.list_files(LISTED, r".*\.txt")
        expected, found = 5000, len(files)
    else:
        # A new directory for each run, so that it is empty.
        target = {"bucket": OUTBOX, "directory": f"dest-{os.getpid()}", "protocol": PROTOCOL}
        definition = {"type": "transfer", "source": {**source, "directory": TRANSFERRED}, "destination": [target]}
        transfer = Transfer({}, "bench", definition)
        started = time.perf_counter()
        expected, found = True, transfer.run()
    seconds = time.perf_counter() - started
    if found != expected:
        raise SystemExit(f"the result was {found} instead of {expected}")
    print(json.dumps({"seconds": seconds, "requests": requests.count}))


if __name__ == "__main__":
    main()
