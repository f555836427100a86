"""Errors that end a job before all its tasks ran.

Exception
├── JobFailed    the job fails, with a code and a reason
└── JobStopped   the job was cancelled, or the service was stopped
"""


class JobFailed(Exception):
    """The job fails.

    Attributes:
        code: The failure code of the job.
    """

    def __init__(self, code: str, reason: str):
        super().__init__(reason)
        self.code = code


class JobStopped(Exception):
    """The job was cancelled, or the service was stopped."""
