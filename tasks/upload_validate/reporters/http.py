"""One call over HTTP, bounded in time and size, and repeated where its failure says that this may help.

No error of the libraries below is kept: their texts repeat addresses and headers, and so keys.
"""

import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import requests
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.upload_validate.reporters.answer import Answer, Call
from tasks.upload_validate.reporters.bounded import BoundedSession
from tasks.upload_validate.reporters.in_time import in_time
from tasks.upload_validate.reporters.tls import failed_in_handshake
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tasks.utils.secret_values import Secrets

# Seconds at most to connect, and between two bytes of an answer: GitHub gives up on a request after ten.
TIMEOUT = (5, 20)
# Seconds at most for one call and its answer, however it drips: three times the longest silence.
LONGEST_CALL = 60.0
# Statuses that say that the call was not done. RFC 9110: 408 the request did not arrive whole; 500 a condition
# "prevented it from fulfilling the request"; 501 and 505 the server cannot; 503 it is "currently unable to handle the
# request". RFC 6585: 429 too many requests. All others from 500 on leave it open: 502 and 504 come from a gateway,
# whose server may have done it, and 520 to 527 from a content delivery network.
UNDONE = frozenset({408, 429, 500, 501, 503, 505})
# What asks for more patience than this gets it by another delivery of the message.
LONGEST_WAIT = 60
# Only gzip, which is decoded within a bound.
HEADERS = {"User-Agent": "bucket-brigade", "Accept-Encoding": "gzip"}
UNAUTHORIZED = 401
MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Authorization(AuthBase):
    """The header `Authorization`; as an `auth` it also keeps requests from taking a password out of a .netrc file."""

    value: str | None

    def __call__(self, request):
        if self.value:
            request.headers["Authorization"] = self.value
        return request

    def __repr__(self):
        return "Authorization(...)"


@dataclass(frozen=True)
class Http:
    """Makes calls, each on a connection of its own: a container sleeps between invocations, and what it had open then
    breaks just when something is sent over it, which nobody can tell from a call that was heard.

    Attributes:
        policy: how often and how patiently.
        deadline: no call lasts longer, and no wait is begun that would end after it.
        secrets: the `Secrets` that are kept out of every message.
        least: seconds without which no call is begun.
    """

    policy: RetryPolicy = RetryPolicy(tries=4, delay=1.0, jitter=(0.0, 1.0), max_delay=20.0)
    deadline: Deadline = Deadline()
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    least: float | None = None

    def send(self, method, url, **arguments):
        """Makes a call as `call` does, again and again as long as it is known not to have been done."""
        return self.patiently(lambda: self.call(method, url, **arguments))

    def patiently(self, attempt, *, cured=(ServiceFailedError,)):
        """Calls `attempt()` until it passes, the error is none of those `cured` by another try, or patience ends."""
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

    def call(self, method, url, *, scheme="Token", key=None, **arguments):
        """Makes a call and returns the `Answer`, whose status is below 300.

        A redirect is followed to the same server only, and only of a question: what is sent would arrive as another
        call, and its key or report at another place.

        Args:
            method: `GET` or `POST`.
            url: whole.
            scheme: what stands before the key in the header `Authorization`.
            key: a `Key`, or None for a call without one; a key that is refused is read again, once.
            **arguments: as requests takes them, and `with_body=False` where the status is all that counts.

        Raises:
            ServiceFailedError: it was not done.
            RefusedError: it was refused.
            AnswerLostError: it may have been done.
            DeadlineException: it was not done, because it could not have ended in time.
            KeyUnavailableError: the key cannot be read.
        """
        value = self._value(key)
        try:
            return self._call(method, url, value and f"{scheme} {value}", **arguments)
        except RefusedError as error:
            refused = error
        # Not in the handler: a failure of the second call is not one of the first.
        renewed = self._value(key, refresh=True) if key and refused.status == UNAUTHORIZED else value
        if renewed == value:
            raise refused
        return self._call(method, url, f"{scheme} {renewed}", **arguments)

    def _value(self, key, **how):
        value = key.value(**how) if key else None
        self.secrets.add(value)
        return value

    def _call(self, method, url, authorization, **arguments):
        answer = self._exchange(method, url, authorization, **arguments)
        for _ in range(MOST_REDIRECTS):
            if not answer.is_redirect:
                break
            target = answer.target(answer.headers["location"], "redirected to")
            # What was asked for is in the new address already.
            answer = self._exchange(method, target, authorization, **{**arguments, "params": None})
        _check(answer)
        return answer

    def _exchange(self, method, url, authorization, **arguments):
        call = Call(method, url, self.secrets)
        try:
            return in_time(
                self.deadline.within(LONGEST_CALL),
                lambda *left: _exchange(call, authorization, tuple(map(min, TIMEOUT, left)), **arguments),
                least=self.least,
            )
        except DeadlineException:
            raise
        # The libraries may raise anything for an odd answer.
        except Exception as error:  # pylint: disable=broad-exception-caught  # only its type is kept
            failure = _failure(call, error)
        # Not in the handler: the library's error would be this one's context, and Sentry and tracebacks show that.
        raise failure


def _exchange(call, authorization, timeout, *, headers=None, with_body=True, **arguments):
    with BoundedSession() as session:
        response = session.request(
            call.method,
            call.url,
            headers={**HEADERS, **(headers or {})},
            auth=Authorization(authorization),
            timeout=timeout,
            allow_redirects=False,
            # The body is read to a bound.
            stream=True,
            **arguments,
        )
        return Answer.of(call, response, with_body=with_body)


def _failure(call, error):
    what = call.said(type(error).__name__)
    if isinstance(error, ValueError) and isinstance(error, requests.RequestException):
        # It could not be sent: requests does not take the address or a header.
        return RefusedError(what)
    unsent = isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError)) or failed_in_handshake(error)
    reason = error.args[0].reason if error.args and isinstance(error.args[0], MaxRetryError) else None
    if unsent or call.method == "GET" or isinstance(reason, (NewConnectionError, NameResolutionError)):
        return ServiceFailedError(what)
    return AnswerLostError(what)


def _check(answer):
    if answer.status_code < 300:
        return
    what = answer.call.said(f"{answer.status_code} {answer.text}")
    limited = answer.status_code == 403 and ("retry-after" in answer.headers or _is_used_up(answer))
    if answer.status_code in UNDONE or limited or (answer.status_code >= 500 and answer.call.method == "GET"):
        raise ServiceFailedError(what, wait=_asked_wait(answer))
    if answer.status_code >= 500:
        raise AnswerLostError(what)
    raise RefusedError(what, status=answer.status_code)


def _is_used_up(answer):
    return answer.headers.get("x-ratelimit-remaining") == "0"


def _asked_wait(answer):
    """Returns the seconds that an answer asks to wait: `Retry-After`, or GitHub's hour of so many calls that is over.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    after = answer.headers.get("retry-after", "")
    try:
        if after.isdecimal():
            return float(after)
        if after:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        if _is_used_up(answer):
            return max(0.0, float(answer.headers.get("x-ratelimit-reset", "0")) - time.time())
    except (ValueError, OverflowError, TypeError, IndexError):
        pass
    return 0.0
