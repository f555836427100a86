import logging
import time

import botocore.session
import pytest

from tasks.object_clerk.transport import clients
from tasks.utils.telemetry import LIBRARIES
from tests.conftest import REGION, session_beneath_the_tasks
from tests.secrets.aws_faults import Faults, none
from tests.secrets.search import canary, found
from tests.secrets.written import Written
from tests.support.mocked import patched_aws

# The credentials of the function's own role, which Lambda puts into its environment.
OWN = {"own key id": canary("own key id"), "own secret key": canary("own secret key"), "own token": canary("own token")}


@pytest.fixture(scope="module", name="patches")
def patches_of_a_module():
    with pytest.MonkeyPatch.context() as monkeypatch:
        # No test waits.
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        monkeypatch.setattr("tasks.utils.retry.sleep", lambda seconds: None)
        yield monkeypatch


@pytest.fixture(scope="module", name="written")
def all_that_is_written(patches):
    written = Written()
    written.note_failures(patches)
    # As in Lambda, where the root logger writes the lines of libraries from INFO on.
    loggers = [logging.getLogger(name) for name in ("", *LIBRARIES)]
    levels = [logger.level for logger in loggers]
    handler = logging.StreamHandler(written.log)
    logging.getLogger().addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.INFO)
    yield written
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module", name="faults")
def faults_of_aws(patches, written):
    """Start moto for clients whose credentials are canaries, and return the faults before it."""
    session = botocore.session.Session()
    session.register_component("data_loader", session_beneath_the_tasks().get_component("data_loader"))
    session.set_credentials(*OWN.values())
    session.set_config_variable("region", REGION)
    faults = Faults(written)
    with patched_aws():
        session.get_component("event_emitter").register_first("before-send", faults)
        patches.setattr(clients, "session", lambda: session)
        yield faults


@pytest.fixture
def leaks(written, faults):
    """Return a function that finds canaries in all output since the test began."""
    written.forget()
    yield lambda secrets, more=(): found({**OWN, **secrets}, [*written.texts(), *more])
    faults.hits = none
