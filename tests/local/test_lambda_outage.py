"""An outage of the Lambda service, and functions that hang: no message and no event is lost."""

from local.embedded_aws import EmbeddedAws
from local.lambda_service import LambdaService
from tests.local.lambda_deployment import Deployment, deployed, eventually

# It hangs in its first invocation, and then it works.
HANGS_ONCE = """
import json, os, time
from pathlib import Path
def handler(event, context):
    print("SEEN " + json.dumps(event["Records"][0]["body"] if "Records" in event else event))
    file = Path(os.environ["MARK"])
    if not file.exists():
        file.touch()
        time.sleep(60)
    print("DONE " + json.dumps(1))
"""


def done(stage):
    return len(stage.log("DONE "))


def test_message_and_event_of_a_function_that_an_outage_ends_come_again(tmp_path):
    with deployed(redelivery_seconds=0) as stage:
        stage.function(HANGS_ONCE, Timeout=60, environment={"MARK": str(tmp_path / "mark")})
        queue, arn = stage.queue("q", VisibilityTimeout=360)
        stage.map(arn, BatchSize=1)
        stage.send(queue, "a message")
        eventually(stage.seen)
        with stage.service.outage():
            stage.send_event("an event")
            stage.send(queue, "another message")
            assert done(stage) == 0
        eventually(lambda: done(stage) == 3)
        assert sorted(stage.seen()) == ["a message", "a message", "an event", "another message"]
        assert stage.left(queue) == 0


def test_event_that_an_outage_interrupts_comes_again(tmp_path):
    with deployed() as stage:
        stage.function(HANGS_ONCE, Timeout=60, environment={"MARK": str(tmp_path / "mark")})
        stage.send_event("an event")
        eventually(stage.seen)
        with stage.service.outage():
            pass
        eventually(lambda: done(stage) == 1)
        assert stage.seen() == ["an event", "an event"]


def test_frozen_function_ends_with_its_time_out_and_its_message_comes_again(tmp_path):
    with deployed(redelivery_seconds=0) as stage:
        stage.function(HANGS_ONCE, Timeout=1, environment={"MARK": str(tmp_path / "mark")})
        queue, arn = stage.queue("q", VisibilityTimeout=360)
        stage.map(arn)
        stage.send(queue, "a message")
        eventually(stage.seen)
        assert stage.service.freeze("another function") == 0
        assert stage.service.freeze("f") == 1
        eventually(lambda: done(stage) == 1)
        assert any("Task timed out after 1.00 seconds" in line for line in stage.log(""))


def test_functions_get_the_endpoint_that_the_service_names():
    with EmbeddedAws() as aws, LambdaService(aws, endpoint_url="http://127.0.0.1:1") as service:
        stage = Deployment(aws, service)
        stage.function("import os\ndef handler(event, context): return os.environ['AWS_ENDPOINT_URL']")
        assert stage.invoke().value == "http://127.0.0.1:1"
