"""The lines of a file, cut from blocks of bytes, and what other programs put before and after a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tasks.upload_validate.encodings import RAW

# A spreadsheet's cell holds 32,767 characters at most; a longer record comes from a quote that is never closed.
RECORD_LIMIT = 1 << 20

# Sixty-four kilobytes hold hundreds of records; a file with a longer record is no table.
SAMPLE = 1 << 16

# DOS marks the end of a text with Ctrl-Z, and some programs still write it.
_CTRL_Z = b"\x1a"
# Excel reads the delimiter from such a line before the header; a spreadsheet may have quoted it.
_SEP_LINE = re.compile(rb'("?)sep=([^\r\n"])\1(?:\r\n|\r|\n|\Z)', re.IGNORECASE)


class LineTooLong(Exception):
    """The next line is longer than a record may be; it is skipped."""


class RecordTooLong(Exception):
    """The lines since the last record are longer than a record may be."""


@dataclass
class Lines:
    """Cuts blocks into whole lines of `encodings.RAW`.

    Lines of spaces at the end of the file are blank, and a Ctrl-Z there is left out, if they are within its last
    64 KiB.

    Attributes:
        blocks: the bytes of the file.
        delimiter: the delimiter of the table; a line of delimiters has cells.
        rest: the end of the last block, from its last line with content on.
        number: the number of records when the last block was read.
        grown: the bytes that the record after them has so far.
        ended: whether all lines were returned.
    """

    blocks: Iterator[bytes]
    delimiter: str
    rest: bytes = b""
    number: int = 0
    grown: int = 0
    ended: bool = False

    @cached_property
    def _padding(self) -> bytes:
        return bytes(set(b" \r\n" + _CTRL_Z) - set(self.delimiter.encode(RAW, "ignore")))

    def read(self, number: int) -> list[str] | None:
        """Return the whole lines of the next block, or None at the end of the file.

        Args:
            number: the number of records so far.

        Raises:
            LineTooLong: the next line is too long.
            RecordTooLong: the record that has begun is too long.
        """
        block = next(self.blocks, None)
        if block is None:
            return self._last_lines()
        lines = self._cut(self.rest + block)
        if not lines and len(self.rest) > RECORD_LIMIT:
            self._skip_line()
            raise LineTooLong
        self._bound_record(number, len(block))
        return [line.decode(RAW) for line in lines]

    def _cut(self, content: bytes) -> list[bytes]:
        """Return the whole lines of a content and keep the rest.

        The last line may go on in the next block, and so may a line end if this block ends within CRLF. The lines
        without content after it are kept too, because they may be the last ones of the file.
        """
        end = len(content.rstrip(self._padding))
        start = content.rfind(b"\n", 0, end) + 1
        start = max(start, content.rfind(b"\r", start, end) + 1)
        # Unlike the lines of a str, the lines of bytes end at CR, LF and CRLF only.
        lines = content.splitlines(True)
        kept = content[start:].splitlines(True) if len(content) - end <= SAMPLE else lines[-1:]
        del lines[len(lines) - len(kept) :]
        self.rest = b"".join(kept)
        return lines

    def _last_lines(self) -> list[str] | None:
        if not self.rest:
            self.ended = True
            return None
        lines, self.rest = self.rest.splitlines(True), b""
        content = max((at for at, line in enumerate(lines) if line.strip(self._padding)), default=-1)
        if content >= 0:
            lines[content] = lines[content].rstrip(_CTRL_Z)
        blank = (line.lstrip(b" " + _CTRL_Z) for line in lines[content + 1 :])
        return [line.decode(RAW) for line in (*lines[: content + 1], *blank) if line]

    def _bound_record(self, number: int, size: int) -> None:
        self.grown = self.grown + size if number == self.number else size
        self.number = number
        if self.grown > 2 * RECORD_LIMIT:
            self.grown = 0
            raise RecordTooLong

    def _skip_line(self) -> None:
        lines = self.rest.splitlines(True)
        while len(lines) < 2 and (block := next(self.blocks, None)) is not None:
            lines = (lines[0][-1:] + block).splitlines(True)
        self.rest = b"".join(lines[1:])


def sep_line(sample: bytes) -> tuple[int, str]:
    """Return the length of Excel's line `sep=,` at the beginning of a file, and its delimiter; 0 and "" without it."""
    found = _SEP_LINE.match(sample)
    return (found.end(), found[2].decode(RAW)) if found else (0, "")
