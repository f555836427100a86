"""The output of the demo in a pipe, and the rows of the results of all tasks."""

import io
import json

import pytest
from rich.console import Console

from local.demo import results
from local.demo.external_services import ExternalServices
from local.demo.lines import fields
from local.demo.screen import Screen
from local.deployment import Progress

PREFIX = "E06000023/2026-05-07/2026-03-02T11:00:00Z/"


@pytest.fixture(name="pipe")
def text_of_a_pipe():
    return io.StringIO()


@pytest.fixture(name="screen")
def screen_on_a_pipe(pipe):
    return Screen(Console(file=pipe, highlight=False))


def test_table_in_a_pipe_has_its_headings_and_each_column_in_its_place(screen, pipe):
    with screen.table({"key": "left", "destination": "left", "attempts": "right"}) as add:
        add(["a", "granules", "1"], colour="green")
        add(["documents/🪣🪣 [bold].csv", "x", "2"], colour="green")
    heads, first, second = pipe.getvalue().splitlines()
    assert heads.split() == ["key", "destination", "attempts"]
    assert heads.index("destination") == first.index("granules")
    # Each bucket takes two columns of a terminal.
    assert second.index("x") == first.index("granules") - 2
    assert "[bold]" in second


def test_longer_cell_moves_only_its_own_row(screen, pipe):
    add = screen.rows({"key": "left", "mirror": "left"})
    add(["k" * 100, "replicated"], colour="green")
    assert pipe.getvalue().splitlines()[1] == f"{'k' * 100}  replicated"


def test_line_after_a_wait_names_what_is_up_and_what_is_made(screen, pipe):
    with screen.waiting("archive_copy is up"):
        screen.progress(Progress(7, 9, "module.x"))
    assert pipe.getvalue().startswith("Terraform: 7 of 9 resources made after ")
    assert pipe.getvalue().endswith(" s: archive_copy is up\n")


def rows_of(*reports, **record):
    rows = results.rows_of(fields(json.dumps(record)), ExternalServices(reports=list(reports)))
    return [list(cells) for cells, _ in rows]


def report(*errors):
    files = [{"key": f"{PREFIX}{number}.csv", "errors": text} for number, text in enumerate(errors)]
    return {"set": PREFIX, "file_set": files}


def test_valid_upload_has_a_row():
    found = rows_of(service="upload_validate", level="INFO", message="published", set=PREFIX, files=2, errors=0)
    assert found == [["upload_validate", "published", PREFIX, "2 files"]]


def test_rejected_upload_has_a_row_for_each_error_of_its_latest_report():
    earlier, latest = report("old"), report("File is empty", "", "first\nsecond \x1b[31m")
    found = rows_of(
        earlier, latest, service="upload_validate", level="INFO", message="rejected again", set=PREFIX, files=3
    )
    assert found == [
        ["upload_validate", "rejected again", PREFIX, "0.csv: File is empty"],
        ["", "", "", "2.csv: first"],
        ["", "", "", "2.csv: second \\x1b[31m"],
    ]


def test_rejected_upload_without_a_report_has_a_row():
    assert rows_of(service="upload_validate", level="INFO", message="rejected", set=PREFIX, files=1)


def test_upload_under_a_malformed_prefix_has_a_row_with_the_reason():
    found = rows_of(
        service="upload_validate",
        level="INFO",
        message="nothing to do",
        object="s3://uploads/no-such-folder/a.csv",
        event="ObjectCreated:Put",
        reason="its key is not of the form {gss}/{file}",
    )
    assert found == [
        [
            "upload_validate",
            "nothing to do",
            "s3://uploads/no-such-folder/a.csv",
            "its key is not of the form {gss}/{file}",
        ]
    ]


def test_dead_letter_without_a_key_has_a_row_with_its_reason():
    found = rows_of(
        service="archive_copy",
        level="ERROR",
        message="dead-lettered",
        message_id="id",
        reason="the message is not JSON",
    )
    assert found == [["archive_copy", "dead-lettered", "id", "the message is not JSON"]]


def test_failure_shows_its_reason_and_not_the_destination_that_it_did_not_reach():
    line = {"service": "archive_copy", "key": "a\nb", "destination": "s3://archive/a"}
    assert rows_of(**line, level="ERROR", message="will be retried", reason="SlowDown") == [
        ["archive_copy", "will be retried", "a\\nb", "SlowDown"]
    ]
    assert rows_of(**line, level="INFO", message="archived") == [
        ["archive_copy", "archived", "a\\nb", "s3://archive/a"]
    ]


@pytest.mark.parametrize("record", [{}, {"message": "this server does not know conditional writes"}, {"key": "a"}])
def test_line_about_no_object_has_no_row(record):
    assert rows_of(**record) == []
