"""Calls of outside services: each ends by the deadline, and is repeated if its failure says that this may help.

No error of the HTTP libraries is kept: their texts repeat addresses and headers, and so keys.
"""

import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import Any, TypeVar

import requests
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.api_keys import Key
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ReporterError, ServiceFailedError
from tasks.upload_validate.reporters.http_exchange import Request, Response, exchange
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tasks.utils.secret_values import Secrets

# Seconds to connect, and between two bytes of a response: GitHub ends a request after ten.
TIMEOUT = (5, 20)
# Seconds for one call with its response, however slowly its bytes arrive: three times the longest silence.
LONGEST_CALL = 60.0
# Seconds. A service that asks for a longer wait is called again by another delivery of the message.
LONGEST_WAIT = 60
# Seconds without which no call is begun. A healthy service answers in that time: name resolution, five round trips for
# TCP, TLS and the call, and its work. Most calls with less time would end without an answer, and then a person has to
# find out what happened.
LEAST_SECONDS = 2.0
UNAUTHORIZED = 401
MOST_REDIRECTS = 5

# Reasons that OpenSSL gives during the handshake, before any byte of a request is sent.
HANDSHAKE = frozenset(
    {
        "CERTIFICATE_VERIFY_FAILED",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "TLSV1_UNRECOGNIZED_NAME",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)

Result = TypeVar("Result")


@dataclass(frozen=True)
class HttpClient:
    """Makes calls, each on a new connection.

    A connection that is kept while the container sleeps may break at the next request, and such a failure does not say
    whether the request was carried out.

    Attributes:
        policy: how often and how patiently a call is repeated.
        deadline: no call lasts longer, and no wait is begun that would end after it.
        secrets: the `Secrets` that no message may contain.
        least: seconds without which no call is begun; None for `LEAST_SECONDS`.
    """

    policy: RetryPolicy = RetryPolicy(tries=4, delay=1.0, jitter=(0.0, 1.0), max_delay=20.0)
    deadline: Deadline = Deadline()
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    least: float | None = None

    def send(self, method: str, url: str, **arguments: Any) -> Response:
        """Make a call as `call` does, and repeat it while it is known not to have been carried out."""
        return self.retry(lambda: self.call(method, url, **arguments))

    def retry(
        self, attempt: Callable[[], Result], *, cured: tuple[type[ReporterError], ...] = (ServiceFailedError,)
    ) -> Result:
        """Call `attempt()` until it passes, or fails with an error that is not in `cured`, or tries or time run out."""
        tried = 0
        while True:
            tried += 1
            try:
                return attempt()
            except cured as error:
                wait = max(self.policy.wait(tried), getattr(error, "wait", 0.0))
                if tried == self.policy.tries or wait > LONGEST_WAIT or wait >= self.deadline.remaining():
                    raise
            time.sleep(wait)

    def call(
        self, method: str, url: str, *, scheme: str = "Token", key: Key | None = None, **arguments: Any
    ) -> Response:
        """Make a call and return the `Response`, whose status is below 300.

        A redirect is followed only for a GET, and only to the same server. A POST would arrive as another request, and
        its key or report at another place.

        Args:
            method: `GET` or `POST`.
            url: the whole address.
            scheme: the word before the key in the header `Authorization`.
            key: a `Key`, or None; a key that is refused is read again, once.
            **arguments: as for `http_exchange.exchange`.

        Raises:
            ServiceFailedError: the call was not carried out.
            RefusedError: it was refused.
            AnswerLostError: it may have been carried out.
            DeadlineException: it was not made, because it could not have ended in time.
            KeyUnavailableError: the key cannot be read.
        """
        value = self._value(key)
        try:
            return self._call(method, url, value and f"{scheme} {value}", **arguments)
        except RefusedError as error:
            refused = error
        # Outside of the handler: a failure of the second call has nothing to do with the first one.
        renewed = self._value(key, refresh=True) if key and refused.status == UNAUTHORIZED else value
        if renewed == value:
            raise refused
        return self._call(method, url, f"{scheme} {renewed}", **arguments)

    def _value(self, key: Key | None, *, refresh: bool = False) -> str | None:
        value = key.value(refresh=refresh) if key else None
        self.secrets.add(value)
        return value

    def _call(self, method: str, url: str, authorization: str | None, **arguments: Any) -> Response:
        response = self._exchange(method, url, authorization, **arguments)
        for _ in range(MOST_REDIRECTS):
            if not response.is_redirect:
                break
            target = response.target(response.headers["location"], "redirected to")
            # The new address contains the parameters already.
            response = self._exchange(method, target, authorization, **{**arguments, "params": None})
        response.check_status()
        return response

    def _exchange(self, method: str, url: str, authorization: str | None, **arguments: Any) -> Response:
        request = Request(method, url, self.secrets)

        def call(connect: float, read: float) -> Response:
            return exchange(request, authorization, (min(TIMEOUT[0], connect), min(TIMEOUT[1], read)), **arguments)

        try:
            return run_within(self.deadline.within(LONGEST_CALL), call, least=self.least)
        except DeadlineException:
            raise
        # The libraries may raise any error for an odd response.
        except Exception as error:  # pylint: disable=broad-exception-caught  # only its type is kept
            failure = _failure(request, error)
        # Raised outside of the handler: Sentry and tracebacks would show the library's error as the context.
        raise failure


def run_within(deadline: Deadline, call: Callable[[float, float], Result], *, least: float | None = None) -> Result:
    """Return what `call()` returns, before the deadline.

    The time-out of a socket counts for one wait, and a call has many: for each address, each message of TLS, each byte
    of the response. So a thread makes the call, and this function waits for its end until the deadline. The thread
    works under the same deadline, so that it ends too.

    Args:
        deadline: a `Deadline`.
        call: takes the seconds that a connection, and a wait for the response, may take, and makes the call.
        least: seconds without which the call is not begun; None for `LEAST_SECONDS`.

    Raises:
        DeadlineException: the call was not begun, because it could not end in time.
        TimeoutError: the call was begun and has not ended.
    """
    remaining = deadline.remaining()
    if remaining < (LEAST_SECONDS if least is None else least):
        raise DeadlineException("no time was left to call an outside service")
    future: Future[Result] = Future()

    def work() -> None:
        try:
            # A quarter for the connection: a host has several addresses, and TLS waits as well. So a host that accepts
            # no connection fails before the deadline, and is known not to have received the request.
            future.set_result(deadline.limit(partial(call, remaining / 4, remaining)))
        except BaseException as error:  # pylint: disable=broad-exception-caught  # the waiting thread raises it
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    return future.result(None if remaining == float("inf") else remaining)


def failed_in_handshake(error: BaseException | None) -> bool:
    """Return whether an error of requests or botocore comes from a TLS handshake, so that no request was sent."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error.reason in HANDSHAKE
        error = error.__context__
    return False


def _failure(request: Request, error: Exception) -> ReporterError:
    message = request.message(type(error).__name__)
    if isinstance(error, ValueError) and isinstance(error, requests.RequestException):
        # requests does not accept the address or a header, so the request was not sent.
        return RefusedError(message)
    unsent = isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError)) or failed_in_handshake(error)
    reason = error.args[0].reason if error.args and isinstance(error.args[0], MaxRetryError) else None
    if unsent or request.method == "GET" or isinstance(reason, (NewConnectionError, NameResolutionError)):
        return ServiceFailedError(message)
    return AnswerLostError(message)
