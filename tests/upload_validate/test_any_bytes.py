"""Any bytes give a report and no exception: noise, tables with mistakes, real files with changed bytes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.messages import issue_of, mail_of
from tasks.upload_validate.page import page_of
from tasks.upload_validate.profile_reader import load_profile
from tasks.upload_validate.verdict import Verdict, to_json
from tests.upload_validate.conftest import csv_of

SCHEMA = {
    "fields": [
        {"name": "a", "type": "integer", "constraints": {"unique": True}},
        {"name": "b", "type": "date", "constraints": {"minimum": "2020-01-01"}},
        {"name": "c", "constraints": {"maxLength": 3, "pattern": "[a-z]*"}},
    ]
}
PROFILES = [
    load_profile("polling-stations", "", None),
    load_profile("table-schema", "s3://a/b", lambda _: json.dumps(SCHEMA).encode()),
]
REAL = [
    csv_of(30),
    csv_of(30, header="a,b,c", line_end="\r\n"),
    b"\xef\xbb\xbf" + csv_of(30, header="x,xordinate,z"),
    "houseid\tGâr\tc\r\n".encode("windows-1252") + b'1\t"2\r\n3"\t\x92\r\n' * 9,
    b'a,b,c\n1,2020-01-01,abc\n2,"20""21-01-01",x\n' * 9,
    "a,b,c\n1,2,é\n".encode("utf-16"),
]

# More than the sample by which a file is recognised.
FILLING = b"\n1,2020-01-01," + b"x" * 35_000 + b"\n2,2020-01-01," + b"y" * 35_000 + b"\n"

PIECES = st.sampled_from(
    [
        b"a",
        b"1",
        b",",
        b"\t",
        b'"',
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\xe9",
        "é".encode(),
        b"\x81",
        b"\x85",
        b"\v",
        b"x" * 70,
        b"a,b,c\n",
        b"1,2020-01-01,x\n",
        b"PK\x03\x04",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        "\u2028".encode(),
    ]
)


@st.composite
def mutated(draw):
    content = bytearray(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        cut = draw(st.integers(0, 3))
        content[at : at + cut] = draw(st.one_of(PIECES, st.binary(max_size=3)))
    return bytes(content)


CONTENTS = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=30).map(b"".join), mutated())
ARGUMENTS = {
    "content": CONTENTS,
    "key": st.text(max_size=12),
    "block": st.integers(1, 100),
    "limit": st.integers(1, 5),
    "profile": st.sampled_from(PROFILES),
}
# After the first 64 KB, blocks pass one by one.
LONG = CONTENTS.map(lambda content: content + FILLING + content)


def gives_a_report(content, *, key, block, limit, profile):
    block = block + len(content) // 3
    names = dict.fromkeys(profile.layout.names, key)
    blocks = [content[at : at + block] for at in range(0, len(content), block)]
    found = check_file(key, len(content), blocks, profile=profile, limit=limit)
    file_set = FileSet("uploads", f"{key}/", names, (UploadedFile(key, "etag", len(content)),))
    verdict = Verdict(profile, file_set, tuple(profile.check_set([found])), key)
    entry = verdict.report()["file_set"][0]
    assert entry["csv_valid"] == (entry["errors"] == "") == (entry["error_count"] == 0)
    assert [type(entry[name]) for name in ("csv_valid", "csv_rows", "csv_encoding", "ems", "errors")] == [
        bool,
        int,
        str,
        str,
        str,
    ]
    assert len(entry["problems"]) <= limit + 1 + 2
    assert json.loads(to_json(verdict.report())) == verdict.report()
    mail = mail_of(verdict, page_of(verdict))
    assert "\n" not in mail.subject + issue_of(verdict).title
    # The finding does not depend on the cuts between blocks.
    again = check_file(key, len(content), [content], profile=profile, limit=limit)
    assert again == found


@settings(max_examples=150, deadline=None)
@given(**{**ARGUMENTS, "content": st.one_of(CONTENTS, LONG)})
def test_any_bytes_give_a_report(content, **arguments):
    gives_a_report(content, **arguments)


@pytest.mark.chaos
@settings(max_examples=25_000, deadline=None)
@given(**{**ARGUMENTS, "content": st.one_of(CONTENTS, LONG)})
def test_many_thousand_inputs_give_a_report(content, **arguments):
    gives_a_report(content, **arguments)
