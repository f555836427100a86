"""Moto in this process, for clients of botocore."""

from contextlib import contextmanager
from unittest.mock import patch

from moto import mock_aws

from local import mends


@contextmanager
def mended_aws(**how):
    """Moto with its mends, empty, until the block ends; `how` is what `mends.applied` takes.

    What is sent by `requests` is not mocked: moto would make the 1,300 patterns for that anew each time, which takes
    longer than many a test.
    """
    with patch("moto.core.models.RESPONSES_METHODS", []), mock_aws(), mends.applied(**how) as hooks:
        yield hooks
