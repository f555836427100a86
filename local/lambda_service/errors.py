"""Errors of an invocation without a result.

Exception
├── Refused    the service did not run the function; a later try may succeed
└── Stopped    the service was stopped during the invocation
"""


class Refused(Exception):
    """The service did not run the function.

    Attributes:
        status: The HTTP status of the Invoke API.
        error_type: The error type of the Invoke API.
    """

    def __init__(self, status: int, error_type: str, message: str):
        super().__init__(message)
        self.status = status
        self.error_type = error_type


class Stopped(Exception):
    """The Lambda service was stopped during the invocation."""
