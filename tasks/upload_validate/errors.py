"""What can keep a set from being judged or people from being told.

BucketBrigadeError
├── SetChangedError       files came, went or changed while the set was judged: look again   (transient)
├── BusyError             another invocation is at this very set                             (transient)
├── KeyUnavailableError   the entry that holds a key cannot be read now                      (transient)
├── UncertainError        an earlier try was cut off while it told somebody: nobody knows whether it did
└── ReporterError         somebody was not told
    ├── ServiceFailedError    500, 503, 429, no connection: it was not done                  (retryable)
    ├── RefusedError          any other 4xx: the same call will be refused again
    └── AnswerLostError       it was sent, and no answer came, or that of a gateway (502,
                              504): it may have been done                                    (transient)
"""

from tasks.utils.errors import BucketBrigadeError


class SetChangedError(BucketBrigadeError):
    """The set is no longer what was judged."""

    transient = True


class BusyError(BucketBrigadeError):
    """Another invocation judges the same set at this moment; when it is done, there is nothing left to do."""

    transient = True


class KeyUnavailableError(BucketBrigadeError):
    """A key's entry in SSM or Secrets Manager could not be read."""

    transient = True


class UncertainError(BucketBrigadeError):
    """Whether somebody was told is not known, so that a person has to look; nobody is told twice."""


class ReporterError(BucketBrigadeError):
    """Somebody was not told."""


class ServiceFailedError(ReporterError):
    """The service failed or asks for patience.

    Attributes:
        wait: seconds that it asks to be left alone for.
    """

    retryable = True

    def __init__(self, reason, *, wait=0.0):
        super().__init__(reason)
        self.wait = wait


class RefusedError(ReporterError):
    """The service understood and refused.

    Attributes:
        status: the HTTP status, or 0.
    """

    def __init__(self, reason, *, status=0):
        super().__init__(reason)
        self.status = status


class AnswerLostError(ReporterError):
    """The call went out, and its answer did not come back or does not say whether it was done."""

    transient = True
