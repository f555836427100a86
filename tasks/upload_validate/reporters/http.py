"""One call over HTTP, with time-outs, and repeated where its failure says that this may help."""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

import requests
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from tasks.upload_validate.addresses import origin
from tasks.upload_validate.errors import AnswerLostError, RefusedError, ServiceFailedError
from tasks.upload_validate.reporters.in_time import in_time
from tasks.upload_validate.reporters.tls import failed_in_handshake
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

# Seconds at most to connect, and between two bytes of an answer: GitHub gives up on a request after ten.
TIMEOUT = (5, 20)
# Statuses that say that the call was not done. RFC 9110: 408 the request did not arrive whole; 500 a condition
# "prevented it from fulfilling the request"; 501 and 505 the server cannot; 503 it is "currently unable to handle the
# request". RFC 6585: 429 too many requests. All others from 500 on leave it open: 502 and 504 come from a gateway,
# whose server may have done it, and 520 to 527 from a content delivery network.
UNDONE = frozenset({408, 429, 500, 501, 503, 505})
# What asks for more patience than this gets it by another delivery of the message.
LONGEST_WAIT = 60
USER_AGENT = "bucket-brigade"
UNAUTHORIZED = 401
MOST_REDIRECTS = 5
# Enough of an answer to see what it was about.
ANSWER_LIMIT = 300


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
    """

    policy: RetryPolicy = RetryPolicy(tries=4, delay=1.0, jitter=(0.0, 1.0), max_delay=20.0)
    deadline: Deadline = Deadline()

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
        """Makes a call and returns the answer, whose status is below 300.

        A redirect is followed to the same server only, and only of a question: what is sent would arrive as another
        call, and its key or report at another place.

        Args:
            method: `GET` or `POST`.
            url: whole.
            scheme: what stands before the key in the header `Authorization`.
            key: a `Key`, or None for a call without one; a key that is refused is read anew, once.
            **arguments: as requests takes them.

        Raises:
            ServiceFailedError: it was not done.
            RefusedError: it was refused.
            AnswerLostError: it may have been done.
            DeadlineException: it was not done, because it could not have ended in time.
        """
        value = key.value() if key else None
        try:
            return self._call(method, url, value and f"{scheme} {value}", **arguments)
        except RefusedError as error:
            renewed = key.value(refresh=True) if key and error.status == UNAUTHORIZED else value
            if renewed == value:
                raise
        return self._call(method, url, f"{scheme} {renewed}", **arguments)

    def _call(self, method, url, authorization, **arguments):
        answer = self._exchange(method, url, authorization, **arguments)
        for _ in range(MOST_REDIRECTS):
            if not answer.is_redirect:
                break
            target = _redirect_to_follow(method, url, answer)
            # What was asked for is in the new address already.
            answer = self._exchange(method, target, authorization, **{**arguments, "params": None})
        _check(method, url, answer)
        return answer

    def _exchange(self, method, url, authorization, **arguments):
        try:
            return in_time(
                self.deadline,
                lambda *left: _request(method, url, authorization, tuple(map(min, TIMEOUT, left)), **arguments),
            )
        except (requests.RequestException, TimeoutError, ValueError) as error:
            # The last also for an answer that redirects to what is no address.
            raise _failed(method, url, error) from error


def _redirect_to_follow(method, url, answer):
    try:
        target = urljoin(answer.url, answer.headers["Location"])
        scheme, host, port = origin(target)
    except ValueError as error:
        what = f"{method} {_without_query(url)}: redirected to what is no address"
        raise RefusedError(what, status=answer.status_code) from error
    if method == "GET" and (scheme, host, port) == origin(url):
        return target
    raise RefusedError(
        f"{method} {_without_query(url)}: {answer.status_code}, redirected to {scheme}://{host}:{port}, which is not "
        "followed: set the address that it has now",
        status=answer.status_code,
    )


def _request(method, url, authorization, timeout, *, headers=None, **arguments):
    return requests.request(
        method,
        url,
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        auth=Authorization(authorization),
        timeout=timeout,
        # requests would take the key along to another scheme or port of the same host.
        allow_redirects=False,
        **arguments,
    )


def _failed(method, url, error):
    what = f"{method} {_without_query(url)}: {type(error).__name__}"
    if isinstance(error, ValueError):
        return RefusedError(what)
    unsent = isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError)) or failed_in_handshake(error)
    reason = error.args[0].reason if error.args and isinstance(error.args[0], MaxRetryError) else None
    if unsent or method == "GET" or isinstance(reason, (NewConnectionError, NameResolutionError)):
        return ServiceFailedError(what)
    return AnswerLostError(what)


def _check(method, url, answer):
    if answer.status_code < 300:
        return
    what = f"{method} {_without_query(url)}: {answer.status_code} {answer.text[:ANSWER_LIMIT]}"
    limited = answer.status_code == 403 and ("retry-after" in answer.headers or _is_used_up(answer))
    if answer.status_code in UNDONE or limited or (answer.status_code >= 500 and method == "GET"):
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
    except ValueError:
        pass
    return 0.0


def _without_query(url):
    return url.partition("?")[0]
