"""`LambdaExecution`, as Open Task Framework calls it."""

# pylint: disable=logging-fstring-interpolation  # task_log says why

import base64
import json
import logging

from botocore.exceptions import BotoCoreError, ClientError
from opentaskpy.otflogging import redact
from opentaskpy.remotehandlers.remotehandler import RemoteExecutionHandler

from tasks.otf_addons.connections import lambda_config, make_client
from tasks.otf_addons.options import LAMBDA_SCHEMAS, Protocol, refuse_unknown
from tasks.otf_addons.settings import Settings
from tasks.otf_addons.task_log import task_logger

# What Invoke answers when all is well: the event was taken, or the function has run.
ACCEPTED = {"Event": 202, "RequestResponse": 200}
# The detail of the framework's own "VERBOSE2".
VERBOSE = 12
# Of what a failed function answers; its message stands at the start.
ANSWER_LIMIT = 2000


class LambdaExecution(RemoteExecutionHandler):
    """An execution that invokes a Lambda function."""

    TASK_TYPE = "E"

    def __init__(self, spec):
        """Reads the definition, makes a client, and asks Lambda nothing yet.

        Args:
            spec: the definition, to which the framework adds `task_id`.

        Raises:
            SettingsError: the definition has options that do not exist.
        """
        super().__init__(spec)
        refuse_unknown(spec, LAMBDA_SCHEMAS)
        self.logger = task_logger(__name__, spec.get("task_id"), self.TASK_TYPE)
        protocol = Protocol.of(spec["protocol"], Settings.read())
        self._client = make_client("lambda", protocol, lambda_config(protocol))

    def execute(self):
        """Invokes the function; returns whether the event was taken or, where it is waited for, it succeeded."""
        function, invocation = self.spec["functionArn"], self.spec.get("invocationType", "Event")
        payload = {"Payload": json.dumps(self.spec["payload"])} if "payload" in self.spec else {}
        try:
            answer = self._client.invoke(FunctionName=function, InvocationType=invocation, LogType="Tail", **payload)
            said = answer["Payload"].read().decode(errors="replace")
        except (ClientError, BotoCoreError) as error:
            self.logger.error(f"{function} could not be invoked: {error}")
            return False
        log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        if "FunctionError" in answer:
            self.logger.error(f"{function} failed ({answer['FunctionError']}): {said[:ANSWER_LIMIT]}")
            self._log_tail(log, logging.ERROR)
            return False
        # What a function answers may be a secret, so it is not for the log.
        self.logger.info(f"{function} answered {answer['StatusCode']}, {len(said)} characters")
        self._log_tail(log, VERBOSE)
        return answer["StatusCode"] == ACCEPTED[invocation]

    def _log_tail(self, log, level):
        # A record for each line: what the function wrote is not taken for a record of ours. The framework redacts a
        # private key, which has several lines, only in a message that holds all of it.
        for line in ("The end of its log:", *redact(log).splitlines()):
            self.logger.log(level, line)

    def kill(self):
        """Closes the connection; a function that runs cannot be stopped from outside."""
        self.tidy()

    def tidy(self):
        """Closes what is open; may be called again."""
        self._client.close()
