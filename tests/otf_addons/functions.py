"""A function of the embedded AWS, and its code."""

import base64
import io
import json
import threading
import zipfile
from dataclasses import dataclass, field


@dataclass
class Function:
    """The code of the function. Its attributes set its answers, and it records its events."""

    answer: bytes = b'{"secret": "of the function"}'
    error: str | None = None
    log: bytes = b"REPORT RequestId: 1"
    status: dict = field(default_factory=lambda: {"Event": 202, "RequestResponse": 200})
    waits_for: threading.Event | None = None
    calls: list = field(default_factory=list)

    def __call__(self, function, payload, invocation_type):
        self.calls.append((function.function_name, invocation_type, payload))
        if self.waits_for:
            self.waits_for.wait(10)
        headers = {"X-Amz-Log-Result": base64.b64encode(self.log).decode()}
        if self.error:
            headers["X-Amz-Function-Error"] = self.error
        return self.status[invocation_type], headers, self.answer if invocation_type == "RequestResponse" else b""


def function_of(aws):
    """Create a function, and return its ARN."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("m.py", "def handler(event, context): ...")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    return aws.client("lambda").create_function(
        FunctionName="f", Runtime="python3.13", Role=role, Handler="m.handler", Code={"ZipFile": code.getvalue()}
    )["FunctionArn"]
