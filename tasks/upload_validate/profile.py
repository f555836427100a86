"""What an upload has to be.

A profile defines the layout of the keys, the size of a file, its encoding and delimiter, the kinds of files by their
headers, the files that belong together, and the words of the notifications.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from posixpath import basename, splitext

from tasks.upload_validate.findings import UNKNOWN, FileFinding, Problem
from tasks.upload_validate.records import Dialect
from tasks.upload_validate.table_schema import TableSchema

# The names of the objects that this task writes beside the files.
REPORT, PAGE = "report.json", "report.html"

PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Layout:
    """The form of the keys, such as `{gss}/{timestamp}/{file}`; keys that differ only in `file` are one set.

    Attributes:
        form: the form.
        council: the name of the part by which a council is looked up, or "".
    """

    form: str
    council: str = ""

    def place_of(self, key: str) -> tuple[str, dict[str, str]] | None:
        """Return the prefix of a key's set and its parts by their names, or None for a key of another form."""
        found = self._pattern.fullmatch(key)
        if found is None or found["file"] in (REPORT, PAGE):
            return None
        parts = {name: text for name, text in found.groupdict().items() if name != "file"}
        return key[: found.start("file")], parts

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the form, without `file`."""
        return tuple(name for name in PLACEHOLDER.findall(self.form) if name != "file")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = [
            f"(?P<{part[1:-1]}>[^/]+)" if PLACEHOLDER.fullmatch(part) else re.escape(part)
            for part in re.split(r"(\{\w+\})", self.form)
        ]
        return re.compile("".join(parts), re.DOTALL)


@dataclass(frozen=True)
class SizeWindow:
    """The sizes in bytes that a file may have, and the texts for smaller and larger ones."""

    least: int
    least_text: str
    most: int
    most_text: str

    def problems(self, size: int) -> Iterator[str]:
        """Yield the problems of a size."""
        if size < self.least:
            yield self.least_text
        if self.is_over(size):
            yield self.most_text

    def is_over(self, size: int) -> bool:
        """Return whether a file is too large to be read."""
        return size > self.most


@dataclass(frozen=True)
class Columns:
    """How the columns of a file are found.

    Attributes:
        delimiters: the delimiters of tables whose dialect names none.
        by_extension: the delimiter that the extension of a file's name suggests.
        least: fewer columns mean that the delimiter was not found.
    """

    delimiters: tuple[str, ...]
    by_extension: Mapping[str, str]
    least: int


@dataclass(frozen=True)
class Kind:
    """Files whose header has a column of this name, in upper or lower case: as the first one, or anywhere."""

    name: str
    column: str
    anywhere: bool

    def fits(self, header: Sequence[str]) -> bool:
        """Return whether a header is of this kind."""
        return any(cell.strip().lower() == self.column for cell in (header if self.anywhere else header[:1]))


@dataclass(frozen=True)
class Together:
    """The number of files of one kind in a complete set; no e-mail is sent about a first file that is alone."""

    kind: str
    files: int

    @property
    def text(self) -> str:
        """The problem of a file that is alone."""
        return f"Expected {self.files} files, found 1"


@dataclass(frozen=True)
class Kinds:
    """The kinds of files, and which of them belong together."""

    kinds: tuple[Kind, ...]
    together: tuple[Together, ...]


@dataclass(frozen=True)
class Table:
    """How the files with certain names are written, and what they contain.

    Attributes:
        names: patterns of file names, as in a shell.
        dialect: a `Dialect`; its delimiter is None if it has to be detected.
        encodings: the allowed encodings, the strictest first.
        header: whether the first record is a header.
        comment_char: the first character of comments, or None.
        schema: a `TableSchema`, or None if any columns are allowed.
    """

    names: tuple[str, ...]
    dialect: Dialect
    encodings: tuple[str, ...]
    header: bool = True
    comment_char: str | None = None
    schema: TableSchema | None = None

    @cached_property
    def _name(self) -> re.Pattern[str]:
        # Compiled once: `fnmatch` caches a few hundred patterns, and a package may have more.
        return re.compile("|".join(map(translate, self.names)))

    def fits(self, name: str) -> bool:
        """Return whether a file of this name is checked against the table."""
        return self._name.match(name) is not None


@dataclass(frozen=True)
class Words:
    """The words of the notifications; `{names}` in them are replaced by values of the set."""

    issue_title: str
    labels: tuple[str, ...]
    subject: str
    opening: str


@dataclass(frozen=True)
class Profile:
    """What an upload has to be.

    Attributes:
        name: the profile's name.
        layout: the `Layout` of the keys.
        size: the `SizeWindow` of a file.
        columns: the `Columns`.
        kinds: the `Kinds` of files.
        tables: the `Table`s; the first one that fits a file's name counts.
        words: the `Words`.
    """

    name: str
    layout: Layout
    size: SizeWindow
    columns: Columns
    kinds: Kinds
    tables: tuple[Table, ...]
    words: Words

    def table_for(self, key: str) -> Table | None:
        """Return the `Table` that a file is checked against, or None."""
        name = basename(key)
        return next((table for table in self.tables if table.fits(name)), None)

    def delimiter_by_name(self, key: str) -> str:
        """Return the delimiter that a file's name suggests."""
        return self.columns.by_extension.get(splitext(key)[1].lower(), self.columns.delimiters[0])

    def kind_of(self, header: Sequence[str]) -> str:
        """Return the name of the first kind that a header fits, or `unknown`."""
        return next((kind.name for kind in self.kinds.kinds if kind.fits(header)), UNKNOWN)

    def check_set(self, findings: list[FileFinding]) -> list[FileFinding]:
        """Add the problems of the set as a whole to the findings of its files."""
        if len(findings) != 1:
            return findings
        missing = [rule.text for rule in self.kinds.together if rule.kind == findings[0].kind]
        return [findings[0].with_problem(Problem(text)) for text in missing] or findings

    def is_incomplete(self, findings: Sequence[FileFinding]) -> bool:
        """Return whether the only problem is that the rest of the set is not uploaded yet."""
        wrong = [problem.text for finding in findings for problem in finding.problems]
        return len(findings) == 1 and wrong in ([rule.text] for rule in self.kinds.together)
