import json
import logging
from dataclasses import replace
from functools import partial

import pytest

from tasks.archive_copy import handler as handler_module
from tasks.object_clerk.copies import CopyLimits
from tasks.object_clerk.parts import MIB
from tests.conftest import REGION

RESTORED = "restored-objects"
PUBLIC = "public-archive"
PROTECTED = "protected-archive"
BUCKET_MAP = {".hdf": PROTECTED, ".txt": PUBLIC, ".tar.gz": PUBLIC, ".gz": PROTECTED, "other": PROTECTED}


@pytest.fixture(name="buckets")
def three_buckets(s3):
    for bucket in (RESTORED, PUBLIC, PROTECTED):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


@pytest.fixture(name="environment")
def environment_of_the_task(monkeypatch):
    """Set the task's environment. A second call changes it for the next invocation."""

    def set_environment(**values):
        for name, value in {"SOURCE_BUCKET": RESTORED, "bucket_map": json.dumps(BUCKET_MAP), **values}.items():
            monkeypatch.setenv(name, value)
        forget_container()

    set_environment()
    yield set_environment
    forget_container()


def forget_container():
    handler_module.container.cache_clear()
    handler_module.sqs.cache_clear()
    # Powertools binds a logger to the standard output of its creation, and each test has a standard output of its own.
    logger = logging.getLogger("archive_copy")
    logger.handlers.clear()
    logger.init, logger.powertools_handler = False, None


@pytest.fixture(name="archive")
def handler_with_its_buckets(request):
    """The handler, called without a context as from a shell, with its buckets and with requests over HTTP."""
    for fixture in ("wire", "buckets", "environment"):
        request.getfixturevalue(fixture)
    return lambda event, context=None: handler_module.handler(event, context)


@pytest.fixture(name="large_from_6_mib")
def archive_with_a_low_limit(archive, monkeypatch):
    limits = CopyLimits(single=6 * MIB - 1, part_size=5 * MIB, workers=1)
    monkeypatch.setattr(handler_module, "CopyLimits", partial(replace, limits))
    return archive
