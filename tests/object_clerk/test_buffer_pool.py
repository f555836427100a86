"""The buffer pool: no two threads get the same bytes, and the pool's size is the limit."""

import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.errors import ObjectSaveException


def test_two_threads_never_get_the_same_bytes():
    pool, held, most, spoilt = BufferPool(10), [], [], []

    def carry(number):
        mine = bytes([number]) * 4
        for _ in range(50):
            with pool.buffer(4) as buffer:
                buffer[:] = mine
                held.append(4)
                most.append(len(held))
                held.pop()
                spoilt.extend([number] if buffer != mine else [])

    threads = [threading.Thread(target=carry, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 2
    assert not spoilt
    with pool.buffer(10):
        pass


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans(), st.integers(0, 9)), max_size=40))
def test_buffer_belongs_to_its_holder_until_it_is_returned(steps):
    pool, held = BufferPool(100), []
    for mark, (size, gives_back, which) in enumerate(steps):
        if gives_back and which < len(held):
            held.pop(which)[0].close()
        free = pool.size - sum(len(buffer) for _, buffer, _ in held)
        # Between n buffers are at most n + 1 gaps, so one of them is that large, and no request waits.
        if size * (len(held) + 1) <= free:
            stack = ExitStack()
            buffer = stack.enter_context(pool.buffer(size))
            buffer[:] = bytes([mark]) * size
            held.append((stack, buffer, bytes([mark]) * size))
        assert all(buffer == mine for _, buffer, mine in held)


def test_returned_buffer_is_the_first_to_be_used_again():
    pool = BufferPool(3 << 20)
    with pool.buffer(1 << 20) as buffer:
        buffer[:5] = b"first"
    with pool.buffer(1 << 20) as buffer, pool.buffer(1 << 20) as other:
        assert (bytes(buffer[:5]), bytes(other[:5])) == (b"first", bytes(5))


def test_request_for_more_contiguous_bytes_than_are_free_waits():
    pool, came = BufferPool(10), threading.Event()

    def carry():
        with pool.buffer(7):
            came.set()

    waits = threading.Thread(target=carry)
    with ExitStack() as held:
        first = ExitStack()
        first.enter_context(pool.buffer(3))
        held.enter_context(pool.buffer(1))
        first.close()
        waits.start()
        # Nine bytes are free, and at most six of them are contiguous.
        assert not came.wait(0.05)
    waits.join()
    assert came.is_set()


def test_buffer_larger_than_the_pool_is_refused_at_once():
    with pytest.raises(ObjectSaveException, match="it needs a buffer of 11 bytes, and the buffer pool has 10"):
        with BufferPool(10).buffer(11):
            pass


def test_buffer_is_returned_after_an_error():
    pool = BufferPool(10)
    with pytest.raises(KeyError), pool.buffer(10):
        raise KeyError
    with pool.buffer(10):
        pass
