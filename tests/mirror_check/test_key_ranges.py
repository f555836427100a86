from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.mirror_check.key_ranges import KeyRange, RangeQueue, cut_after, cuts_after

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


class Rest:
    """Keys in order, as `cuts_after` asks for them."""

    def __init__(self, keys):
        self.keys = keys
        self.requests = 0

    def folders_after(self, folder, key):
        """Return the folders, and count the request."""
        self.requests += 1
        rests = [each[len(folder) :] for each in self.keys if each.startswith(folder)]
        found = {folder + rest[: rest.index("/") + 1] for rest in rests if "/" in rest}
        return sorted(name for name in found if name > key)

    def first_after(self, text):
        """Return the first key after a text, and count the request."""
        self.requests += 1
        return next((key for key in self.keys if key > text), None)


@given(st.sets(st.text("ab/é", max_size=8), min_size=2, max_size=30), TEXTS, st.integers(0, 28), st.integers(1, 9))
def test_cuts_come_in_order_after_the_position(names, prefix, place, most):
    keys = sorted(prefix + name for name in names)
    position = keys[min(place, len(keys) - 2)]
    cuts = cuts_after(position, Rest(keys), prefix, most)
    assert len(cuts) <= most
    assert cuts == sorted(set(cuts))
    assert all(cut.startswith(prefix) and position <= cut <= keys[-1] for cut in cuts)


@pytest.mark.parametrize("form", ["{:02}/{:03}", "a/b/{:02}/{:03}", "{:02}/a/b/{:03}"])
def test_folders_are_divided_evenly_with_a_request_for_each_level(form):
    rest = Rest([form.format(folder, number) for folder in range(20) for number in range(50)])
    cuts = cuts_after(rest.keys[10], rest, "", 3)
    sizes = [sum(low < key <= high for key in rest.keys) for low, high in pairwise(["", *cuts, rest.keys[-1]])]
    assert sizes == [250, 250, 250, 250]
    assert rest.requests <= 3


def test_flat_keys_are_cut_between_characters():
    rest = Rest([f"folder/{number:04}" for number in range(5000)])
    (cut,) = cuts_after(rest.keys[999], rest, "folder/", 3)
    assert rest.keys[999] < cut < rest.keys[-1]


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
