"""Outcomes of asynchronous invocations: records for destinations, dead letters for queues and topics.

See https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.awslambda.models import LambdaFunction

from local.embedded_aws import EmbeddedAws
from local.lambda_service.instance import Result
from local.lambda_service.roles import assume

# Lambda truncates the error in a dead letter's message attribute to 1 KB.
ERROR_MESSAGE_BYTES = 1024


@dataclass
class Event:
    """An event of an asynchronous invocation.

    Attributes:
        function: The function.
        payload: The event, as JSON.
        accepted: The time of its acceptance, on the monotonic clock.
        request_id: The id of the invocation, the same for all retries.
        invocations: The number of invocations so far.
        result: The result of the last invocation, if any.
    """

    function: LambdaFunction
    payload: bytes
    accepted: float = field(default_factory=time.monotonic)
    request_id: str = field(default_factory=lambda: str(uuid4()))
    invocations: int = 0
    result: Result | None = None

    def record(self, condition: str) -> dict[str, Any]:
        """Return the record of its outcome: `Success`, `RetriesExhausted` or `EventAgeExceeded`."""
        arn = self.function.function_arn.removesuffix(f":{self.function.version}")
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": f"{arn}:{self.function.version}",
                "condition": condition,
                "approximateInvokeCount": self.invocations,
            },
            "requestPayload": json.loads(self.payload),
        }
        if self.result:
            error = {"functionError": "Unhandled"} if self.result.failed else {}
            record["responseContext"] = {"statusCode": 200, "executedVersion": self.result.version, **error}
            record["responsePayload"] = json.loads(self.result.payload)
        return record

    def dead_letter_attributes(self) -> dict[str, str]:
        """Return the message attributes of a dead letter, which hold its reason."""
        attributes = {"RequestID": self.request_id, "ErrorCode": "200"}
        if self.result and (message := json.loads(self.result.payload).get("errorMessage")):
            attributes["ErrorMessage"] = message.encode()[:ERROR_MESSAGE_BYTES].decode(errors="ignore")
        return attributes


def send_record(aws: EmbeddedAws, arn: str, record: dict[str, Any], *, function: LambdaFunction) -> None:
    """Send a record to a queue, a topic, a function or an event bus, as the function's role.

    Raises:
        Refused: Lambda may not assume the role.
        botocore.exceptions.ClientError: The destination does not exist, or the role does not permit it.
    """
    text = json.dumps(record)
    context = record["requestContext"]
    match arn.split(":")[2]:
        case "lambda":
            _client(aws, arn, function).invoke(FunctionName=arn, InvocationType="Event", Payload=text)
        case "events":
            outcome = "Success" if context["condition"] == "Success" else "Failure"
            entry = {
                "Source": "lambda",
                "DetailType": f"Lambda Function Invocation Result - {outcome}",
                "Detail": text,
                "EventBusName": arn,
                "Resources": [context["functionArn"], arn],
            }
            _client(aws, arn, function).put_events(Entries=[entry])
        case _:
            send_message(aws, arn, text, {}, function=function)


def send_message(
    aws: EmbeddedAws, arn: str, text: str, attributes: Mapping[str, str], *, function: LambdaFunction
) -> None:
    """Send a message to a queue or a topic, as the function's role; raise the errors of `send_record`."""
    values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    client = _client(aws, arn, function)
    _, _, service, _, account_id, name = arn.split(":")
    if service == "sqs":
        url = f"{aws.endpoint_url}/{account_id}/{name}"
        client.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=values)
    else:
        client.publish(TopicArn=arn, Message=text, MessageAttributes=values)


def _client(aws: EmbeddedAws, arn: str, function: LambdaFunction) -> Any:
    service, region = arn.split(":")[2:4]
    credentials = assume(function.role, session=function.function_name, region=function.region)
    return aws.client(service, **credentials, region_name=region)
