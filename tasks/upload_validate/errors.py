"""The errors that keep a file set from being settled.

BucketBrigadeError
├── SetChangedError       a file was added, removed or replaced during the work: list the set again  (transient)
├── BusyError             another invocation works on the same set                                   (transient)
├── KeyUnavailableError   the entry that holds a key cannot be read                                  (transient)
├── UncertainError        a notification may have been sent: a person has to find out
└── ReporterError         a notification was not sent
    ├── ServiceFailedError    500, 503, 429, no connection: the service did not carry it out         (retryable)
    ├── RefusedError          any other 4xx: the service will refuse the same call again
    └── AnswerLostError       the call was sent, and no answer arrived, or only that of a gateway
                              (502, 504): the service may have carried it out                        (transient)
"""

from tasks.utils.errors import BucketBrigadeError


class SetChangedError(BucketBrigadeError):
    """The set in the upload bucket is no longer the set that was listed."""

    transient = True


class BusyError(BucketBrigadeError):
    """Another invocation works on the same set; nothing is left to do after it."""

    transient = True


class KeyUnavailableError(BucketBrigadeError):
    """The entry of a key in SSM or Secrets Manager cannot be read, or holds no usable key."""

    transient = True


class UncertainError(BucketBrigadeError):
    """A notification may or may not have been sent. It is not sent again; a person has to find out."""


class ReporterError(BucketBrigadeError):
    """A notification was not sent."""


class ServiceFailedError(ReporterError):
    """The service failed, or asks the client to wait.

    Attributes:
        wait: the seconds that the service asks the client to wait.
    """

    retryable = True

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class RefusedError(ReporterError):
    """The service refused the call.

    Attributes:
        status: the HTTP status, or 0.
    """

    def __init__(self, reason: str, *, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class AnswerLostError(ReporterError):
    """The call was sent, and its answer is missing or does not say whether it was carried out."""

    transient = True
