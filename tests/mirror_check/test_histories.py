import pytest

from tasks.mirror_check.findings import EQUAL, Aspect, Sign
from tasks.mirror_check.histories import histories, verdict_on
from tasks.mirror_check.pages import Listed
from tasks.utils.key_state import ReplicaVersion


def versions(*names):
    """Return a history, the oldest first; the name of a delete marker begins with "m"."""
    return [Listed("k", 1, "" if name[0] == "m" else "e", version=name, is_marker=name[0] == "m") for name in names]


def made(**replicas):
    return {version: name and ReplicaVersion(name, "e") for version, name in replicas.items()}


@pytest.mark.parametrize(
    ("source", "destination", "rows", "verdict"),
    [
        ("v1 m2", "r1 mr2", {"v1": "r1", "m2": "mr2"}, "= "),
        # A version that was left out on purpose, and a history whose newest was written again on top.
        ("v1 m2", "r1", {"v1": "r1", "m2": None}, "= "),
        ("v1 m2", "r1", {"v1": "r1", "m2": "mr2"}, "* the destination lacks the delete marker m2"),
        ("v1 v2 v3", "r1 r3", {"v1": "r1", "v2": "r2", "v3": "r3"}, "* the destination lacks the version v2"),
        ("v1 v2", "", {"v1": "r1", "v2": "r2"}, "+ the destination lacks the version v1 and 1 more"),
        ("v1 v2", "r1", {"v1": "r1"}, "* the destination lacks the version v2"),
        ("v1 v2", "r2 r1", {"v1": "r1", "v2": "r2"}, "* the versions are in another order at the destination"),
        ("v1", "r1 x", {"v1": "r1"}, "* the newest at the destination is the version x, which the mirror did not make"),
        ("", "x", {}, "- the newest at the destination is the version x, which the mirror did not make"),
        ("v2", "r1 r2", {"v2": "r2"}, "* the source does not have the version r1 of the destination"),
        ("", "r1 m", {}, "- the source does not have the version r1 and 1 more of the destination"),
    ],
)
def test_histories_are_compared_through_the_rows(source, destination, rows, verdict):
    found = verdict_on(versions(*source.split()), versions(*destination.split()), made(**rows))
    assert f"{found.sign.value} {found.reason}" == verdict


def test_older_extras_and_lost_versions_are_told_apart():
    assert verdict_on(versions("v2"), versions("r1", "r2"), made(v2="r2")).aspect is Aspect.OLD_EXTRAS
    assert verdict_on(versions("v1", "v2"), versions("r2"), made(v1="r1", v2="r2")).aspect is Aspect.LOST_VERSIONS


def test_listing_becomes_one_entry_a_key():
    found = list(histories([*versions("v2", "v1"), Listed("z", version="v3")]))
    assert [(each.key, [version.version for version in each.history]) for each in found] == [
        ("k", ["v1", "v2"]),
        ("z", ["v3"]),
    ]


def version_both(sides):
    for bucket in ("source", "destination"):
        sides.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def test_equal_histories_need_no_row(sides):
    version_both(sides)
    for data in (b"1", b"2"):
        sides.put("k", data, data)
    for bucket in ("source", "destination"):
        sides.s3.delete_object(Bucket=bucket, Key="k")
    (chunk,) = sides.check(versions=True)
    assert (chunk.keys, chunk.settled) == (1, ["k"])


def test_lost_delete_marker_shows_only_with_versions(sides):
    version_both(sides)
    sides.put("k", b"1", b"1")
    sides.s3.delete_object(Bucket="source", Key="k")
    (chunk,) = sides.check(versions=True)
    assert chunk.findings[0].verdict.sign is Sign.DIFFERENT
    assert chunk.findings[0].verdict != EQUAL
