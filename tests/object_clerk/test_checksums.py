import base64
import hashlib
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.object_clerk import checksums

MD5 = '"0cc175b9c0f1b6a831c399e269772661"'


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_combined_crc32_of_pieces_is_that_of_the_whole(pieces):
    crc = checksums.crc32_combined((zlib.crc32(piece), len(piece)) for piece in pieces)
    assert crc == zlib.crc32(b"".join(pieces))


def test_combined_crc32_of_large_pieces_is_that_of_the_whole():
    pieces = [os.urandom(size) for size in (5 * 2**20, 5 * 2**20, 1)]
    crc = checksums.crc32_combined((zlib.crc32(piece), len(piece)) for piece in pieces)
    assert crc == zlib.crc32(b"".join(pieces))


def test_crc32_is_written_as_s3_does():
    # The check value of CRC-32/ISO-HDLC for "123456789" is cbf43926.
    assert checksums.crc32_text(zlib.crc32(b"123456789")) == base64.b64encode(bytes.fromhex("cbf43926")).decode()


@pytest.mark.parametrize("name", ["CRC32", "SHA256", "SHA1", "MD5"])
def test_a_counter_of_blocks_gives_the_checksum_of_the_whole(name):
    grown, whole = checksums.counter(name), checksums.counter(name)
    for block in (b"12", b"", b"3456789"):
        grown.update(block)
    whole.update(b"123456789")
    assert grown.text() == whole.text()


def test_an_md5_is_written_as_an_etag_and_a_sha256_in_base64():
    md5, sha256 = checksums.counter("MD5"), checksums.counter("SHA256")
    assert md5.text() == hashlib.md5(b"").hexdigest()
    assert sha256.text() == base64.b64encode(hashlib.sha256(b"").digest()).decode()


@pytest.mark.parametrize(
    "answer, proof",
    [
        ({"ETag": MD5, "ChecksumCRC32": "AAAAAA==", "ChecksumSHA256": "x"}, ("CRC32", "AAAAAA==")),
        ({"ETag": MD5, "ChecksumSHA1": "x"}, ("SHA1", "x")),
        ({"ETag": MD5}, ("MD5", MD5.strip('"'))),
        ({"ETag": MD5, "ChecksumCRC64NVME": "x"}, ("MD5", MD5.strip('"'))),
        ({"ETag": '"0cc175b9c0f1b6a831c399e269772661-2"'}, None),
        ({"ETag": '"0cc175b9c0f1b6a831c399e269772661-2"', "ChecksumCRC32": "AAAAAA==-2"}, None),
        ({"ETag": '"opaque"', "ChecksumCRC32": "AAAAAA==", "ChecksumType": "COMPOSITE"}, None),
    ],
)
def test_proof_of_returns_the_first_checksum_that_can_be_computed(answer, proof):
    assert checksums.proof_of(answer) == proof


@pytest.mark.parametrize(
    "left, right, same",
    [
        ({"ContentLength": 1, "ETag": '"a"'}, {"ContentLength": 2, "ETag": '"a"'}, False),
        ({"ContentLength": 1, "ETag": '"a"'}, {"ContentLength": 1, "ETag": "a"}, True),
        ({"ContentLength": 1, "ETag": '"a"'}, {"ContentLength": 1, "ETag": '"b"'}, None),
        ({"ContentLength": 1}, {"ContentLength": 1}, None),
        ({"ContentLength": 1, "ETag": "a", "ChecksumCRC32": "x"}, {"ContentLength": 1, "ChecksumCRC32": "x"}, True),
        ({"ContentLength": 1, "ETag": "a", "ChecksumCRC32": "x"}, {"ContentLength": 1, "ChecksumCRC32": "y"}, False),
        ({"ContentLength": 1, "ETag": "a", "ChecksumCRC32": "x"}, {"ContentLength": 1, "ChecksumSHA1": "x"}, None),
    ],
)
def test_same_content_is_none_unless_the_checksums_are_conclusive(left, right, same):
    assert checksums.same_content(left, right) is same


@pytest.mark.parametrize(
    "answer, opaque",
    [
        ({}, False),
        ({"ServerSideEncryption": "AES256"}, False),
        ({"ServerSideEncryption": "aws:kms"}, True),
        ({"ServerSideEncryption": "aws:kms:dsse"}, True),
        ({"SSECustomerAlgorithm": "AES256"}, True),
    ],
)
def test_an_etag_is_opaque_where_encryption_makes_it_so(answer, opaque):
    assert checksums.has_opaque_etag(answer) is opaque
