import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk.errors import ObjectClerkServerAuthException, ObjectClerkServerInternalException
from tasks.utils import retry
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy


@pytest.fixture(name="slept")
def recorded_sleeps(monkeypatch):
    waits = []
    monkeypatch.setattr(retry, "sleep", waits.append)
    return waits


def failing(times, error):
    """Return a call that fails so many times and then returns "done"."""
    left = [error] * times

    def call():
        if left:
            raise left.pop()
        return "done"

    return call


def passing_error():
    return ObjectClerkServerInternalException("SlowDown")


@pytest.mark.parametrize("tries", [1, 3, 10])
def test_call_that_passes_at_the_last_try_is_returned_with_its_attempts(slept, tries):
    assert RetryPolicy(tries=tries).run(failing(tries - 1, passing_error())) == ("done", tries)
    assert len(slept) == tries - 1


@pytest.mark.parametrize("tries", [1, 3])
def test_call_that_never_passes_raises_its_own_error_with_the_attempts(slept, tries):
    with pytest.raises(ObjectClerkServerInternalException) as raised:
        RetryPolicy(tries=tries).run(failing(99, passing_error()))
    assert raised.value.attempts == tries
    assert len(slept) == tries - 1


@pytest.mark.parametrize(
    "error", [ObjectClerkServerAuthException("AccessDenied"), ValueError("a bug"), KeyboardInterrupt()], ids=repr
)
def test_permanent_error_is_raised_at_once(slept, error):
    with pytest.raises(type(error)):
        RetryPolicy(tries=5).run(failing(99, error))
    assert not slept


@pytest.mark.usefixtures("slept")
def test_tries_of_minus_one_go_on_for_ever():
    assert RetryPolicy(tries=-1).run(failing(500, passing_error())) == ("done", 501)


def test_waits_grow_by_the_backoff_up_to_the_longest(slept):
    policy = RetryPolicy(tries=7, delay=1, backoff=3, max_delay=20)
    policy.run(failing(6, passing_error()))
    assert slept == [1, 3, 9, 20, 20, 20]


@given(attempt=st.integers(1, 10_000), delay=st.floats(0, 100), least=st.floats(0, 5), more=st.floats(0, 5))
def test_wait_has_its_jitter_and_never_exceeds_the_longest(attempt, delay, least, more):
    policy = RetryPolicy(delay=delay, jitter=(least, least + more), max_delay=30)
    assert min(delay + least, 30) <= policy.wait(attempt) + 1e-9 <= 30 + 1e-6


def test_no_wait_begins_that_would_end_after_the_deadline(slept, monkeypatch):
    monkeypatch.setattr("tasks.utils.deadline.monotonic", lambda: 100.0)
    policy = RetryPolicy(tries=9, delay=4, backoff=2)
    with pytest.raises(ObjectClerkServerInternalException) as raised:
        policy.run(failing(99, passing_error()), deadline=Deadline(110.0))
    # Waits of 4 s and 8 s each fit into 10 s; the next wait, of 16 s, does not.
    assert (slept, raised.value.attempts) == ([4, 8], 3)
