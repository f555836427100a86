"""A server that holds requests and performs them later, and answers of servers."""

from copy import copy

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.models import botocore_stubber


def lose_the_answer(request):
    """End the connection in the place of an answer."""
    raise ConnectionClosedError(endpoint_url=request.url)


def refusal(status, code):
    """Return a function that answers a request with an error of S3."""

    def refuse(request):
        body = f"<Error><Code>{code}</Code><Message>No</Message></Error>".encode()
        answer = AWSResponse(request.url, status, {}, None)
        answer._content = body  # pylint: disable=protected-access  # without it botocore reads a socket
        return answer

    return refuse


class HoldingServer:
    """A listener to the clients of the tasks. It acts as a server that holds requests to a bucket.

    Attributes:
        requests: pairs of an operation and its request, which the server holds.
    """

    def __init__(self, bucket):
        self._bucket = bucket
        self.requests = []
        self._operation, self._answer = "", None

    def hold_next(self, operation, answer=lose_the_answer):
        """Hold the next request of an operation, and answer it with `answer`."""
        self._operation, self._answer = operation, answer

    def land(self):
        """Perform the requests that are held."""
        for operation, request in self.requests:
            botocore_stubber(f"before-send.s3.{operation}", request)
        self.requests.clear()

    def __call__(self, request, event_name, **_):
        operation = event_name.rpartition(".")[2]
        if operation != self._operation or self._bucket not in request.url:
            return None
        self._operation = ""
        held = copy(request)
        # The client uses the memory of the body again.
        held.body = bytes(request.body) if request.body else request.body
        self.requests.append((operation, held))
        return self._answer(request)


def raise_(error):
    raise error
