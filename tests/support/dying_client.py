"""An S3 client that simulates the kill of its process at a chosen request."""

import itertools

from botocore.config import Config

from tests.support.stores import new_client


class Killed(BaseException):
    """Simulates the end of the process: no later code runs, not even cleaning up."""


class DyingClient:  # pylint: disable=too-few-public-methods  # tests use only its client
    """A client whose process dies at its n-th request, before or after the server has carried out the request."""

    def __init__(self, store, port, at, done):
        self.client = new_client(f"http://{store.host}:{port}", store.keys, Config(retries={"total_max_attempts": 1}))
        self.numbers, self.at, self.done = itertools.count(), at, done
        self.client.meta.events.register_first("before-call.s3", self._before)
        self.client.meta.events.register_last("after-call.s3", self._after)

    def _before(self, context, **_):
        context["number"] = next(self.numbers)
        if context["number"] > self.at or (context["number"] == self.at and not self.done):
            raise Killed

    def _after(self, context, **_):
        if context["number"] >= self.at:
            raise Killed
