"""What an upload has to be, read from a profile: a JSON file in `profiles/`.

A profile says how the keys are laid out, how large a file may be, how it is written, what kinds there are by their
headers, what a set needs to be complete, and the words in which people are told.
"""

import re
from dataclasses import dataclass, replace
from fnmatch import translate
from functools import cached_property
from posixpath import basename, splitext

from tasks.upload_validate.descriptor import Descriptor
from tasks.upload_validate.encodings import KNOWN
from tasks.upload_validate.problems import Problem
from tasks.upload_validate.records import Dialect
from tasks.upload_validate.table_schema import TableSchema, read_schema
from tasks.utils.errors import SettingsError

# What this task itself writes beside the files.
REPORT, PAGE = "report.json", "report.html"

# Each file of a set is looked for among them by its name.
TABLES = 1_000

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# The names that texts may use beside those of the layout.
_REPORT_NAMES = ("council_name",)


@dataclass(frozen=True)
class Layout:
    """The form of the keys, such as `{gss}/{timestamp}/{file}`; files that differ in `file` alone are a set."""

    form: str

    def place_of(self, key):
        """Returns the prefix of the set that a key belongs to and what the layout names in it, or None if in none."""
        pattern = "".join(
            f"(?P<{part[1:-1]}>[^/]+)" if _PLACEHOLDER.fullmatch(part) else re.escape(part)
            for part in re.split(r"(\{\w+\})", self.form)
        )
        found = re.fullmatch(pattern, key, re.DOTALL)
        if found is None or found["file"] in (REPORT, PAGE):
            return None
        names = {name: text for name, text in found.groupdict().items() if name != "file"}
        return key[: found.start("file")], names

    @property
    def names(self):
        """What the layout names, but for the file."""
        return tuple(name for name in _PLACEHOLDER.findall(self.form) if name != "file")


@dataclass(frozen=True)
class SizeWindow:
    """How many bytes a file may have, and what is said of one that has fewer or more."""

    least: int
    least_text: str
    most: int
    most_text: str

    def problems(self, size):
        """Yields what is wrong with a size."""
        if size < self.least:
            yield self.least_text
        if self.is_over(size):
            yield self.most_text

    def is_over(self, size):
        """Returns whether a file is too large to be looked at."""
        return size > self.most


@dataclass(frozen=True)
class Kind:
    """Tells a file by its header: `column` is the first one's name, or any one's, in whatever case."""

    name: str
    column: str
    anywhere: bool

    def fits(self, header):
        """Returns whether a header is of this kind."""
        return any(cell.strip().lower() == self.column for cell in (header if self.anywhere else header[:1]))


@dataclass(frozen=True)
class Together:
    """Files of one kind come as so many; one alone is not yet a set, and nobody is written to for that alone."""

    kind: str
    files: int

    @property
    def text(self):
        """What is said of one file alone."""
        return f"Expected {self.files} files, found 1"


@dataclass(frozen=True)
class Table:
    """How the files of some names are written, and what is in them.

    Attributes:
        names: patterns of file names, as a shell has them.
        dialect: a `Dialect`; its delimiter is None where it has to be found out.
        encodings: those allowed, the most telling first.
        header: whether the first record is a header.
        comment_char: what records begin with that are skipped, or None.
        schema: a `TableSchema`, or None where any columns will do.
    """

    names: tuple
    dialect: Dialect
    encodings: tuple
    header: bool = True
    comment_char: str | None = None
    schema: TableSchema | None = None

    @cached_property
    def _name(self):
        # Compiled once: `fnmatch` remembers a few hundred patterns, and a package may have more.
        return re.compile("|".join(map(translate, self.names)))

    def fits(self, name):
        """Returns whether a file of this name is to be held against the table."""
        return self._name.match(name) is not None


@dataclass(frozen=True)
class Words:
    """The words in which people are told; `{names}` in them are filled in from the report."""

    issue_title: str
    labels: tuple
    subject: str
    opening: str


