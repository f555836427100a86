from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from tasks.mirror_check.pages import PLAIN_ENTRY, Listed, UnreadablePage, page_in

MODEL = botocore.session.get_session().get_service_model("s3")
SPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
# XML holds no other characters; a server encodes keys that have them.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
ETAGS = st.text("0123456789abcdef-", min_size=1, max_size=40)
ENTRIES = st.lists(
    st.tuples(TEXTS, st.integers(0, 2**45), ETAGS, st.booleans(), st.sampled_from(["STANDARD", "GLACIER"]))
)


def botocore_page(operation, xml):
    parser = create_parser(MODEL.resolved_protocol)
    answer = {"status_code": 200, "headers": {}, "body": xml}
    return parser.parse(answer, MODEL.operation_model(operation).output_shape)


def element(name, **children):
    inner = "".join(f"<{child}>{escape(str(value))}</{child}>" for child, value in children.items())
    return f"<{name}>{inner}</{name}>"


def entry(name, key, size, etag, storage_class, **more):
    about = {"LastModified": "2026-11-22T10:00:00.000Z", "ETag": f'"{etag}"', "Size": size}
    return element(name, Key=key, **about, StorageClass=storage_class, **more)


@given(ENTRIES, st.lists(TEXTS), st.booleans(), st.sampled_from(["", SPACE]))
def test_page_of_objects_is_what_botocore_reads(entries, folders, is_truncated, space):
    contents = "".join(entry("Contents", key, size, etag, storage) for key, size, etag, _, storage in entries)
    more = (
        element("IsTruncated")
        if not is_truncated
        else "<IsTruncated>true</IsTruncated>" + ("<NextContinuationToken>a&amp;b</NextContinuationToken>")
    )
    prefixes = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
    xml = f"<ListBucketResult{space}><Name>b</Name>{more}{contents}{prefixes}</ListBucketResult>".encode()

    page, theirs = page_in(xml), botocore_page("ListObjectsV2", xml)

    found = [(each.key, each.size, f'"{each.etag}"', each.storage_class) for each in page.entries]
    assert found == [
        (each["Key"], each["Size"], each["ETag"], each["StorageClass"]) for each in theirs.get("Contents", [])
    ]
    assert page.folders == [each["Prefix"] for each in theirs.get("CommonPrefixes", [])]
    assert (page.following or {}).get("ContinuationToken") == theirs.get("NextContinuationToken")
    times = [parse_timestamp(each.modified) for each in page.entries]
    assert times == [each["LastModified"] for each in theirs.get("Contents", [])]


# Keys that are encoded for URLs, and some that are not, or not fully.
ASCII_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=10)
KEYS = st.one_of(ASCII_TEXTS, ASCII_TEXTS.map(quote_plus), TEXTS.map(quote_plus), TEXTS)
TIME = "<LastModified>2026-11-22T10:00:00.000Z</LastModified>"
SIZE = "<Size>1</Size><StorageClass>STANDARD</StorageClass>"
OWNER = "<Owner><ID>1</ID><DisplayName>a</DisplayName></Owner>"
CHECKSUM = "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
VERSION = "<VersionId>a.b-c</VersionId><IsLatest>true</IsLatest>"
# As AWS, MinIO and SeaweedFS list objects, and as AWS lists versions and delete markers.
PLAIN = (
    f"<Contents>KEY{TIME}<ETag>&quot;a1-2&quot;</ETag>{CHECKSUM}{SIZE}</Contents>",
    f'<Contents>KEY{TIME}<ETag>"a1-2"</ETag>{SIZE.replace("<Storage", OWNER + "<Storage")}</Contents>',
    f"<Contents>KEY<ETag>&#34;a1-2&#34;</ETag>{SIZE}{TIME}</Contents>",
    f"<Version>KEY{VERSION}{TIME}<ETag>&quot;a1-2&quot;</ETag>{CHECKSUM}{SIZE}{OWNER}</Version>",
    f"<DeleteMarker>KEY{VERSION}{TIME}{OWNER}</DeleteMarker>",
)
OTHERS = (
    f"<Contents> KEY {SIZE}</Contents>",
    f"<Contents>KEY<Later><Key>b</Key></Later>{SIZE}</Contents>",
    f"<Version>KEY{VERSION}<ETag>&lt;&quot;</ETag>{SIZE}</Version>",
)


@given(
    st.lists(st.tuples(st.one_of(st.sampled_from(PLAIN), st.sampled_from(PLAIN + OTHERS)), KEYS)),
    st.sampled_from(["ListBucketResult", "ListVersionsResult"]),
    st.booleans(),
)
def test_page_reads_the_same_through_the_regular_expression_and_through_the_parser(entries, root, is_encoded):
    texts = [form.replace("KEY", f"<Key>{escape(key)}</Key>") for form, key in entries]
    encoding = "<EncodingType>url</EncodingType>" if is_encoded else ""
    head, rest = f"<{root}{SPACE}>{encoding}", f"{''.join(texts)}<IsTruncated>false</IsTruncated></{root}>"
    # A comment leaves the whole page to the parser.
    assert page_in(f"{head}{rest}".encode()) == page_in(f"{head}<!-- -->{rest}".encode())


@pytest.mark.parametrize("form", PLAIN)
def test_regular_expression_reads_entries_as_servers_write_them(form):
    assert PLAIN_ENTRY.fullmatch(form.replace("KEY", "<Key>a/b</Key>"))


@given(ENTRIES)
def test_page_of_versions_is_what_botocore_reads_and_keeps_the_order_of_markers(entries):
    texts, order = [], []
    for number, (key, size, etag, is_marker, storage) in enumerate(entries):
        order.append((key, f"v{number}", is_marker))
        if is_marker:
            about = {"LastModified": "2026-11-22T10:00:00.000Z"}
            texts.append(element("DeleteMarker", Key=key, VersionId=f"v{number}", **about))
        else:
            texts.append(entry("Version", key, size, etag, storage, VersionId=f"v{number}"))
    xml = f"<ListVersionsResult{SPACE}>{''.join(texts)}</ListVersionsResult>".encode()

    page, theirs = page_in(xml), botocore_page("ListObjectVersions", xml)

    assert [(each.key, each.version, each.is_marker) for each in page.entries] == order
    versions = [(each.key, each.version, each.size) for each in page.entries if not each.is_marker]
    assert versions == [(each["Key"], each["VersionId"], each["Size"]) for each in theirs.get("Versions", [])]
    markers = [(each.key, each.version) for each in page.entries if each.is_marker]
    assert markers == [(each["Key"], each["VersionId"]) for each in theirs.get("DeleteMarkers", [])]


def test_encoded_keys_and_markers_are_decoded():
    xml = (
        f"<ListVersionsResult{SPACE}><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        "<NextKeyMarker>a%0Ab+c</NextKeyMarker><NextVersionIdMarker>v+1</NextVersionIdMarker>"
        "<Version><Key>a%0Ab+c</Key><VersionId>v+1</VersionId><Size>1</Size><ETag>x</ETag></Version>"
        "</ListVersionsResult>"
    )
    page = page_in(xml.encode())
    assert page.entries == [Listed("a\nb c", 1, "x", version="v+1")]
    assert page.following == {"KeyMarker": "a\nb c", "VersionIdMarker": "v+1"}


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"<html></html>",
        b"<ListBucketResult><Contents>",
        b"<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>a</Key><Size>many</Size></Contents></ListBucketResult>",
    ],
)
def test_answer_that_is_no_page_is_refused(xml):
    with pytest.raises(UnreadablePage, match="the listing cannot be read"):
        page_in(xml)
