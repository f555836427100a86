"""What happens to the functions, their services and the mirror's key during a run."""

import time
from collections import Counter

from botocore.config import Config

from tests.chaos.changes import ARCHIVE, MIRROR, UPLOADS
from tests.chaos.endings import Endings

# How long a disturbance waits for the moment when it can take place.
PATIENCE_SECONDS = 30
POLL_SECONDS = 0.01
OUTAGE_SECONDS = 2.0

# Less than any of the functions needs, so that Lambda ends it. On AWS a function has at least 128 MB.
TOO_FEW_MB = 32

# Requests of each kind that fail one after the other. A function tries each of them three times or more.
FEW = 5

THROTTLED = {
    "GetItem": "ProvisionedThroughputExceededException",
    "PutItem": "ThrottlingException",
    "TransactWriteItems": "ProvisionedThroughputExceededException",
    "Query": "ProvisionedThroughputExceededException",
    "UpdateItem": "ProvisionedThroughputExceededException",
}
WRITES = ("PutObject", "DeleteObject", "CopyObject", "PutObjectTagging")
# S3 has sent the status of a copy when it fails.
LATE_ERRORS = ("CopyObject",)


class Disturbances:
    """The disturbances of a run, by their names in `plan.DISTURBANCES`.

    Args:
        stage: the `Stage`.

    Attributes:
        missed: how often one found nothing to disturb.
    """

    def __init__(self, stage):
        self.missed = Counter()
        self._counts = Counter()
        self._stage = stage
        self._functions = stage.stack.functions
        self._endings = Endings(self._functions)
        self._faults = stage.aws.faults
        # botocore refuses to send so few megabytes.
        self._lambda = stage.aws.client("lambda", config=Config(parameter_validation=False))

    def cause(self, name):
        """Cause the disturbance of a name."""
        if not name:
            return
        verb, _, what = name.partition(" ")
        happened = getattr(self, f"_{verb}")(*([what] if what else []))
        (self.missed if happened is False else self._counts)[name] += 1

    def happened(self):
        """Return how often each disturbance took place, and how invocations ended by force."""
        return self._counts + self._endings.of_kinds()

    def failures(self):
        """Return how many messages came back after which error."""
        return dict(self._endings.failures.most_common())

    def _kill(self, function):
        return self._soon(lambda: self._functions.crash(self._stage.function(function)))

    def _freeze(self, function):
        return self._soon(lambda: self._functions.freeze(self._stage.function(function)))

    def _starve(self, function):
        """Take memory from a function until Lambda has ended an invocation."""
        name = self._stage.function(function)
        known = self._lambda.get_function_configuration(FunctionName=name)["MemorySize"]
        before = self._endings.counts[name, "out of memory"]
        self._lambda.update_function_configuration(FunctionName=name, MemorySize=TOO_FEW_MB)
        try:
            return self._soon(lambda: self._endings.counts[name, "out of memory"] > before)
        finally:
            self._lambda.update_function_configuration(FunctionName=name, MemorySize=known)

    def _restart(self):
        with self._functions.outage():
            time.sleep(OUTAGE_SECONDS)

    def _rotate(self, when=""):
        self._stage.renew_key(late=when == "late")

    def _throttle(self):
        for task, name in ((MIRROR, "table"), (UPLOADS, "outcomes_table")):
            table = self._stage.outputs(task)[name]
            for operation, code in THROTTLED.items():
                self._faults.add(operation, bucket=table, times=FEW, status=400, code=code)

    def _slow(self, _down):
        self._add("GetObject", "HeadObject", *WRITES, status=503, code="SlowDown")

    def _errors(self):
        self._add("GetObject", *WRITES, status=500, code="InternalError")
        self._add(*LATE_ERRORS, status=200, code="InternalError")

    def _lost(self, _answers):
        self._add(*WRITES, status=500, code="InternalError", done=True)
        self._add(*LATE_ERRORS, status=200, code="InternalError", done=True)

    def _add(self, *operations, **answer):
        for bucket in self._written():
            for operation in operations:
                self._faults.add(operation, bucket=bucket, times=FEW, **answer)

    def _written(self):
        """Return the buckets that only the functions use."""
        uploads = self._stage.outputs(UPLOADS)
        archives = self._stage.outputs(ARCHIVE)["archive_buckets"].values()
        return [
            self._stage.outputs(MIRROR)["destination_bucket"],
            *archives,
            uploads["final_bucket"],
            uploads["quarantine_bucket"],
        ]

    def _soon(self, condition):
        """Wait for a condition; return whether it came."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(POLL_SECONDS)
        return False
