"""What all parts of the run share: a function with its queue, and the wait for its log lines."""

import io
import json
import zipfile
from contextlib import contextmanager

from local.demo.lines import fields
from tests.local.lambda_deployment import eventually

# The slowest message waits some seconds after a failure. A busy machine takes longer.
SECONDS = 90


class Task:
    """A deployed function.

    Args:
        stack: the stack of its deployment.
        function: the function's name.
        queue: the URL of its queue.
    """

    def __init__(self, stack, function, queue):
        self.aws, self.name, self.queue = stack.aws, function, queue
        self._functions = stack.functions
        self._lambda, self._sqs = stack.aws.client("lambda"), stack.aws.client("sqs")
        self._parsed = []

    @contextmanager
    def logging(self, *messages, **wanted):
        """Wait at the end of the block for a new log line with one of some messages, and with some fields."""
        before = len(self._lines(messages, wanted))
        yield
        eventually(lambda: len(self._lines(messages, wanted)) > before, SECONDS)

    def send(self, body, **options):
        """Send a message to the queue."""
        text = body if isinstance(body, str) else json.dumps(body)
        self._sqs.send_message(QueueUrl=self.queue, MessageBody=text, **options)

    @property
    def environment(self):
        """The environment variables of the function."""
        return self._lambda.get_function_configuration(FunctionName=self.name)["Environment"]["Variables"]

    def set_environment(self, **variables):
        """Change environment variables of the function."""
        variables = self.environment | variables
        self._lambda.update_function_configuration(FunctionName=self.name, Environment={"Variables": variables})

    def replace_handler(self, package, source):
        """Deploy the function's package with one more module, whose `handler` replaces the function's own."""
        content = io.BytesIO(package.read_bytes())
        with zipfile.ZipFile(content, "a") as archive:
            archive.writestr("replaced.py", source)
        self._lambda.update_function_code(FunctionName=self.name, ZipFile=content.getvalue())
        self._lambda.update_function_configuration(FunctionName=self.name, Handler="replaced.handler")

    def _lines(self, messages, wanted):
        lines = self._functions.logs(self.name)
        self._parsed += map(fields, lines[len(self._parsed) :])
        return [line for line in self._parsed if line.get("message") in messages and wanted.items() <= line.items()]
