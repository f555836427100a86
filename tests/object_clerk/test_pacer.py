"""Requests slow down while a server throttles, and return to their old rate afterwards."""

import threading
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk import pacer as pacer_module
from tasks.object_clerk.errors import ObjectClerkServerInternalException
from tasks.object_clerk.pacer import LONGEST_PAUSE, Pacer
from tasks.object_clerk.s3_requests import S3Requests
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy

NO_LIMIT = Deadline()


class Clock:
    """A clock that advances when a thread sleeps."""

    def __init__(self):
        self.now = 1000.0
        self.slept = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds


@pytest.fixture(name="clock")
def simulated_clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pacer_module, "time", clock)
    monkeypatch.setattr("tasks.utils.deadline.monotonic", clock.monotonic)
    monkeypatch.setattr("tasks.utils.retry.sleep", clock.sleep)
    return clock


class Server:
    """A server that takes `rate` requests a second, each of one millisecond, and throttles the others."""

    def __init__(self, clock, rate, code="SlowDown"):
        self.clock = clock
        self.rate = rate
        self.code = code
        self.moments = []
        self.refused = 0
        self._allowed, self._since = 0.0, clock.now

    def head_object(self, **_):
        self.clock.now += 0.001
        self.moments.append(self.clock.now)
        self._allowed = min(1.0, self._allowed + (self.clock.now - self._since) * self.rate)
        self._since = self.clock.now
        if self._allowed < 1.0 - 1e-9:
            self.refused += 1
            answer = {"Error": {"Code": self.code}, "ResponseMetadata": {"HTTPStatusCode": 503}}
            raise ClientError(answer, "HeadObject")
        self._allowed -= 1.0
        return {"ETag": '"e"', "ContentLength": 0}

    def requests_in(self, seconds):
        """How many requests came in the last so many seconds."""
        return sum(1 for moment in self.moments if moment > self.clock.now - seconds)


def ask(requests, clock, seconds):
    until = clock.now + seconds
    while clock.now < until:
        try:
            requests("head_object")
        except ObjectClerkServerInternalException:
            pass


def test_request_without_throttling_does_not_wait(clock):
    server = Server(clock, rate=1_000_000)
    requests = S3Requests(server, RetryPolicy(tries=3))
    for _ in range(1000):
        requests("head_object")
    assert (clock.slept, len(server.moments)) == (0.0, 1000)


@pytest.mark.parametrize("code", ["SlowDown", "503", "429", "ServiceUnavailable"])
def test_rate_falls_while_the_server_throttles_and_rises_when_it_recovers(clock, code):
    server = Server(clock, rate=5, code=code)
    requests = S3Requests(server, RetryPolicy(tries=3))
    ask(requests, clock, 60)
    # Without a pacer 60 seconds have 60,000 requests.
    assert server.requests_in(30) < 30 * server.rate * 3
    assert server.refused < len(server.moments) / 2
    server.rate = 1_000_000
    ask(requests, clock, 15)
    slept = clock.slept
    ask(requests, clock, 1)
    assert clock.slept == slept
    assert server.requests_in(1) > 900


def test_server_that_throttles_everything_gets_a_request_every_two_seconds(clock):
    server = Server(clock, rate=0)
    ask(S3Requests(server, RetryPolicy(tries=3)), clock, 300)
    assert server.requests_in(60) == pytest.approx(60 / LONGEST_PAUSE, abs=2)


def test_threads_that_share_a_pacer_slow_down_together(clock):
    server, pacer = Server(clock, rate=0), Pacer()
    for _ in range(8):
        ask(S3Requests(server, RetryPolicy(tries=1), pacer=pacer), clock, 5)
    assert len(server.moments) < 40


def test_many_requests_throttled_at_once_count_as_one():
    pacer = Pacer()
    moments = [pacer.wait(NO_LIMIT) for _ in range(40)]
    for moment in moments:
        pacer.throttled(moment)
    assert pacer.pause == pacer_module.FIRST_PAUSE


def test_no_wait_is_begun_that_would_outlast_the_deadline(clock):
    server = Server(clock, rate=0)
    requests = S3Requests(server, RetryPolicy(tries=99), Deadline(clock.now + 5))
    with pytest.raises(ObjectClerkServerInternalException):
        requests("head_object")
    with pytest.raises(ObjectClerkServerInternalException, match="requests are throttled, and no time is left to wait"):
        for _ in range(9):
            requests("head_object")
    assert clock.now <= 1005.1


@pytest.mark.parametrize("code", ["InternalError", "AccessDenied"])
def test_other_failures_do_not_slow_down(clock, code):
    server, pacer = Server(clock, rate=0, code=code), Pacer()
    with pytest.raises(Exception, match=code):
        S3Requests(server, RetryPolicy(tries=1), pacer=pacer)("head_object")
    assert pacer.pause == 0.0


@given(st.lists(st.booleans(), max_size=200))
def test_pause_is_never_longer_than_two_seconds_and_ends(outcomes):
    now = [0.0]
    with pytest.MonkeyPatch.context() as patched:
        time = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
        patched.setattr(pacer_module, "time", time)
        pacer = Pacer()
        for throttled in outcomes:
            moment = pacer.wait(NO_LIMIT)
            if throttled:
                pacer.throttled(moment)
            else:
                pacer.passed()
            assert 0.0 <= pacer.pause <= LONGEST_PAUSE
        for _ in range(25):
            pacer.passed()
        assert pacer.pause == 0.0


def test_threads_get_moments_of_their_own():
    pacer = Pacer(pause=0.001)
    moments, lock = [], threading.Lock()

    def ask_once():
        moment = pacer.wait(NO_LIMIT)
        with lock:
            moments.append(moment)

    threads = [threading.Thread(target=ask_once) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moments.sort()
    assert all(later - earlier > 0.0009 for earlier, later in zip(moments, moments[1:]))
