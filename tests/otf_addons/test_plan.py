import re

import pytest

from tasks.otf_addons.options import PostCopy, S3Options
from tasks.otf_addons.plan import Place, PlanError, Rename, refuse_overlaps, staging_paths, targets_of
from tasks.otf_addons.removals import plan_removals
from tasks.utils.s3_object import S3Object

PLACE = Place("target", "dest")


def test_key_goes_to_the_directory_by_its_name():
    assert targets_of(["src/deep/a.txt"], PLACE) == {"src/deep/a.txt": S3Object("target", "dest/a.txt")}


def test_place_without_directory_gives_a_key_without_a_slash():
    assert targets_of(["src/a.txt"], Place("target")) == {"src/a.txt": S3Object("target", "a.txt")}


def test_rename_changes_the_name_alone():
    assert targets_of(["abc/abc.txt"], Place("target", "abc"), Rename("abc", "def")) == {
        "abc/abc.txt": S3Object("target", "abc/def.txt")
    }


def test_names_that_collide_are_reported():
    with pytest.raises(PlanError) as refused:
        targets_of(["a/x.txt", "b/x.txt", "b/y.txt"], PLACE)
    assert "a/x.txt, b/x.txt would all become s3://target/dest/x.txt" in str(refused.value)


def test_names_that_collide_by_a_rename_are_reported():
    with pytest.raises(PlanError, match=re.escape("src/1.txt, src/2.txt would all become")):
        targets_of(["src/1.txt", "src/2.txt"], PLACE, Rename(r"\d", ""))


def test_hundreds_of_collisions_make_a_short_sentence():
    with pytest.raises(PlanError) as refused:
        targets_of([f"{number}/x.txt" for number in range(500)], PLACE)
    assert "and 480 more" in str(refused.value) and len(str(refused.value)) < 1000


@pytest.mark.parametrize("name", ["", ".", "..", "a/", "/a", "../a", "a//b", "a/./b"])
def test_rename_to_an_invalid_name_is_refused(name):
    with pytest.raises(PlanError, match="would have no name"):
        targets_of(["src/a"], PLACE, Rename("^a$", name))


def test_key_that_would_be_too_long_is_refused():
    long = "x" * 1020
    assert targets_of([long], Place("target", "abc"))
    with pytest.raises(PlanError, match="more than 1024 bytes"):
        targets_of([long], Place("target", "abcd"))


@pytest.mark.parametrize("key", ["..", "src/..", "src/.", "src/a\0b", "é" * 128])
def test_key_that_is_no_file_name_is_not_written_to_a_folder(key):
    with pytest.raises(PlanError):
        staging_paths([key], "/staging")


def test_keys_of_one_name_are_not_written_to_one_file():
    with pytest.raises(PlanError, match=re.escape("a/x, b/x would all become /staging/x")):
        staging_paths(["a/x", "b/x"], "/staging")


def test_move_onto_itself_is_refused():
    with pytest.raises(PlanError, match=re.escape("src/a would be put onto itself")):
        refuse_overlaps("bucket", targets_of(["src/a"], Place("bucket", "src")))


def test_move_to_the_same_key_in_another_bucket_is_fine():
    refuse_overlaps("bucket", targets_of(["src/a"], Place("other", "src")))


def test_move_onto_another_source_is_refused():
    # a -> ab would overwrite ab before its move to abb.
    with pytest.raises(PlanError, match="another of the files"):
        refuse_overlaps("bucket", targets_of(["src/a", "src/ab"], Place("bucket", "src"), Rename("^a", "ab")))


def test_move_below_another_file_is_refused():
    with pytest.raises(PlanError, match="lies below another of the files"):
        refuse_overlaps("bucket", targets_of(["src/a"], Place("bucket", "src/a")))


def test_file_below_the_target_of_another_is_refused():
    with pytest.raises(PlanError, match=re.escape("dest/a/x lies below a place")):
        refuse_overlaps("bucket", targets_of(["src/a", "dest/a/x"], Place("bucket", "dest")))


def test_move_within_a_bucket_that_is_searched_whole_is_refused():
    options = S3Options(Place("bucket"), post_copy=PostCopy("move", Place("bucket", "archive")))
    with pytest.raises(PlanError, match="give the source a directory"):
        plan_removals(options, ["a"])
