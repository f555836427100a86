"""What the patches ask of the one who applies them: errors to give, whom to hand a function's invocation, how long a
restore takes."""

import json
from collections.abc import Callable
from typing import Any

from local.faults import Faults
from local.patches.clock import Clock

LambdaInvoker = Callable[[Any, bytes, str], tuple[int, dict[str, str], bytes]]

# Long enough for a caller to see that the restore is still going on, short enough to wait for in a test.
RESTORE_SECONDS = 0.2


def refuse_invocation(_function: Any, _payload: bytes, _invocation_type: str) -> tuple[int, dict[str, str], bytes]:
    """Answer an invocation while nobody is there to run functions."""
    body = {"Type": "Service", "Message": "No Lambda service is running."}
    return 503, {"x-amzn-ErrorType": "ServiceException"}, json.dumps(body).encode()


class Hooks:
    """The settings of the patches while they are applied.

    Attributes:
        faults: Errors that S3 gives on order.
        lambda_invoker: Runs functions: called with the function (`moto.awslambda.models.LambdaFunction`), the payload
            and `RequestResponse` or `Event`; returns status, headers and body. For `Event` it returns at once.
        restore_seconds: How long an archived object is being restored; None is until `clock.run_all()`.
        event_bridge_seconds: How long after it was enabled S3 begins to send to EventBridge, with AWS about 300; None
            is until `clock.run_all()`.
        clock: What is to happen later, such as the end of a restore.
        closed: Whether those who wait, such as for a message, are to give up.
    """

    faults: Faults
    lambda_invoker: LambdaInvoker
    restore_seconds: float | None
    event_bridge_seconds: float | None
    clock: Clock
    closed: bool

    def __init__(self) -> None:
        self.clock = Clock()
        self.reset()

    def reset(self) -> None:
        """Go back to the defaults, with nothing to happen later."""
        self.clock.stop()
        self.faults = Faults()
        self.lambda_invoker = refuse_invocation
        self.restore_seconds = RESTORE_SECONDS
        self.event_bridge_seconds = 0
        self.clock = Clock()
        self.closed = False

    def close(self) -> None:
        """Let nothing happen later any more, and nobody wait."""
        self.closed = True
        self.clock.stop()


HOOKS = Hooks()
