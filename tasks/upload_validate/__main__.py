"""Check files at a desk as the function checks an upload: python -m tasks.upload_validate FILE..."""

import argparse
import json
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TextIO

from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.findings import FileFinding
from tasks.upload_validate.messages import place_of
from tasks.upload_validate.page import AT_A_DESK, advice_for, facts_of, page_of
from tasks.upload_validate.profile import PAGE, REPORT, Profile
from tasks.upload_validate.profile_reader import PROFILES, profile_with_schema, read_json
from tasks.upload_validate.set_check import BLOCK, SetCheck
from tasks.upload_validate.settings import ERROR_LIMIT, FILE_LIMIT
from tasks.upload_validate.verdict import Verdict
from tasks.utils.errors import SettingsError
from tasks.utils.s3_object import printable

VALID, INVALID, NOT_CHECKED = 0, 1, 2

STANDARD_INPUT = "-"

ENDING = """\
Files in the same folder are one set, as files under the same prefix are for the function. Nothing is published or sent,
and no AWS account is needed.

exit status: 0 if all files are valid, 1 if there are errors, 2 if a file or an option is wrong
"""


def main(arguments: list[str] | None = None, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Check the files that the arguments name, and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        profile = _profile(options.profile, options.schema)
        verdicts = _verdicts(options.files, profile)
        if options.html:
            _write_page(options.html, verdicts)
    except SettingsError as error:
        _write(err, f"error: {str(error).replace('TABLE_SCHEMA', f'--schema {options.schema}')}\n")
        return NOT_CHECKED
    except OSError as error:
        _write(err, f"error: {error.filename} cannot be opened: {error.strerror}\n")
        return NOT_CHECKED
    _write(out, _as_json(verdicts) if options.json else "\n".join(_as_text(verdicts)) + "\n")
    return VALID if all(verdict.valid for verdict in verdicts) else INVALID


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tasks.upload_validate",
        description="Check files as upload_validate checks an upload.",
        epilog=ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    profiles = sorted(path.stem for path in PROFILES.glob("*.json"))
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file to check; - is the standard input")
    parser.add_argument(
        "--profile", choices=profiles, help="default: table-schema with --schema, else polling-stations"
    )
    parser.add_argument("--schema", metavar="FILE", help="a Frictionless Table Schema, Data Resource or Data Package")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--html", metavar="PAGE", help="also write the page on the set to this file")
    return parser


def _profile(name: str | None, schema: str | None) -> Profile:
    name = name or ("table-schema" if schema else "polling-stations")

    def read_schema() -> Any:
        if not schema:
            raise SettingsError(f"--profile {name} needs --schema FILE")
        return read_json("TABLE_SCHEMA", Path(schema).read_bytes())

    profile = profile_with_schema(name, read_schema)
    if schema and not profile.tables[0].schema:
        raise SettingsError(f"--profile {name} takes no --schema")
    return profile


def _verdicts(names: Iterable[str], profile: Profile) -> list[Verdict]:
    with ExitStack() as open_files:
        files = _Files(profile.size.most, open_files)
        check = SetCheck(files.read, profile, ERROR_LIMIT, council_name=str)
        return [check.verdict_on(file_set) for file_set in _sets(names, files)]


def _sets(names: Iterable[str], files: "_Files") -> list[FileSet]:
    sets: dict[str, dict[str, UploadedFile]] = {}
    for name in dict.fromkeys(names):
        path = Path(name)
        # The function writes its report beside the files of a set.
        if path.name not in (REPORT, PAGE):
            folder = "" if path.parent == Path() else f"{path.parent}/"
            sets.setdefault(folder, {})[str(path)] = files.found(path)
    if not sets:
        raise SettingsError("there is no file to check")
    return [_set(folder, list(found.values())) for folder, found in sets.items()]


def _set(folder: str, files: list[UploadedFile]) -> FileSet:
    names = {"set": folder} if folder else {}
    if len(files) > FILE_LIMIT:
        return FileSet("", folder, names, (), more_than=FILE_LIMIT)
    return FileSet("", folder, names, tuple(sorted(files, key=lambda file: file.key)))


@dataclass
class _Files:
    """Files of this machine.

    Attributes:
        most: the size of the largest file that is checked.
        open_files: closes the copies of streams.
    """

    most: int
    open_files: ExitStack
    _copies: dict[str, IO[bytes]] = field(default_factory=dict)

    def found(self, path: Path) -> UploadedFile:
        """Return a file with its size.

        Raises:
            OSError: there is no such file, or it cannot be read.
        """
        key = str(path)
        about = None if key == STANDARD_INPUT else path.stat()
        if about and stat.S_ISREG(about.st_mode):
            return UploadedFile(key, "", about.st_size)
        # The size of a stream is known at its end.
        copy = self._copies[key] = self.open_files.enter_context(TemporaryFile())
        with sys.stdin.buffer if key == STANDARD_INPUT else path.open("rb") as stream:
            while copy.tell() <= self.most and (block := stream.read(BLOCK)):
                copy.write(block)
        size = copy.tell()
        copy.seek(0)
        return UploadedFile(key, "", size)

    def read(self, _bucket: str, file: UploadedFile) -> Generator[bytes]:
        """Yield the bytes of a file in blocks."""
        with self._copies.get(file.key) or Path(file.key).open("rb") as stream:
            yield from iter(lambda: stream.read(BLOCK), b"")


def _write_page(path: str, verdicts: list[Verdict]) -> None:
    if len(verdicts) > 1:
        raise SettingsError(f"--html is for one set, and the files are in {len(verdicts)} folders")
    Path(path).write_text(page_of(verdicts[0], AT_A_DESK), encoding="utf-8")


def _as_json(verdicts: list[Verdict]) -> str:
    sets = [
        {"set": verdict.file_set.prefix, "valid": verdict.valid, "file_set": verdict.report()["file_set"]}
        for verdict in verdicts
    ]
    valid = all(verdict.valid for verdict in verdicts)
    return json.dumps({"valid": valid, "profile": verdicts[0].profile.name, "sets": sets}, indent=2) + "\n"


def _as_text(verdicts: list[Verdict]) -> Iterator[str]:
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    for finding in findings:
        yield from _about(finding)
    wrong = sum(not finding.valid for finding in findings)
    files = "1 file" if len(findings) == 1 else f"{len(findings)} files"
    yield f"{files}, {wrong} with errors" if wrong else f"{files}, all in order"


def _about(finding: FileFinding) -> Iterator[str]:
    count = finding.problem_count
    state = "valid" if finding.valid else "1 error" if count == 1 else f"{count:,} errors"
    yield ", ".join([f"{finding.key}: {state}", *facts_of(finding)])
    if finding.valid:
        return
    for problem in finding.problems:
        yield f"  {problem.text}"
        if place := place_of(problem):
            yield f"    {place}"
    if count > len(finding.problems):
        yield f"  ... and {count - len(finding.problems):,} more errors"
    reasons = [problem.reason for problem in finding.problems]
    yield from (f"  -> {sentence}" for sentence in advice_for(finding) if sentence not in reasons)


def _write(stream: TextIO, text: str) -> None:
    """Write lines; a name or a cell in them cannot control the terminal."""
    stream.write("\n".join(map(printable, text.split("\n"))))


if __name__ == "__main__":
    sys.exit(main())
