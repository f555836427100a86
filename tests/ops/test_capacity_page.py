"""docs/capacity.md shows what the command prints."""

import shlex

import pytest

from tests.support.snippets import blocks

PAGE = "docs/capacity.md"


def examples(page=PAGE):
    """Return each command of the page with the block that follows it."""
    found = blocks(page)
    return [(text, found[at + 1]) for at, (language, text) in enumerate(found) if language == "sh"]


@pytest.mark.parametrize(("command", "shown"), examples(), ids=lambda value: str(value)[:60])
def test_block_equals_the_output_of_the_command_above_it(plain_brigade, command, shown):
    words = shlex.split(command)
    assert words[0] == "brigade"
    plain_brigade(*words[1:])
    assert shown == ("text", "\n".join(line.rstrip() for line in plain_brigade.out.splitlines()) + "\n")


def test_page_shows_the_workloads_that_people_ask_for():
    commands = " ".join(command for command, _ in examples())
    assert all(part in commands for part in ("--events-per-day 1M", "--objects 1B", "--object-size 1TB", "--bytes 1PB"))


@pytest.mark.parametrize("command", [text for language, text in blocks("docs/brigade.md") if "estimate --" in text])
def test_commands_of_the_handbook_run(plain_brigade, command):
    for line in command.splitlines():
        if line.startswith("brigade estimate"):
            assert plain_brigade(*shlex.split(line)[1:]) == 0
