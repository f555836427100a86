import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.mirror_check.key_ranges import KeyRange, RangeQueue, cut_after

# Keys of S3 are texts in UTF-8, so they hold no surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(st.sets(TEXTS, min_size=2, max_size=30), TEXTS, st.integers(0, 28))
def test_cut_leaves_keys_on_both_of_its_sides(rest, prefix, place):
    keys = sorted(prefix + text for text in rest)
    position = keys[min(place, len(keys) - 2)]
    cut = cut_after(position, lambda text: next((key for key in keys if key > text), None), prefix)
    if cut is not None:
        assert cut.startswith(prefix)
        assert position.encode() <= cut.encode() < keys[-1].encode()


@pytest.mark.parametrize("form", ["{:04}", "folder/{:04}", "{0:04}/part", "same-long-beginning/{:04}.parquet"])
def test_few_requests_find_a_cut_that_leaves_much_on_both_sides(form):
    keys, requests = [form.format(number) for number in range(10_000)], []

    def first_after(text):
        requests.append(text)
        return next((key for key in keys if key > text), None)

    cut = cut_after(keys[999], first_after, "")
    below = sum(key <= cut for key in keys)
    assert 999 < below < 9_000 and len(keys) - below >= 1_000
    assert len(requests) <= 7


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
