"""I1: whatever is moved or renamed, every byte is there afterwards."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.otf_addons.options import PostCopy, S3Options
from tasks.otf_addons.plan import Place, PlanError, Rename, placed, refuse_overlaps
from tasks.otf_addons.removals import planned
from tasks.utils.s3_object import S3Object

# Few letters and few levels, so that names meet.
names = st.text("ab.", min_size=1, max_size=3)
directories = st.lists(st.text("ab", min_size=1, max_size=2), max_size=2).map("/".join)
keys = st.builds(lambda directory, name: f"{directory}/{name}" if directory else name, directories, names)
renames = st.builds(
    Rename, st.sampled_from(["a", "b", "^.", "(.)$", "[ab]", "x*", ".*"]), st.sampled_from(["", "a", "b", "ab", "a/b"])
)


def carried_out(objects, steps):
    """What a bucket holds after copies and deletions, one after the other."""
    store = dict(objects)
    for source, target in steps:
        store[target] = store[source]
        del store[source]
    return store


@st.composite
def actions(draw):
    """A source, and what becomes of its files."""
    rename = draw(st.none() | renames)
    target = Place(draw(st.sampled_from(["bucket", "other"])), draw(directories))
    action = PostCopy("rename" if rename else "move", target, rename)
    return S3Options(Place("bucket", draw(directories)), post_copy=action)


found_keys = st.lists(keys, unique=True, max_size=6)


@given(found=found_keys, others=found_keys, options=actions(), random=st.randoms(use_true_random=False))
def test_no_byte_is_lost_by_any_move_or_rename(found, others, options, random):
    objects = {S3Object("bucket", key): key.encode() for key in [*others, *found]}
    try:
        targets = planned(options, found)
    except PlanError:
        return
    steps = [(S3Object("bucket", key), target) for key, target in targets.items()]
    # Files are moved several at a time, so in any order.
    random.shuffle(steps)

    after = carried_out(objects, steps)

    # Each source's bytes lie at its end; what was not meant is as it was, unless it was replaced.
    assert {target: after[target] for target in targets.values()} == {
        target: key.encode() for key, target in targets.items()
    }
    assert len(set(targets.values())) == len(found)
    for key in set(others) - set(found):
        address = S3Object("bucket", key)
        assert address in targets.values() or after[address] == objects[address]


@given(found=st.lists(keys, unique=True, max_size=8), directory=directories, rename=st.none() | renames)
def test_copies_never_meet_and_the_sources_stay(found, directory, rename):
    try:
        targets = placed(found, Place("bucket", directory), rename)
        refuse_overlaps("bucket", targets)
    except PlanError:
        return
    assert len(set(targets.values())) == len(found)
    assert not {target.key for target in targets.values()} & set(found)
