import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.mirror_check import check as check_module
from tasks.mirror_check import listings
from tasks.mirror_check.check import merged
from tasks.mirror_check.evidence import Depth
from tasks.mirror_check.listings import UnorderedListing
from tasks.mirror_check.pages import Listed
from tests.mirror_check.conftest import DESTINATION, SOURCE

ODD_KEYS = ["a b", "a+b", "a%2Fb", "a/", "a/b", "a-b", "é", "\u20ac", "\U0001f600", "\x01\n", "&<>'\"", "a=*!"]


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_merge_yields_each_key_of_both_sides_once_and_in_order(left, right):
    left, right = sorted(set(left)), sorted(set(right))
    pairs = list(merged(map(Listed, left), map(Listed, right)))
    assert [pair.key for pair in pairs] == sorted({*left, *right})
    assert [pair.source.key for pair in pairs if pair.source] == left
    assert [pair.destination.key for pair in pairs if pair.destination] == right


def test_each_kind_of_key_gets_its_sign(sides):
    sides.put("equal", b"1", b"1")
    sides.put("missing", b"1")
    sides.put("extra", None, b"1")
    sides.put("longer", b"1", b"12")
    sides.put("other", b"1", b"2")
    assert sides.verdicts() == {"equal": "=", "missing": "+", "extra": "-", "longer": "*", "other": "*"}


def test_odd_keys_are_compared_as_they_are(sides):
    for key in ODD_KEYS:
        sides.put(key, b"1", b"1")
    sides.put("\x02", b"1")
    assert sides.verdicts() == {**dict.fromkeys(ODD_KEYS, "="), "\x02": "+"}


def test_empty_buckets_are_equal(sides):
    assert sides.check() == []


def test_prefix_limits_the_check(sides):
    for key in ("a/1", "b/1"):
        sides.put(key, b"1")
    assert sides.verdicts(prefix="b/") == {"b/1": "+"}


@pytest.fixture(name="cuts")
def recorded_cuts(monkeypatch):
    """Make pages small, so that few keys suffice; return the list of cuts."""
    monkeypatch.setattr(listings.Side.page, "__defaults__", (7,))
    monkeypatch.setattr(check_module, "CHUNK", 7)
    cuts, cuts_after = [], check_module.cuts_after
    monkeypatch.setattr(check_module, "cuts_after", lambda *about: cuts.append(cuts_after(*about)) or cuts[-1])
    return cuts


@pytest.mark.first_cases(2)
@pytest.mark.parametrize("form", ["{:03}", "folder/{:03}", "{0:03}/{0:03}", "é{:03}"])
def test_workers_that_share_the_keys_find_each_one_once(sides, cuts, monkeypatch, form):
    monkeypatch.setattr(check_module, "SHARED_AFTER", 0)
    keys = [form.format(number) for number in range(60)]
    for number, key in enumerate(keys):
        sides.put(key, b"1" if number % 3 else None, b"1" if number % 4 else None)
    found = [
        key for chunk in sides.check(workers=4) for key in [*chunk.settled, *(each.key for each in chunk.findings)]
    ]
    assert sorted(found) == [key for number, key in enumerate(keys) if number % 12]
    assert any(cuts)


@pytest.mark.parametrize("versions", [False, True])
@pytest.mark.parametrize("slow_page", [0, 60])
def test_only_slow_pages_are_shared_at_once(sides, cuts, monkeypatch, slow_page, versions):
    monkeypatch.setattr(check_module, "SHARED_AFTER", 60)
    monkeypatch.setattr(check_module, "SLOW_PAGE", slow_page)
    for number in range(60):
        sides.put(f"{number % 10} +é/{number:02}", b"1", b"1")
    chunks = sides.check(workers=4, versions=versions)
    assert sum(chunk.keys for chunk in chunks) == 60
    # What was cut off is not shared at once.
    assert (len(cuts), any(cuts)) == ((0, False) if slow_page else (1, True))


def test_recorded_pair_is_equal_though_its_etags_differ(sides):
    parts = sides.s3.create_multipart_upload(Bucket=SOURCE, Key="k")
    part = sides.s3.upload_part(Bucket=SOURCE, Key="k", UploadId=parts["UploadId"], PartNumber=1, Body=b"1")
    done = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    sides.s3.complete_multipart_upload(Bucket=SOURCE, Key="k", UploadId=parts["UploadId"], MultipartUpload=done)
    (replica,) = sides.put("k", None, b"1", ChecksumAlgorithm="SHA256")
    assert sides.verdicts() == {"k": "!"}
    assert "not compared: neither ETags nor checksums" in sides.reason("k")
    assert sides.verdicts(depth=Depth(downloads=True)) == {"k": "="}

    sides.record("k", sides.s3.head_object(Bucket=SOURCE, Key="k")["ETag"], replica)
    assert sides.verdicts() == {"k": "="}


def test_record_of_an_earlier_replica_proves_nothing(sides):
    source, destination = sides.put("k", b"1", b"2")
    sides.record("k", source, '"earlier"')
    assert sides.verdicts() == {"k": "*"}
    sides.record("k", source, destination)
    assert sides.verdicts() == {"k": "="}
    assert sides.verdicts(depth=Depth(downloads=True)) == {"k": "*"}


def test_checksums_decide_if_etags_cannot(sides):
    upload = sides.s3.create_multipart_upload(
        Bucket=DESTINATION, Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )
    about = {"Bucket": DESTINATION, "Key": "k", "UploadId": upload["UploadId"]}
    part = sides.s3.upload_part(**about, PartNumber=1, Body=b"1", ChecksumAlgorithm="CRC32")
    done = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}
    sides.s3.complete_multipart_upload(**about, MultipartUpload=done, ChecksumType="FULL_OBJECT")
    sides.put("k", b"1", ChecksumAlgorithm="CRC32")
    assert sides.verdicts() == {"k": "="}
    sides.put("k", b"2", ChecksumAlgorithm="CRC32")
    assert sides.reason("k") == "other bytes of the same size"


@pytest.mark.parametrize(
    ("source", "destination", "reason"),
    [
        ({"ContentType": "text/plain"}, {"ContentType": "text/html"}, "other metadata: ContentType"),
        ({"Metadata": {"a": "1"}}, {}, "other metadata: x-amz-meta-a"),
        ({"Tagging": "a=1&b=2"}, {"Tagging": "a=1&b=3"}, "other tags: b"),
        ({}, {}, ""),
    ],
)
def test_details_are_compared_only_with_deep(sides, source, destination, reason):
    sides.put("k", b"1", **source)
    sides.put("k", None, b"1", **destination)
    assert sides.reason("k") == ""
    assert sides.reason("k", depth=Depth(details=True)) == reason


def test_server_that_lists_out_of_order_is_named(sides, monkeypatch):
    page_in = listings.page_in
    monkeypatch.setattr(listings, "page_in", lambda xml: page_in(xml)._replace(entries=[Listed("b"), Listed("a-\n")]))
    with pytest.raises(UnorderedListing, match=r"lists s3://\w+/a-\\n after s3://\w+/b: its keys are not in the order"):
        sides.check()
