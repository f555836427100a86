"""The check at a desk: `python -m tasks.upload_validate`, and `make check`."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.upload_validate.__main__ import main
from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.profile_reader import load_profile
from tests.scripts.test_makefile import make
from tests.upload_validate.conftest import csv_of

ROOT = Path(__file__).parents[2]
SHORT = csv_of() + b"short\n"
SCHEMA = {"fields": [{"name": "houseid", "type": "integer"}, {"name": "street"}, {"name": "postcode"}]}


@pytest.fixture(name="desk")
def folder_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_bytes(csv_of())
    (tmp_path / "short.csv").write_bytes(SHORT)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    return tmp_path


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    return main(list(map(str, arguments)), out, err), out.getvalue(), err.getvalue()


@pytest.mark.usefixtures("desk")
def test_valid_file_is_reported_in_a_line():
    assert run("good.csv") == (
        0,
        "good.csv: valid, 61 rows, utf-8, Idox Eros (Halarose)\n1 file, all in order\n",
        "",
    )


@pytest.mark.usefixtures("desk")
def test_errors_have_the_words_of_the_function_with_line_row_and_advice():
    assert run("good.csv", "short.csv") == (
        1,
        "good.csv: valid, 61 rows, utf-8, Idox Eros (Halarose)\n"
        "short.csv: 1 error, 62 rows, utf-8, Idox Eros (Halarose)\n"
        "  Incomplete file: Expected 3 columns on row 62 found 1\n"
        "    line 62, row 62: short\n"
        "  -> Rows are cut short: export the file again, or complete the rows named below.\n"
        "2 files, 1 with errors\n",
        "",
    )


def test_finding_is_that_of_the_function(desk, profile):
    (desk / "cut.csv").write_bytes(csv_of() + b'1,"2')
    status, out, _ = run("cut.csv", "--json")
    content = (desk / "cut.csv").read_bytes()
    finding = check_file("cut.csv", len(content), [content], profile=profile, limit=50)
    (entry,) = json.loads(out)["sets"][0]["file_set"]
    assert (status, entry["error_count"], entry["csv_rows"]) == (1, 2, finding.rows)
    assert entry["problems"] == [vars(problem) for problem in finding.problems]


@pytest.mark.usefixtures("desk")
def test_json_has_the_sets_and_whether_all_files_are_valid():
    status, out, _ = run("good.csv", "--json")
    found = json.loads(out)
    assert (status, found["valid"], found["profile"]) == (0, True, "polling-stations")
    assert [(one["set"], one["valid"], [file["key"] for file in one["file_set"]]) for one in found["sets"]] == [
        ("", True, ["good.csv"])
    ]
    assert json.loads(run("good.csv", "short.csv", "--json")[1])["valid"] is False


def test_files_of_one_folder_are_a_set(desk):
    for folder in ("one", "two"):
        (desk / folder).mkdir()
        for name in ("a.csv", "b.csv", "report.json"):
            (desk / folder / name).write_bytes(csv_of(header="a,b,xordinate"))
    assert run("one/a.csv", "two/b.csv")[1].count("Expected 2 files, found 1") == 2
    status, out, _ = run("one/a.csv", "two/b.csv", "one/b.csv", "two/a.csv", "two/report.json", "two/a.csv", "--json")
    sets = {one["set"]: [file["key"] for file in one["file_set"]] for one in json.loads(out)["sets"]}
    assert (status, sets) == (0, {"one/": ["one/a.csv", "one/b.csv"], "two/": ["two/a.csv", "two/b.csv"]})


def test_set_of_too_many_files_is_refused_as_by_the_function(desk, monkeypatch):
    monkeypatch.setattr("tasks.upload_validate.__main__.FILE_LIMIT", 2)
    names = [f"{number}.csv" for number in range(3)]
    for name in names:
        (desk / name).write_bytes(csv_of())
    status, out, _ = run(*names)
    assert (status, "Set has more than 2 files and folders: at least 3 were found" in out) == (1, True)


@pytest.mark.usefixtures("desk")
def test_schema_is_checked():
    status, out, _ = run("good.csv", "--schema", "schema.json")
    assert status == 1
    assert '\n  Row 2, column "houseid" is not of type integer: "0 High Street"\n    line 2, row 2: 0 High' in out
    assert "\n  ... and 10 more errors\n" in out


def test_page_is_written(desk):
    assert run("short.csv", "--html", "page.html")[0] == 1
    page = (desk / "page.html").read_text(encoding="utf-8")
    assert "Not valid" in page and "Expected 3 columns on row 62 found 1" in page
    assert "ublished" not in page and "uploaded" not in page
    assert run("good.csv", "--html", "page.html")[0] == 0
    assert "Valid" in (desk / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["none.csv"], "none.csv cannot be opened: No such file or directory"),
        (["folder"], "folder cannot be opened: Is a directory"),
        (["report.json"], "there is no file to check"),
        (["good.csv", "folder/good.csv", "--html", "p.html"], "--html is for one set, and the files are in 2 folders"),
        (["good.csv", "--html", "none/p.html"], "none/p.html cannot be opened: No such file or directory"),
        (["good.csv", "--schema", "none.json"], "none.json cannot be opened: No such file or directory"),
        (["good.csv", "--schema", "good.csv"], "--schema good.csv: it is not JSON (line 1, column 1)"),
        (["good.csv", "--schema", "wrong.json"], "--schema wrong.json: fields is empty"),
        (["good.csv", "--profile", "table-schema"], "--profile table-schema needs --schema FILE"),
        (
            ["good.csv", "--profile", "polling-stations", "--schema", "schema.json"],
            "--profile polling-stations takes no --schema",
        ),
    ],
)
def test_check_that_cannot_run_says_so_in_one_sentence(desk, arguments, sentence):
    (desk / "folder").mkdir()
    (desk / "folder" / "good.csv").write_bytes(csv_of())
    (desk / "wrong.json").write_text('{"fields": []}')
    assert run(*arguments) == (2, "", f"error: {sentence}\n")


@pytest.mark.parametrize("arguments", [[], ["good.csv", "--profile", "none"], ["good.csv", "--nonsense"]])
def test_wrong_option_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err


def test_hostile_name_and_cell_do_not_control_the_terminal(desk):
    name = "\x1b[31m\u202egpj.csv"
    (desk / name).write_bytes(csv_of() + "\x1b[2J\u2028\n".encode())
    status, out, _ = run(name)
    assert status == 1 and all(line.isprintable() for line in out.split("\n"))
    assert all(line.isprintable() for line in run(f"{name}.none")[2].split("\n"))


def test_stream_is_checked_with_its_size(desk, monkeypatch):
    def read(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return json.loads(run("-", "--json")[1])["sets"][0]["file_set"][0]

    good = read(csv_of())
    assert (good["key"], good["csv_valid"], good["size"]) == ("-", True, len(csv_of()))
    assert read(b"a,b,c\n")["errors"] == "Expected file to be at least 1KB"
    # A named pipe has no size either.
    os.mkfifo(desk / "pipe")
    with subprocess.Popen(["cp", "good.csv", "pipe"]):
        assert run("pipe")[0] == 0


def test_stream_over_the_limit_is_not_read_to_its_end(monkeypatch, tmp_path):
    profile = json.loads((ROOT / "tasks/upload_validate/profiles/polling-stations.json").read_text())
    profile["size"]["most"] = 200_000
    monkeypatch.setattr("tasks.upload_validate.profile_reader.PROFILES", tmp_path)
    (tmp_path / "polling-stations.json").write_text(json.dumps(profile))
    stream = io.BytesIO(bytes(1_000_000))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    monkeypatch.setattr(stream, "close", lambda: None)
    status, out, _ = run("-")
    assert (status, "Expected file to be under 150MB" in out, stream.tell() < 500_000) == (1, True, True)


def test_check_runs_on_the_standard_library_alone(desk):
    # -S leaves out all installed packages, and -E all variables of Python; there are no credentials either.
    command = [sys.executable, "-E", "-S", "-m", "tasks.upload_validate", desk / "good.csv"]
    finished = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.endswith("1 file, all in order\n")


def test_schema_at_a_desk_reads_as_the_function_does(desk):
    content = csv_of()
    profile = load_profile("table-schema", "s3://a/b", lambda _: (desk / "schema.json").read_bytes())
    finding = check_file("good.csv", len(content), [content], profile=profile, limit=50)
    (entry,) = json.loads(run("good.csv", "--schema", "schema.json", "--json")[1])["sets"][0]["file_set"]
    assert entry["errors"].split("\n")[:50] == [problem.text for problem in finding.problems]


def test_make_check_checks_each_file(desk):
    finished = make("check", f"FILE={desk / 'good.csv'} {desk / 'short.csv'}")
    assert finished.returncode != 0
    assert "2 files, 1 with errors" in finished.stdout
    assert make("check", f"FILE={desk / 'good.csv'}").returncode == 0


def test_make_check_without_a_file_says_what_is_missing():
    finished = make("check")
    assert finished.returncode != 0
    assert finished.stderr.startswith("error: FILE names no file: make check FILE=stations.csv\n")
