"""Moto in this process, for clients of botocore."""

from contextlib import contextmanager
from unittest.mock import patch

from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from local import mends

_answer = BotocoreStubber.__call__


@contextmanager
def mended_aws(**how):
    """Moto with its mends, empty, until the block ends; `how` is what `mends.applied` takes.

    What is sent by `requests` is not mocked: moto would make the 1,300 patterns for that anew each time, which takes
    longer than many a test.
    """
    with (
        patch("moto.core.models.RESPONSES_METHODS", []),
        patch.object(BotocoreStubber, "__call__", _answer_with_bytes),
        mock_aws(),
        mends.applied(**how) as hooks,
    ):
        yield hooks


def _answer_with_bytes(self, event_name, request, **kwargs):
    """Moto takes bytes and files; a connection takes memory as it is."""
    if isinstance(request.body, memoryview):
        request.body = bytes(request.body)
    return _answer(self, event_name, request, **kwargs)