@dataclass(frozen=True)
class Profile:  # pylint: disable=too-many-instance-attributes  # one for each part of a profile's file
    """What an upload has to be.

    Attributes:
        name: the profile's name.
        layout: the form of the keys.
        size: how large a file may be.
        delimiters: what a table may be delimited by, where its dialect does not say.
        delimiter_by_extension: what a file's name suggests, where its contents do not tell.
        least_columns: fewer mean that the delimiter was not found.
        kinds: how files are told apart by their headers.
        together: which of them need company.
        tables: the tables, the first whose name fits counts.
        words: see `Words`.
        council: the name in the layout by which a council is looked up, or "".
    """

    name: str
    layout: Layout
    size: SizeWindow
    delimiters: tuple
    delimiter_by_extension: dict
    least_columns: int
    kinds: tuple
    together: tuple
    tables: tuple
    words: Words
    council: str = ""

    def table_for(self, key):
        """Returns the `Table` that a file is to be held against by its name, or None."""
        name = basename(key)
        return next((table for table in self.tables if table.fits(name)), None)

    def delimiter_by_name(self, key):
        """Returns the delimiter that a file's name suggests."""
        return self.delimiter_by_extension.get(splitext(key)[1].lower(), self.delimiters[0])

    def kind_of(self, header):
        """Returns the name of the first kind that a header fits, or `unknown`."""
        return next((kind.name for kind in self.kinds if kind.fits(header)), "unknown")

    def judge_set(self, findings):
        """Returns the findings of a set's files, with what is wrong with the set as a whole."""
        if len(findings) != 1:
            return findings
        missing = [rule.text for rule in self.together if rule.kind == findings[0].kind]
        return [findings[0].with_problem(Problem(text)) for text in missing] or findings

    def is_quiet(self, findings):
        """Returns whether the only thing wrong is that the rest of the set has yet to come."""
        wrong = [problem.text for finding in findings for problem in finding.problems]
        return len(findings) == 1 and wrong in ([rule.text] for rule in self.together)


