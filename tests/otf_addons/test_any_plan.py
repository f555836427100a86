"""I1: after any move or rename, each byte is still there."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.otf_addons.options import PostCopy, S3Options
from tasks.otf_addons.plan import Place, PlanError, Rename, refuse_overlaps, targets_of
from tasks.otf_addons.removals import plan_removals
from tasks.otf_addons.s3_handlers import S3Transfer
from tasks.utils.s3_object import S3Object
from tests.otf_addons.definitions import destination, source

# Few letters and few levels, so that names collide.
names = st.text("ab.", min_size=1, max_size=3)
directories = st.lists(st.text("ab", min_size=1, max_size=2), max_size=2).map("/".join)
keys = st.builds(lambda directory, name: f"{directory}/{name}" if directory else name, directories, names)
renames = st.builds(
    Rename, st.sampled_from(["a", "b", "^.", "(.)$", "[ab]", "x*", ".*"]), st.sampled_from(["", "a", "b", "ab", "a/b"])
)


def carry_out(objects, steps):
    """Return the content of a bucket after copies and deletions, one after the other."""
    store = dict(objects)
    for start, end in steps:
        store[end] = store[start]
        del store[start]
    return store


@st.composite
def actions(draw):
    """A source, and the post-copy action of its files."""
    rename = draw(st.none() | renames)
    target = Place(draw(st.sampled_from(["bucket", "other"])), draw(directories))
    action = PostCopy("rename" if rename else "move", target, rename)
    return S3Options(Place("bucket", draw(directories)), post_copy=action)


found_keys = st.lists(keys, unique=True, max_size=6)


@given(found=found_keys, others=found_keys, options=actions(), random=st.randoms(use_true_random=False))
def test_no_byte_is_lost_by_any_move_or_rename(found, others, options, random):
    objects = {S3Object("bucket", key): key.encode() for key in [*others, *found]}
    try:
        targets = plan_removals(options, found)
    except PlanError:
        return
    steps = [(S3Object("bucket", key), target) for key, target in targets.items()]
    # Several files move at a time, so in any order.
    random.shuffle(steps)

    after = carry_out(objects, steps)

    # The bytes of each source are at its target. Other objects are unchanged, unless a file replaced them.
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
        targets = targets_of(found, Place("bucket", directory), rename)
        refuse_overlaps("bucket", targets)
    except PlanError:
        return
    assert len(set(targets.values())) == len(found)
    assert not {target.key for target in targets.values()} & set(found)


# On a real server whose keys are paths, no directory has the name of a file.
places = st.sampled_from(["src", "other", "third"])
files_there = st.lists(st.tuples(places, st.text("ab", min_size=1, max_size=2)).map("/".join), unique=True, max_size=6)
post_copy_actions = st.one_of(
    st.just({"action": "delete"}),
    st.builds(lambda there: {"action": "move", "destination": f"{there}/"}, places),
    st.builds(lambda there, rename: {"action": "rename", "destination": f"{there}/", **vars(rename)}, places, renames),
)


@pytest.mark.chaos
@given(
    found=files_there,
    directory=st.sampled_from(["src", ""]),
    there=places,
    action=post_copy_actions,
    by_the_worker=st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Fixtures and drawn values.
def test_no_byte_is_lost_by_any_transfer_on_a_real_server(  # pylint: disable=too-many-arguments
    inbox, tmp_path_factory, *, found, directory, there, action, by_the_worker
):
    inbox.empty()
    for key in found:
        inbox.put(key, key.encode())
    giving = S3Transfer({**source(inbox.bucket, directory=directory, postCopyAction=action), "task_id": "task"})
    taking = S3Transfer({**destination(inbox.bucket, directory=there), "task_id": "task"})
    files = giving.list_files(directory, ".*")

    if by_the_worker:
        staging = str(tmp_path_factory.mktemp("staging"))
        failed = giving.pull_files_to_worker(files, staging) or taking.push_files_from_worker(staging)
    else:
        failed = giving.transfer_files(files, taking.spec, dest_remote_handler=taking)
    if not failed:
        giving.handle_post_copy_action(files)
    giving.tidy()
    taking.tidy()

    # The bytes of each object are its first key. Only files at a target may have replaced an object that is no source.
    held = {inbox.bytes_of(key).decode() for key in inbox.keys_of()}
    ends = (f"{there}/", action.get("destination", f"{there}/"))
    assert set(files) | {key for key in found if not key.startswith(ends)} <= held
