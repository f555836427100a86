from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

import pytest

from tasks.mirror_check.side_by_side import Ahead


def test_items_taken_ahead_come_in_order_and_then_the_error_of_the_iterator():
    def items():
        yield from range(20)
        raise ValueError("the last page")

    found = []
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="the last page"):
        found.extend(Ahead(items(), 2, pool))
    assert found == list(range(20))


def test_as_many_items_as_may_wait_are_taken_before_the_first_is_used():
    taken, is_third = [], Event()

    def items():
        for number in count():
            taken.append(number)
            if number == 3:
                is_third.set()
            yield number

    with ThreadPoolExecutor(1) as pool:
        ahead = Ahead(items(), 3, pool)
        assert is_third.wait(10)
        # Three wait, and the thread holds the next one.
        assert taken == [0, 1, 2, 3]
        ahead.stop()


def test_thread_ends_at_a_stop_however_many_items_are_left():
    with ThreadPoolExecutor(1) as pool:
        ahead = Ahead(count(), 2, pool)
        assert next(iter(ahead)) == 0
        ahead.stop()
        # The only thread of the pool is free again.
        assert pool.submit(lambda: "free").result(10) == "free"
