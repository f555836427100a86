import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.archive_copy.bucket_map import BucketMap, UnmappedExtensionError, problems_of
from tests.support.keys import keys

MAP = BucketMap({".hdf": "h", ".gz": "g", ".tar.gz": "t", ".TXT": "x", "other": "o"})


@pytest.mark.parametrize(
    "key, bucket",
    [
        ("a.hdf", "h"),
        ("A.HDF", "h"),
        ("a.Hdf", "h"),
        ("a.txt", "x"),
        ("x.tar.gz", "t"),
        ("x.TAR.GZ", "t"),
        ("x.gz", "g"),
        ("x.other.gz", "g"),
        ("tar.gz", "g"),
        ("folder.hdf/plain", "o"),
        ("folder.hdf/", "o"),
        ("folder.gz/a.hdf", "h"),
        ("a.hdf.bak", "o"),
        ("a.hdf.", "o"),
        (".hdf", "o"),
        ("folder/.hdf", "o"),
        ("..hdf", "h"),
        ("plain", "o"),
        ("", "o"),
    ],
)
def test_bucket_is_that_of_the_longest_suffix_of_the_name(key, bucket):
    assert MAP.bucket_for(key) == bucket


def test_other_is_found_in_any_case():
    assert BucketMap({"OTHER": "o"}).bucket_for("a.txt") == "o"


@pytest.mark.parametrize(
    "key, extension", [("a.txt", ".txt"), ("d.hdf/A.TXT", ".TXT"), ("plain", ""), ("x.tar.gz", ".gz")]
)
def test_unmapped_key_is_refused_with_its_extension_and_those_of_the_map(key, extension):
    with pytest.raises(UnmappedExtensionError) as raised:
        BucketMap({".met": "m", ".hdf": "h"}).bucket_for(key)
    assert str(raised.value) == (
        f'bucket_map does not contain values for "{extension}" or "other"; its extensions are .hdf, .met'
    )


@given(key=keys())
def test_every_key_has_a_bucket_if_others_are_mapped(key):
    assert MAP.bucket_for(key) in MAP.buckets.values()


@given(key=keys(), extension=st.sampled_from([".hdf", ".tar.gz", ".gz"]))
def test_extension_at_the_end_of_a_name_decides(key, extension):
    assert MAP.bucket_for(f"{key}x{extension}") == MAP.buckets[extension]


@pytest.mark.parametrize(
    "buckets, said",
    [
        ({}, "names no bucket"),
        ({"hdf": "h"}, 'has the key "hdf"'),
        ({".": "h"}, 'has the key "."'),
        ({"": "h"}, 'has the key ""'),
        ({".hdf": ""}, 'has no bucket name for ".hdf"'),
        ({".hdf": None}, 'has no bucket name for ".hdf"'),
        ({".hdf": ["h"]}, 'has no bucket name for ".hdf"'),
        ({".hdf": "h", ".HDF": "i"}, 'names two buckets for ".hdf"'),
        ({".hdf": {}}, 'has no bucket name for ".hdf"'),
        ({".hdf": {"bucket": 1}}, 'has no bucket name for ".hdf"'),
        ({".hdf": {"bucket": "h", "class": "GLACIER"}}, 'has "class" for ".hdf"'),
        ({".hdf": {"bucket": "h", "storage_class": ""}}, 'has no storage_class for ".hdf"'),
        ({".hdf": {"bucket": "h", "storage_class": 1}}, 'has no storage_class for ".hdf"'),
    ],
)
def test_wrong_map_has_its_problem(buckets, said):
    assert any(problem.startswith(said) for problem in problems_of(buckets))


def test_map_that_is_right_has_no_problem():
    assert not problems_of({".hdf": "h", ".tar.gz": "t", "Other": "o", ".TXT": "x", ".txt": "x"})


@pytest.mark.parametrize("key, storage_class", [("a.HDF", "GLACIER"), ("a.txt", None), ("plain", None)])
def test_storage_class_is_that_of_the_extension_or_the_standard_of_s3(key, storage_class):
    archives = BucketMap({".hdf": {"bucket": "h", "storage_class": "GLACIER"}, ".txt": {"bucket": "t"}, "other": "o"})
    assert not problems_of(archives.buckets)
    assert archives.storage_class_for(key) == storage_class
    assert archives.bucket_for(key) == {"a.HDF": "h", "a.txt": "t", "plain": "o"}[key]
