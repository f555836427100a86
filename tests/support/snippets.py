"""The commands of the documentation, and a terminal to run them in."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.+\n(?:\n(?= {4}))?)+", re.MULTILINE)

# A block is a command, unless it names another language or sets a variable of Terraform.
OTHER_LANGUAGES = ("hcl", "json", "text")
SETS_A_VARIABLE = re.compile(r"\w+ += ")


def shell_snippets(path):
    """Return the blocks of a Markdown file that are commands, in order."""
    return [
        text for language, text in blocks(path) if language not in OTHER_LANGUAGES and not SETS_A_VARIABLE.match(text)
    ]


def blocks(path):
    """Return language and text of each block of a Markdown file, in order."""
    text = (ROOT / path).read_text(encoding="utf-8")
    fenced = [(found.start(), found[1], found[2]) for found in FENCED.finditer(text)]
    # Text within a fence is no indented block.
    masked = FENCED.sub(lambda found: "x" * len(found[0]), text)
    indented = [
        (found.start(), "", re.sub("^ {4}", "", found[0], flags=re.MULTILINE)) for found in INDENTED.finditer(masked)
    ]
    return [(language, text) for _, language, text in sorted(fenced + indented)]


class Terminal:  # pylint: disable=too-few-public-methods  # it only runs commands
    """A shell in a folder, with `brigade`, and stand-ins for `aws` and `jq`.

    Args:
        folder: The folder.
        tools: A folder that does not exist yet, for the stand-ins.
        preamble: Lines that a user pastes first.
    """

    def __init__(self, folder, tools, preamble):
        self._folder = folder
        self._preamble = preamble
        tools.mkdir()
        for name, module in (("aws", "tests.support.aws_cli"), ("jq", "tests.support.jq")):
            tool = tools / name
            tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n', encoding="utf-8")
            tool.chmod(0o755)
        # Status 1 says that there are dead letters or differences. That is a result, and no failure of the snippet.
        brigade = tools / "brigade"
        brigade.write_text(f'#!/bin/sh\n{sys.executable} -m ops "$@" || [ $? -eq 1 ]\n', encoding="utf-8")
        brigade.chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        path = os.pathsep.join([str(tools), inherited["PATH"]])
        self._environment = {**inherited, "PATH": path, "PYTHONPATH": str(ROOT)}

    def run(self, *snippets):
        """Run commands one after the other in one shell, and return their output; each must succeed."""
        texts = ["\n".join(self._preamble), *snippets]
        script = "\n".join(f"set -eu -o pipefail\n: snippet {number}\n{text}" for number, text in enumerate(texts))
        done = subprocess.run(
            ["bash", "-x"],
            input=script,
            cwd=self._folder,
            env=self._environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout
