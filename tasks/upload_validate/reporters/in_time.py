"""A call to the outside that is over when its invocation is, however silent or slow the other side."""

from concurrent.futures import Future
from threading import Thread

from tasks.object_clerk.errors import DeadlineException

# Seconds. A healthy service answers in that time: a lookup of its address, five round trips for TCP, TLS and the call,
# and its work. A call with less time would mostly end without an answer, and then a person has to look.
LEAST = 2.0


def in_time(deadline, call, *, least=None):
    """Returns what `call()` returns, before the deadline.

    A time-out of a socket counts for one wait, of which a call has many: for each address, each message of TLS, each
    byte of an answer. So the call is made in a thread, whose end is waited for until the deadline and no longer. The
    thread works under the same deadline, so that it does not go on for ever.

    Args:
        deadline: a `Deadline`.
        call: takes the seconds that a wait for a connection and one for an answer may take, and makes the call.
        least: seconds without which it is not begun; `LEAST` by default.

    Raises:
        DeadlineException: the call was not begun, because it could not end in time.
        TimeoutError: it was begun and has not ended.
    """
    remaining = deadline.remaining()
    if remaining < (LEAST if least is None else least):
        raise DeadlineException("no time was left for a call to the outside")
    future = Future()

    def work():
        try:
            # A quarter: a host has several addresses, and TLS waits as well. Then a host that does not take a
            # connection is known as such before the deadline, and as one that has heard nothing.
            future.set_result(deadline.limit(lambda: call(remaining / 4, remaining)))
        except BaseException as error:  # pylint: disable=broad-exception-caught  # the waiting thread raises it
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    return future.result(None if remaining == float("inf") else remaining)
