"""Runs `brigade` against a stage, as the person on call does."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from ops.cli import main


class Answer(NamedTuple):
    """What a command answered: its exit status, the records of `--json`, and what it printed for a person."""

    status: int
    records: list
    printed: str


def brigade(options, *arguments):
    """Run a command with `--json`.

    Args:
        options: the options that name the deployment.
        *arguments: the command and its own options.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([*options, "--json", *arguments])
    return Answer(status, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue())
