"""A container of one function, as `tests.support.containers` starts it: the real handler, which waits for nothing."""

import io
import json
import resource
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

from tests.support.containers import context_of, serve

LONGEST_SLEEP = 0.01
sleep = time.sleep  # pylint: disable=invalid-name  # a function, not a constant
# Before the imports below: some of them take the name along.
time.sleep = lambda seconds: sleep(min(seconds, LONGEST_SLEEP))

# pylint: disable=wrong-import-position  # see above
# ruff: noqa: E402
from tasks.archive_copy import handler as archive_copy
from tasks.partition_replicate import handler as partition_replicate
from tasks.upload_validate import handler as upload_validate
from tasks.utils.errors import BucketBrigadeError

FUNCTIONS = {
    "archive": archive_copy.handler,
    "enqueue": partition_replicate.enqueue,
    "replicate": partition_replicate.replicate,
    "validate": upload_validate.handler,
}
LINES = io.StringIO()


def handle(job):
    """Invokes a function with the event in a file; answers with what came of it, and what the process took for it."""
    event = json.loads(Path(job["event"]).read_text(encoding="utf-8"))
    began = time.monotonic()
    try:
        answer, refusal = FUNCTIONS[job["function"]](event, context_of(job["seconds"])), None
    except BucketBrigadeError as error:
        answer, refusal = None, str(error)
    except Exception:  # pylint: disable=broad-exception-caught  # the test shows it
        answer, refusal = {"bug": traceback.format_exc()[-3_000:]}, None
    seconds = time.monotonic() - began
    lines = LINES.getvalue()
    LINES.seek(0)
    LINES.truncate()
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Path(job["log"]).write_text(lines, encoding="utf-8", errors="surrogatepass")
    return {"answer": answer, "refusal": refusal and refusal[:2_000], "seconds": seconds, "mb": kilobytes / 1024}


if __name__ == "__main__":
    partition_replicate.POLICY = replace(partition_replicate.POLICY, delay=0.0, jitter=(0.0, 0.0))
    # Each log line goes there; what else is printed is a fault that the fork server's log shows.
    sys.stdout = LINES
    serve(handle)
