"""The profile of a deployment, read from JSON files in `profiles/`; a Table Schema may also be in S3."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from posixpath import basename
from typing import Any

from tasks.upload_validate.descriptor import Descriptor
from tasks.upload_validate.encodings import KNOWN
from tasks.upload_validate.profile import (
    PLACEHOLDER,
    Columns,
    Kind,
    Kinds,
    Layout,
    Profile,
    SizeWindow,
    Table,
    Together,
    Words,
)
from tasks.upload_validate.records import Dialect
from tasks.upload_validate.table_schema import read_schema
from tasks.utils.errors import SettingsError
from tasks.utils.s3_object import S3Object

ReadObject = Callable[[S3Object], bytes]

PROFILES = Path(__file__).parent / "profiles"
_S3_ADDRESS = re.compile(r"s3://([^/]+)/(.+)")
# People write schemas by hand; a larger document is something else.
SCHEMA_LIMIT = 1 << 20
# Each file of a set is compared with the names of all tables.
TABLES = 1_000

# The names that words may contain beside those of the layout.
_REPORT_NAMES = ("council_name",)

# https://specs.frictionlessdata.io/tabular-data-resource/ names encodings as the web's registry does.
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


def load_profile(name: str, table_schema: str, read_object: ReadObject | None) -> Profile:
    """Load a profile by its name.

    Args:
        name: the name of a file in `profiles/` without `.json`.
        table_schema: the place of the Table Schema: a file in `profiles/`, an address `s3://bucket/key`, or "".
        read_object: takes an `S3Object` and returns its bytes; None if the schema cannot be in S3.

    Raises:
        SettingsError: the file is missing, or some of its fields are wrong; the text names each of them.
    """

    def schema() -> Any:
        if not table_schema:
            raise SettingsError(
                f"TABLE_SCHEMA is not set: the profile {name} needs a file in profiles/ or s3://bucket/key with a "
                "Frictionless Table Schema, Tabular Data Resource or Tabular Data Package"
            )
        return _schema(table_schema, read_object)

    return profile_with_schema(name, schema)


def profile_with_schema(name: str, schema: Callable[[], Any]) -> Profile:
    """Load a profile by its name.

    Args:
        name: as for `load_profile`.
        schema: returns the decoded JSON of a Table Schema; called only if the profile needs one.

    Raises:
        SettingsError: as for `load_profile`.
    """
    document = read_json("PROFILE", _file(f"{name}.json", "PROFILE"))
    needs_schema = isinstance(document, dict) and document.get("needs_schema") is True
    return read_profile(document, name=name, schema=schema() if needs_schema else None)


def read_profile(document: Any, *, name: str, schema: Any = None) -> Profile:
    """Return the profile that a document describes.

    Args:
        document: the decoded JSON.
        name: the profile's name.
        schema: the decoded JSON of a Table Schema, a Tabular Data Resource or a Tabular Data Package, for a profile
            with `needs_schema`.

    Raises:
        SettingsError: a sentence for each field that is wrong.
    """
    top = Descriptor(document)
    profile = _profile(top, name)
    problems = [f"profile {name}: {problem}" for problem in top.problems]
    if top.flag("needs_schema", default=False):
        tables, wrong = _tables_of(schema, profile.tables[0].encodings)
        problems += [f"TABLE_SCHEMA: {problem}" for problem in wrong]
        profile = replace(profile, tables=tuple(tables))
    if problems:
        raise SettingsError("; ".join(problems))
    return profile


def _schema(place: str, read_object: ReadObject | None) -> Any:
    found = _S3_ADDRESS.fullmatch(place)
    if not found or not read_object:
        return read_json("TABLE_SCHEMA", _file(place, "TABLE_SCHEMA"))
    return read_json("TABLE_SCHEMA", read_object(S3Object(found[1], found[2])))


def _file(name: str, setting: str) -> bytes:
    there = sorted(path.name for path in PROFILES.glob("*.json"))
    if name not in there:
        # A name is compared with the names in the folder before it is opened, so that no name leads out of it.
        raise SettingsError(f"{setting}: there is no {name!r} in profiles/; there are {', '.join(there)}")
    return (PROFILES / name).read_bytes()


def read_json(setting: str, content: bytes) -> Any:
    """Return the decoded JSON of a profile or a schema.

    Raises:
        SettingsError: it is too long or no JSON; the text names the setting, and the place of the fault.
    """
    if len(content) > SCHEMA_LIMIT:
        raise SettingsError(f"{setting}: it has more than {SCHEMA_LIMIT:,} bytes, which no schema needs")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        # Only the place is named: the library's own sentences speak of codecs and delimiters.
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise SettingsError(f"{setting}: it is not JSON{place}") from error


def _profile(top: Descriptor, name: str) -> Profile:
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
    encodings = _encodings(top)
    return Profile(
        name=name,
        layout=layout,
        columns=_columns(top),
        size=_size(top.child("size")),
        kinds=Kinds(
            tuple(_kind(kind) for kind in top.children("kinds", default=[])),
            tuple(_together(rule) for rule in top.children("together", default=[])),
        ),
        tables=(Table(("*",), Dialect(delimiter=None), encodings or KNOWN),),
        words=_words(top.child("words"), (*layout.names, *_REPORT_NAMES)),
    )


def _layout(top: Descriptor) -> Layout:
    form = top.text("layout")
    names = PLACEHOLDER.findall(form)
    if len(set(names)) != len(names) or not form.endswith("/{file}"):
        top.problem("layout", f'is {form!r}: it should name each part once and end with "/{{file}}"')
        form = "{set}/{file}"
    if any(len(PLACEHOLDER.findall(folder)) > 2 for folder in form.split("/")):
        # A search for the border between two parts takes a step for each way to cut a folder's name.
        top.problem("layout", f"is {form!r}: it should name two parts of a folder's name at most")
        form = "{set}/{file}"
    return Layout(form, top.choice("council", Layout(form).names, default=""))


def _encodings(top: Descriptor) -> tuple[str, ...]:
    encodings = tuple(top.texts("encodings"))
    for encoding in dict.fromkeys(encodings):
        if encoding not in KNOWN:
            top.problem("encodings", f"holds {encoding!r}; known are {', '.join(KNOWN)}")
    if not encodings:
        top.problem("encodings", "is empty")
    return encodings


def _columns(top: Descriptor) -> Columns:
    delimiters = tuple(top.texts("delimiters"))
    by_extension = top.mapping("delimiter_by_extension", default={})
    if not delimiters:
        top.problem("delimiters", "is empty")
    named = [("delimiters", each) for each in delimiters]
    named += [(f"delimiter_by_extension[{extension!r}]", each) for extension, each in by_extension.items()]
    for name, each in named:
        if not (isinstance(each, str) and len(each) == 1 and each.isascii()):
            top.problem(name, f"holds {each!r}, which is not a single ASCII character")
    return Columns(delimiters, by_extension, top.integer("least_columns", default=1, least=1))


def _size(size: Descriptor) -> SizeWindow:
    size.only("least", "least_text", "most", "most_text")
    window = SizeWindow(
        size.integer("least"), size.text("least_text"), size.integer("most", least=1), size.text("most_text")
    )
    if window.least > window.most:
        size.problem("least", f"is {window.least}, which is more than most")
    return window


def _kind(kind: Descriptor) -> Kind:
    kind.only("name", "column", "anywhere")
    return Kind(kind.text("name"), kind.text("column").lower(), kind.flag("anywhere", default=False))


def _together(rule: Descriptor) -> Together:
    rule.only("kind", "files")
    return Together(rule.text("kind"), rule.integer("files", least=2))


def _words(words: Descriptor, known: tuple[str, ...]) -> Words:
    words.only("issue_title", "labels", "subject", "opening")
    for name in ("issue_title", "subject", "opening"):
        for used in PLACEHOLDER.findall(words.text(name)):
            if used not in known:
                words.problem(name, f"holds {{{used}}}; known are {', '.join(known)}")
    return Words(
        words.text("issue_title", default=""),
        tuple(words.texts("labels", default=[])),
        words.text("subject", default=""),
        words.text("opening", default=""),
    )


def _tables_of(document: Any, encodings: tuple[str, ...]) -> tuple[list[Table], list[str]]:
    """Return the tables of a Frictionless descriptor, and its problems."""
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


def _table(resource: Descriptor, encodings: tuple[str, ...]) -> Table:
    encoding = resource.text("encoding", default="")
    if encoding:
        encodings = (_ENCODING_NAMES.get(encoding.lower(), ""),)
        if encodings == ("",):
            resource.problem("encoding", f"is {encoding!r}; known are {', '.join(KNOWN)}")
            encodings = KNOWN
    dialect = resource.optional_child("dialect") or Descriptor({}, "dialect", resource.problems)
    header = dialect.flag("header", default=True)
    return Table(
        names=tuple(basename(path) for path in resource.texts("path", default=["*"])),
        dialect=_dialect(dialect),
        encodings=encodings,
        header=header,
        comment_char=dialect.character("commentChar", default=None),
        schema=read_schema(resource.child("schema"), case_sensitive=dialect.flag("caseSensitiveHeader", default=False)),
    )


def _dialect(dialect: Descriptor) -> Dialect:
    # The standard's defaults are the comma and the double quote. Without a delimiter in the dialect it is detected.
    return Dialect(
        delimiter=dialect.character("delimiter", default=None),
        quote_char=dialect.character("quoteChar", default='"'),
        double_quote=dialect.flag("doubleQuote", default=True),
        escape_char=dialect.character("escapeChar", default=None),
        skip_initial_space=dialect.flag("skipInitialSpace", default=False),
    )
