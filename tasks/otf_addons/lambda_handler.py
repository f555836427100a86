"""`LambdaExecution`, which Open Task Framework calls."""

import base64
import json
import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from opentaskpy.otflogging import redact
from opentaskpy.remotehandlers.remotehandler import RemoteExecutionHandler

from tasks.otf_addons.connections import lambda_config, make_client
from tasks.otf_addons.options import LAMBDA_SCHEMAS, Protocol, refuse_unknown
from tasks.otf_addons.settings import Settings
from tasks.otf_addons.task_log import task_logger

# The status of a successful Invoke: Lambda accepted the event, or the function has run.
ACCEPTED = {"Event": 202, "RequestResponse": 200}
# The level of the framework's own "VERBOSE2".
VERBOSE = 12
# Characters of the answer of a failed function; its message is at the start.
ANSWER_LIMIT = 2000


class LambdaExecution(RemoteExecutionHandler):
    """An execution that invokes a Lambda function."""

    TASK_TYPE = "E"

    def __init__(self, spec: dict[str, Any]) -> None:
        """Read the definition and create a client, without a request to Lambda.

        Args:
            spec: the definition, to which the framework adds `task_id`.

        Raises:
            SettingsError: the definition has options that do not exist.
        """
        super().__init__(spec)
        refuse_unknown(spec, LAMBDA_SCHEMAS)
        self.logger = task_logger(__name__, spec.get("task_id"), self.TASK_TYPE)
        protocol = Protocol.from_definition(spec["protocol"], Settings.read())
        self._client = make_client("lambda", protocol, lambda_config(protocol))

    def execute(self) -> bool:
        """Invoke the function. Return whether Lambda accepted the event or, with `RequestResponse`, it succeeded."""
        function, invocation = self.spec["functionArn"], self.spec.get("invocationType", "Event")
        payload = {"Payload": json.dumps(self.spec["payload"])} if "payload" in self.spec else {}
        try:
            answer = self._client.invoke(FunctionName=function, InvocationType=invocation, LogType="Tail", **payload)
            result = answer["Payload"].read().decode(errors="replace")
        except (ClientError, BotoCoreError) as error:
            self.logger.error("%s could not be invoked: %s", function, error)
            return False
        log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        if "FunctionError" in answer:
            self.logger.error("%s failed (%s): %s", function, answer["FunctionError"], result[:ANSWER_LIMIT])
            self._log_tail(log, logging.ERROR)
            return False
        # The answer of a function may be a secret, so it is not logged.
        self.logger.info("%s answered %s, %s characters", function, answer["StatusCode"], len(result))
        self._log_tail(log, VERBOSE)
        return bool(answer["StatusCode"] == ACCEPTED[invocation])

    def _log_tail(self, log: str, level: int) -> None:
        # Each line becomes a record, so that no line of the function looks like a record of ours. The framework redacts
        # a private key, which has several lines, only in a message that holds all of it.
        for line in ("The end of its log:", *redact(log).splitlines()):
            self.logger.log(level, "%s", line)

    def kill(self) -> None:
        """Close the connection. A function that runs cannot be stopped from outside."""
        self.tidy()

    def tidy(self) -> None:
        """Close the connections; a second call does nothing."""
        self._client.close()
