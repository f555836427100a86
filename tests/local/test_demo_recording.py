"""The picture of the demo for the README."""

import re
from pathlib import Path
from xml.etree import ElementTree

from local.demo.recording import COLUMNS, ROWS, Recording

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "demo.svg"

# Paths of home and temporary folders, local addresses, access keys, and any resource that a viewer would have to load.
OF_A_MACHINE = re.compile(
    r"/home/|/tmp/|/root|/work|/Users/|127\.0\.0\.1|localhost|AKIA|ASIA|url\(.?https?:|@font-face"
)


def words_of(picture):
    """Return the text of a picture, line by line; raise an error if it is not well-formed XML."""
    root = ElementTree.fromstring(picture)
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    return "\n".join(texts).replace("\N{NO-BREAK SPACE}", " ")


def recorded(tmp_path, *lines, rows=()):
    recording = Recording("make demo")
    for line in lines:
        recording.line(line, "default")
    if rows:
        recording.table({"key": "left", "seconds": "right"}, [((key, "1.00"), "green") for key in rows])
    recording.save(tmp_path / "images" / "demo.svg")
    return (tmp_path / "images" / "demo.svg").read_text(encoding="utf-8")


def test_picture_of_the_readme_names_every_task_and_its_result():
    text = words_of(PICTURE.read_text(encoding="utf-8"))
    assert "make demo" in text
    for words in ("archive_copy", "partition_replicate", "upload_validate", "0 lost", "0 differences", "5 sets judged"):
        assert words in text


def test_picture_of_the_readme_is_small_and_shows_nothing_of_a_machine():
    picture = PICTURE.read_text(encoding="utf-8")
    assert len(picture.encode()) < 200_000
    assert OF_A_MACHINE.findall(picture) == []


def test_same_lines_give_the_same_picture(tmp_path):
    lines = ("first <line> & [bold]markup[/]", "second")
    assert recorded(tmp_path, *lines, rows=["a"]) == recorded(tmp_path, *lines, rows=["a"])
    assert "first <line> & [bold]markup[/]" in words_of(recorded(tmp_path, *lines))


def test_long_line_is_cut_at_the_margin(tmp_path):
    text = words_of(recorded(tmp_path, "x" * (COLUMNS + 1)))
    assert "x" * (COLUMNS - 1) + "…" in text
    assert "x" * COLUMNS not in text


def test_long_table_has_its_first_rows_and_the_number_of_the_others(tmp_path):
    text = words_of(recorded(tmp_path, rows=[f"key-{number}" for number in range(ROWS + 2)]))
    assert f"key-{ROWS - 1}" in text
    assert f"key-{ROWS}" not in text
    assert "… and 2 more" in text
