"""The encoding of a file, detected while its bytes pass, and the refusal of binary data.

All encodings here have the same bytes for the characters that matter to CSV (comma, tab, quote, line ends), so a file
can be cut into records before its encoding is known. Each byte becomes one character (`RAW`), and is decoded only where
the text matters.
"""

import codecs
import re
from collections.abc import Iterable

from tasks.utils.errors import BucketBrigadeError

# Latin-1 maps each byte to the character of the same number: it loses nothing and cannot fail.
RAW = "latin-1"
UTF_8, WINDOWS_1252, LATIN_1 = "utf-8", "windows-1252", "latin-1"
KNOWN = (UTF_8, WINDOWS_1252, LATIN_1)

# The five bytes that windows-1252 leaves undefined.
_NOT_WINDOWS_1252 = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
# Control characters that do not belong in a text; tab, line ends, vertical tab and form feed may occur.
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\v\f\r"))
# One in a hundred is far above the slips of a typist, and a tenth of what compressed data has.
_CONTROLS_IN_TEXT = 100
_FEW = 8

EXPORT = "Save or export it as CSV in UTF-8 and upload that."
_UNPACK = "Unpack it and upload the files that are in it."
_UNPACK_ONE = "Unpack it and upload the file that is in it."
_EXPORT_TABLE = "Export its table as CSV in UTF-8 from the program that made it, and upload that."

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32 text"),
    (codecs.BOM_UTF32_BE, "UTF-32 text"),
    (codecs.BOM_UTF16_LE, "UTF-16 text"),
    (codecs.BOM_UTF16_BE, "UTF-16 text"),
)
# The first bytes of the files that are most often uploaded by mistake, their names, and what to do with them.
_SIGNATURES = (
    (
        rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.opendocument\.spreadsheet",
        "an OpenDocument spreadsheet (.ods)",
        EXPORT,
    ),
    # Its sheets and its workbook are in this folder, whichever program wrote it.
    (rb"PK\x03\x04.*xl/work", "an Excel workbook (.xlsx)", EXPORT),
    (rb"PK\x03\x04", "a ZIP archive", _UNPACK),
    (rb"PK\x05\x06", "an empty ZIP archive", EXPORT),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document such as an Excel workbook (.xls)", EXPORT),
    (rb"%PDF-", "a PDF document", _EXPORT_TABLE),
    (rb"\x1f\x8b", "a gzip archive", _UNPACK_ONE),
    # The magic number of a block, or that of the end of an empty archive, follows the block size.
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "a bzip2 archive", _UNPACK_ONE),
    (rb"\xfd7zXZ\x00", "an xz archive", _UNPACK_ONE),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (rb"\x89PNG\r\n\x1a\n", "a PNG picture", _EXPORT_TABLE),
    (rb"\xff\xd8\xff", "a JPEG picture", _EXPORT_TABLE),
    (rb"SQLite format 3\x00", "an SQLite database", EXPORT),
    (rb"PAR1", "a Parquet file", EXPORT),
)


class NoTextError(BucketBrigadeError):
    """The file is no text in an expected encoding; the message says what it is.

    Attributes:
        remedy: a sentence that says what to do.
    """

    def __init__(self, name: str, remedy: str = EXPORT) -> None:
        super().__init__(name)
        self.remedy = remedy


class WrongEncodingError(NoTextError):
    """The file is text in an encoding that is not expected."""


class BinaryError(NoTextError):
    """The file is no text."""


class Encoding:
    """Detects the encoding of a file block by block.

    Args:
        expected: the encodings of `KNOWN` that are allowed, the strictest first.

    Attributes:
        alive: the encodings that fit all blocks so far.
        mark: whether the file begins with the byte order mark of UTF-8.
    """

    def __init__(self, expected: Iterable[str] = KNOWN) -> None:
        self.alive = list(expected)
        self.mark = False
        self._begun = False
        self._utf_8 = codecs.getincrementaldecoder("utf-8")()

    def pass_on(self, block: bytes) -> bytes:
        """Take the next block and return it without the byte order mark.

        The first block has to be long enough to recognise the file by it.

        Raises:
            WrongEncodingError: the file is UTF-16 or UTF-32, or none of the expected encodings fits.
            BinaryError: the file is no text.
        """
        if not self._begun:
            self._begun = True
            _refuse_signatures(block)
            _refuse_utf_16(block)
            if block.startswith(codecs.BOM_UTF8):
                self.mark = True
                block = block[len(codecs.BOM_UTF8) :]
        _refuse_binary(block)
        if not block.isascii() or self._utf_8.getstate()[0]:
            self._narrow(block)
        return block

    def finish(self) -> str:
        """Return the encoding, after the last block.

        Raises:
            WrongEncodingError: none of the expected encodings fits.
        """
        self._drop_unless(UTF_8, self._continues_utf_8(b"", final=True))
        return self.alive[0]

    def _narrow(self, block: bytes) -> None:
        self._drop_unless(UTF_8, self._continues_utf_8(block))
        self._drop_unless(WINDOWS_1252, not any(byte in block for byte in _NOT_WINDOWS_1252))

    def _continues_utf_8(self, block: bytes, final: bool = False) -> bool:
        if UTF_8 not in self.alive:
            return False
        try:
            self._utf_8.decode(block, final)
        except UnicodeDecodeError:
            return False
        return True

    def _drop_unless(self, name: str, fits: bool) -> None:
        if not fits and name in self.alive:
            self.alive.remove(name)
        if not self.alive:
            raise WrongEncodingError("text in an encoding that is not expected")


def decoded(raw: str, encoding: str) -> str:
    """Decode a part of a `RAW` text; a character that is cut in two becomes U+FFFD."""
    return raw if encoding == RAW or raw.isascii() else raw.encode(RAW).decode(encoding, "replace")


def _refuse_signatures(block: bytes) -> None:
    for mark, name in _BYTE_ORDER_MARKS:
        if block.startswith(mark):
            raise WrongEncodingError(name)
    for signature, name, remedy in _SIGNATURES:
        if re.match(signature, block, re.DOTALL):
            raise BinaryError(name, remedy)


def _refuse_binary(block: bytes) -> None:
    if b"\0" in block:
        raise BinaryError("binary data")
    controls = len(block) - len(block.translate(None, _CONTROLS))
    if controls > max(_FEW, len(block) // _CONTROLS_IN_TEXT):
        raise BinaryError("binary data")


def _refuse_utf_16(block: bytes) -> None:
    # In UTF-16 most characters of western languages have a NUL as the same one of their two bytes.
    even, odd = block[0::2].count(0), block[1::2].count(0)
    half = max(1, len(block) // 2)
    if max(even, odd) > 0.4 * half and min(even, odd) < 0.05 * half:
        raise WrongEncodingError("UTF-16 text")
