import json
import logging

import pytest
from moto.core import DEFAULT_ACCOUNT_ID

from tasks.task_name import handler as handler_module
from tests.conftest import REGION

SOURCE = "my-data"


@pytest.fixture(name="environment")
def environment_of_the_task(monkeypatch):
    """Set the task's environment. A second call changes it for the next invocation."""

    def set_environment(**values):
        owners = json.dumps({"*": DEFAULT_ACCOUNT_ID})
        for name, value in {"SOURCE_BUCKET": SOURCE, "BUCKET_OWNERS": owners, **values}.items():
            monkeypatch.setenv(name, value)
        forget_container()

    set_environment()
    yield set_environment
    forget_container()


def forget_container():
    handler_module.container.cache_clear()
    handler_module.sqs.cache_clear()
    # Powertools binds a logger to the standard output of its creation, and each test has a standard output of its own.
    logger = logging.getLogger("task_name")
    logger.handlers.clear()
    logger.init, logger.powertools_handler = False, None


@pytest.fixture
def dead_letters(sqs, environment):
    """Return a function that returns the messages in the dead-letter queue of the task."""
    url = sqs.create_queue(QueueName="task-name-dead-letters")["QueueUrl"]
    environment(DEAD_LETTER_QUEUE=url, MAX_RECEIVES="10")

    def receive():
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return answer.get("Messages", [])

    return receive


@pytest.fixture
def measure(s3, wire, environment, capsys):  # pylint: disable=unused-argument  # fixtures for their effects
    """Return the handler, called without a context as from a shell. It returns its answer and its log lines."""
    s3.create_bucket(Bucket=SOURCE, CreateBucketConfiguration={"LocationConstraint": REGION})

    def call(event):
        answer = handler_module.handler(event, None)
        return answer, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call
