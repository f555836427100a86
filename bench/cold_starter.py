"""`python -m bench.cold_starter PYTHON ZIP HANDLER`: start a function from its zip and send it a first event.

It prints, as JSON in the last line, the seconds from the start of the function's process to its first answer, and the
CPU time and memory of that process.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

from local.lambda_service import Program, Runtime, Sandbox
from local.lambda_service.runtime_api import Ending, Invocation

# The event that S3 sends when a notification is configured. It names no object, so the function sends nothing to AWS.
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"}

# Far longer than a cold start on a busy machine.
TIMEOUT_SECONDS = 60


def main() -> None:
    """Run the function that the arguments name, once."""
    python, package, handler = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    environment = {
        "PATH": os.defpath,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "SOURCE_BUCKET": "source",
        "bucket_map": '{"other": "archive"}',
        "DEAD_LETTER_QUEUE": "https://sqs.invalid/dead-letters",
    }
    with Runtime(python) as runtime:
        program = Program(runtime.unpack(package.read_bytes()), handler, environment, memory_mb=512)
        before, started = _children_cpu_seconds(), time.perf_counter()
        with Sandbox(runtime, program) as sandbox:
            sandbox.wait_until_ready(TIMEOUT_SECONDS)
            invocation = Invocation(
                request_id="1",
                payload=json.dumps(TEST_EVENT).encode(),
                function_arn="arn:aws:lambda:eu-west-1:123456789012:function:cold",
                timeout=TIMEOUT_SECONDS,
            )
            outcome = sandbox.invoke(invocation)
            seconds = time.perf_counter() - started
        # The CPU time is complete, because the sandbox has ended. The sandbox measures memory in MiB.
        cpu_seconds, peak_mb = _children_cpu_seconds() - before, sandbox.peak_memory_mb * 1.048576
    if outcome.ending is not Ending.RESPONSE:
        raise SystemExit(f"{handler} gave no answer: {outcome}")
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb}))


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