def filled(words, values):
    """Returns a text with its `{names}` replaced by their values."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], words)


def read_profile(document, *, name, schema=None):
    """Returns the profile that a document describes.

    Args:
        document: the decoded JSON.
        name: the profile's name.
        schema: the decoded JSON of a Table Schema, a Tabular Data Resource or a Tabular Data Package, for a profile
            with `needs_schema`.

    Raises:
        SettingsError: a sentence for every field that is wrong.
    """
    top = Descriptor(document)
    profile = _read(top, name)
    problems = [f"profile {name}: {problem}" for problem in top.problems]
    if top.flag("needs_schema", default=False):
        tables, wrong = _tables_of(schema, profile.tables[0].encodings)
        problems += [f"TABLE_SCHEMA: {problem}" for problem in wrong]
        profile = replace(profile, tables=tuple(tables))
    if problems:
        raise SettingsError("; ".join(problems))
    return profile


def _read(top, name):
    top.only(
        "layout",
        "size",
        "encodings",
        "delimiters",
        "delimiter_by_extension",
        "least_columns",
        "kinds",
        "together",
        "words",
        "council",
        "needs_schema",
    )
    layout = _layout(top)
    encodings = tuple(top.texts("encodings"))
    for encoding in set(encodings) - set(KNOWN):
        top.problem("encodings", f"holds {encoding!r}; known are {', '.join(KNOWN)}")
    if not encodings:
        top.problem("encodings", "is empty")
    delimiters = tuple(top.texts("delimiters"))
    if not delimiters or any(len(one) != 1 or not one.isascii() for one in delimiters):
        top.problem("delimiters", "should be a list of single ASCII characters")
    return Profile(
        name=name,
        layout=layout,
        size=_size(top.child("size")),
        delimiters=delimiters,
        delimiter_by_extension=top.mapping("delimiter_by_extension", default={}),
        least_columns=top.integer("least_columns", default=1, least=1),
        kinds=tuple(_kind(kind) for kind in top.children("kinds", default=[])),
        together=tuple(_together(rule) for rule in top.children("together", default=[])),
        tables=(Table(("*",), Dialect(delimiter=None), encodings or KNOWN),),
        words=_words(top.child("words"), (*layout.names, *_REPORT_NAMES)),
        council=top.choice("council", layout.names, default=""),
    )


def _layout(top):
    form = top.text("layout")
    names = _PLACEHOLDER.findall(form)
    if len(set(names)) != len(names) or not form.endswith("/{file}"):
        top.problem("layout", f'is {form!r}: it should name each part once and end with "/{{file}}"')
        return Layout("{set}/{file}")
    if any(len(_PLACEHOLDER.findall(folder)) > 2 for folder in form.split("/")):
        # Where one ends and the next one begins takes a step for each way to cut a folder's name.
        top.problem("layout", f"is {form!r}: it should name two parts of a folder's name at most")
        return Layout("{set}/{file}")
    return Layout(form)


def _size(size):
    size.only("least", "least_text", "most", "most_text")
    window = SizeWindow(
        size.integer("least"), size.text("least_text"), size.integer("most", least=1), size.text("most_text")
    )
    if window.least > window.most:
        size.problem("least", f"is {window.least}, which is more than most")
    return window


def _kind(kind):
    kind.only("name", "column", "anywhere")
    return Kind(kind.text("name"), kind.text("column").lower(), kind.flag("anywhere", default=False))


def _together(rule):
    rule.only("kind", "files")
    return Together(rule.text("kind"), rule.integer("files", least=2))


def _words(words, known):
    words.only("issue_title", "labels", "subject", "opening")
    for name in ("issue_title", "subject", "opening"):
        for used in _PLACEHOLDER.findall(words.text(name)):
            if used not in known:
                words.problem(name, f"holds {{{used}}}; known are {', '.join(known)}")
    return Words(
        words.text("issue_title", default=""),
        tuple(words.texts("labels", default=[])),
        words.text("subject", default=""),
        words.text("opening", default=""),
    )


def _tables_of(document, encodings):
    """Returns the tables of a Frictionless descriptor, and what is wrong with it."""
    top = Descriptor(document)
    if "resources" in top.value:
        resources = top.children("resources")
        if not resources:
            top.problem("resources", "is empty")
    elif "schema" in top.value or "dialect" in top.value:
        resources = [top]
    else:
        schema = read_schema(top)
        return [Table(("*",), Dialect(delimiter=None), encodings, schema=schema)], top.problems
    tables = [_table(resource, encodings) for resource in resources[:TABLES]]
    if len(resources) > TABLES or sum(len(table.names) for table in tables) > TABLES:
        top.problem("resources", f"names more than {TABLES:,} files")
    return tables, top.problems


# https://specs.frictionlessdata.io/tabular-data-resource/ calls encodings by their names in the web's registry.
_ENCODING_NAMES = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "ascii": "utf-8",
    "us-ascii": "utf-8",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
}


def _table(resource, encodings):
    encoding = resource.text("encoding", default="")
    if encoding:
        encodings = (_ENCODING_NAMES.get(encoding.lower(), ""),)
        if encodings == ("",):
            resource.problem("encoding", f"is {encoding!r}; known are {', '.join(KNOWN)}")
            encodings = KNOWN
    dialect = resource.child("dialect", default=Descriptor({}, "dialect", resource.problems))
    header = dialect.flag("header", default=True)
    return Table(
        names=tuple(basename(path) for path in resource.texts("path", default=["*"])),
        dialect=_dialect(dialect),
        encodings=encodings,
        header=header,
        comment_char=dialect.character("commentChar", default=None),
        schema=read_schema(resource.child("schema"), case_sensitive=dialect.flag("caseSensitiveHeader", default=False)),
    )


def _dialect(dialect):
    # The standard's own defaults are the comma and the double quote; a dialect that says nothing leaves the delimiter
    # to be found out.
    return Dialect(
        delimiter=dialect.character("delimiter", default=None),
        quote_char=dialect.character("quoteChar", default='"'),
        double_quote=dialect.flag("doubleQuote", default=True),
        escape_char=dialect.character("escapeChar", default=None),
        skip_initial_space=dialect.flag("skipInitialSpace", default=False),
    )
