import pytest

from tasks.otf_addons.task_log import task_logger

PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nbytes of the key\n-----END PRIVATE KEY-----"


@pytest.fixture(name="logger")
def logger_of_a_task(monkeypatch):
    monkeypatch.setenv("OTF_NO_LOG", "1")
    # The framework sets up a logger again for each task of a process.
    return [task_logger("tests.task_log", "task", "T") for _ in range(2)][-1]


@pytest.mark.parametrize("argument", [PRIVATE_KEY, '{"password": "bytes of the key"}'], ids=["private key", "JSON"])
def test_secret_in_an_argument_is_redacted(logger, caplog, argument):
    logger.error("%s", argument)
    (message,) = caplog.messages
    assert "********" in message and "bytes of the key" not in message


def test_line_end_in_an_argument_is_escaped(logger, caplog):
    logger.error("%s failed", "a\nkey")
    assert caplog.messages == [r"a\nkey failed"]
