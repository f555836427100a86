import codecs

import pytest

from tasks.upload_validate.encodings import KNOWN, BinaryError, Encoding, WrongEncodingError, decoded


def encoding_of(content, *, block=5, expected=KNOWN):
    encoding = Encoding(expected)
    # The first block of a file is never cut.
    blocks = [content[:64]] + [content[at : at + block] for at in range(64, len(content), block)]
    passed = b"".join(map(encoding.pass_on, blocks))
    return encoding.finish(), encoding.mark, passed


PADDING = b"x" * 70


@pytest.mark.parametrize(
    "content, name",
    [
        (b"", "utf-8"),
        (b"plain", "utf-8"),
        ("Gâr, 東京, 😀".encode(), "utf-8"),
        (PADDING + "Gâr, 東京, 😀".encode(), "utf-8"),
        ("Gâr £5".encode("windows-1252"), "windows-1252"),
        (PADDING + "Gâr £5".encode("windows-1252") + PADDING, "windows-1252"),
        ("é".encode() + PADDING + b"\xe9", "windows-1252"),
        # These bytes are undefined in windows-1252, and control characters in Latin-1.
        (b"caf\xe9 \x81", "latin-1"),
        (b"caf\xe9" + PADDING + b"\x9d", "latin-1"),
        # The end of the file cuts a character off.
        (PADDING + "é".encode()[:1], "windows-1252"),
        (PADDING + "東".encode()[:2], "latin-1"),
    ],
)
def test_encoding_is_detected_for_any_cut_between_blocks(content, name):
    for block in (1, 2, 3, 70):
        assert encoding_of(content, block=block) == (name, False, content)


def test_byte_order_mark_of_utf_8_is_recorded_and_removed():
    assert encoding_of(codecs.BOM_UTF8 + "Gâr".encode()) == ("utf-8", True, "Gâr".encode())


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "a,b\n1,2\n".encode("utf-16-be"),
        ("a,b,é\n1,2,3\n" * 9).encode("utf-16-le"),
        ("a,b,é\n1,2,3\n" * 9).encode("utf-16-be"),
        "a,b\n".encode("utf-32"),
    ],
)
def test_utf_16_and_utf_32_are_named(content):
    with pytest.raises(WrongEncodingError, match="UTF-(16|32) text"):
        encoding_of(content, block=64)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"PK\x03\x04,a,b\n,c,d\n", "^a ZIP archive$"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1,,,", "old Office document"),
        (b"%PDF-1.7,a,b", "PDF"),
        (b"\x1f\x8b,a,b", "gzip"),
        (b"a,b,c\n1,\x00,3\n", "binary data"),
        (PADDING + b"a,b,c\n1,\x00,3\n", "binary data"),
        # Binary data with commas and without a NUL.
        (bytes(byte or 44 for byte in range(256)) * 4, "binary data"),
    ],
)
def test_binary_is_named(content, said):
    with pytest.raises(BinaryError, match=said):
        encoding_of(content)


def test_few_control_characters_in_a_text_are_allowed():
    assert encoding_of(b"a,\x1f,c\n" + PADDING * 9 + b"\x02\n")[0] == "utf-8"


def test_encoding_that_is_not_expected_is_refused():
    with pytest.raises(WrongEncodingError):
        encoding_of("é".encode("latin-1"), expected=("utf-8",))


def test_character_that_is_cut_in_two_is_replaced():
    assert decoded("Gâ".encode().decode("latin-1")[:-1], "utf-8") == "G\ufffd"
    assert decoded("Gâ", "windows-1252") == "Gâ"
