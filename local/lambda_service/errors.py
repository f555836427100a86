"""Why an invocation gave no result.

Exception
├── Refused    the service did not run the function; a later try may succeed
└── Stopped    the service was stopped meanwhile
"""


class Refused(Exception):
    """The function was not run.

    Attributes:
        status: The status that the Invoke API answers with.
        error_type: The name that it gives the error.
    """

    def __init__(self, status: int, error_type: str, message: str):
        super().__init__(message)
        self.status = status
        self.error_type = error_type


class Stopped(Exception):
    """The Lambda service was stopped, and the invocation with it."""
