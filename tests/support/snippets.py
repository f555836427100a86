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
    text = (ROOT / path).read_text(encoding="utf-8")
    fenced = [(found.start(), found[1], found[2]) for found in FENCED.finditer(text)]
    # Text within a fence is no indented block.
    masked = FENCED.sub(lambda found: "x" * len(found[0]), text)
    indented = [
        (found.start(), "", re.sub("^ {4}", "", found[0], flags=re.MULTILINE)) for found in INDENTED.finditer(masked)
    ]
    blocks = sorted(fenced + indented)
    return [
        block for _, language, block in blocks if language not in OTHER_LANGUAGES and not SETS_A_VARIABLE.match(block)
    ]


class Terminal:  # pylint: disable=too-few-public-methods  # it only runs commands
    """A shell in a folder, with its own environment and with stand-ins for `aws` and `jq`."""

    def __init__(self, folder, tools, environment):
        self._folder = folder
        tools.mkdir()
        for name, module in (("aws", "tests.support.aws_cli"), ("jq", "tests.support.jq")):
            tool = tools / name
            tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n', encoding="utf-8")
            tool.chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        path = os.pathsep.join([str(tools), inherited["PATH"]])
        self._environment = {**inherited, **environment, "PATH": path, "PYTHONPATH": str(ROOT)}

    def run(self, *snippets):
        """Run commands one after the other in one shell, and return their output; each must succeed."""
        script = "\n".join(f"set -eu -o pipefail\n: snippet {number}\n{text}" for number, text in enumerate(snippets))
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
