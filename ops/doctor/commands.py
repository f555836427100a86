"""The commands that settle a finding, to paste into a shell."""

from __future__ import annotations

import json
import shlex
from typing import Any


def apply(address: str) -> str:
    """Return the command that restores one resource of Terraform."""
    return f"terraform apply -target={shlex.quote(address)}"


def aws(*words: str, **options: Any) -> str:
    """Return a command of the AWS CLI.

    Args:
        words: service, command and flags.
        options: options, with `_` for `-`; None leaves an option out, and anything but a text is written as JSON.
    """
    given = {name: value for name, value in options.items() if value is not None}
    texts = [f"--{name.replace('_', '-')} {shlex.quote(_text(value))}" for name, value in given.items()]
    return " ".join(["aws", *words, *texts])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
