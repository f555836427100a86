"""A container for `tests.support.containers`: the real handlers, without long waits."""

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
# Before the imports below, because some of them bind the name.
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
    """Invoke a function with the event in a file; return its answer or error, and its time and memory."""
    event = json.loads(Path(job["event"]).read_text(encoding="utf-8"))
    began = time.monotonic()
    try:
        answer, refusal = FUNCTIONS[job["function"]](event, context_of(job["seconds"])), None
    except BucketBrigadeError as error:
        answer, refusal = None, str(error)
    except Exception:  # pylint: disable=broad-exception-caught  # the test fails with it
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
    # Log lines go there. Any other output is a fault, which the fork server's log shows.
    sys.stdout = LINES
    serve(handle)
