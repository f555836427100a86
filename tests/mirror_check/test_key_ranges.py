from hypothesis import given
from hypothesis import strategies as st

from tasks.mirror_check.key_ranges import KeyRange, RangeQueue, middle

# Keys of S3 are texts in UTF-8, so they hold no surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(TEXTS, st.none() | TEXTS, TEXTS)
def test_middle_is_between_both_ends_in_the_order_of_utf_8_bytes(after, last, prefix):
    after, last = prefix + after, None if last is None else prefix + last
    if last is not None and last <= after:
        return
    cut = middle(after, last, prefix)
    if cut is not None:
        assert cut.startswith(prefix)
        assert after.encode() < cut.encode()
        assert last is None or cut.encode() < last.encode()


def test_some_cuts_divide_any_flat_bucket():
    # 36 ** 2 keys without a folder: a few halvings reach each part of them.
    keys = sorted(f"{first}{second}" for first in "0123456789abcdefghijklmnopqrstuvwxyz" for second in "05az")
    end = None
    for _ in range(6):
        cut = middle(keys[0], end)
        end = cut
        if any(key > cut for key in keys):
            break
    below = sum(key <= end for key in keys)
    assert 10 < below < len(keys) - 10


def test_worker_without_a_range_gets_what_another_one_cut_off_and_none_at_the_end():
    ranges = RangeQueue(KeyRange())
    first = ranges.take()
    ranges.put(KeyRange("m", None))
    first.last = "m"
    assert ranges.take() == KeyRange("m", None)
    ranges.done()
    ranges.done()
    assert ranges.take() is None


def test_closed_queue_hands_out_nothing():
    ranges = RangeQueue(KeyRange())
    ranges.close()
    assert ranges.take() is None
