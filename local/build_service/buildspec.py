"""A buildspec, version 0.2, and the commands of its phases.

CodeBuild User Guide, Build specification reference for CodeBuild.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# The phases with commands, in order.
PHASES = ("install", "pre_build", "build", "post_build")

# Names that each shell sets for itself.
_OF_THE_SHELL = frozenset({"_", "OLDPWD", "PWD", "SHLVL"})


class InvalidBuildspec(Exception):
    """The sources have no buildspec that this service can run; the message says why."""


@dataclass(frozen=True)
class Buildspec:
    """The parts of a buildspec that this service runs.

    Attributes:
        variables: The environment variables that it sets.
        exported: The names of the variables that a build exports.
        commands: Phase -> its commands.
    """

    variables: Mapping[str, str]
    exported: tuple[str, ...]
    commands: Mapping[str, tuple[str, ...]]


def read_buildspec(sources: Path) -> Buildspec:
    """Read `buildspec.yml` in the root of the sources.

    Raises:
        InvalidBuildspec: There is none, or its version is another one.
    """
    try:
        content: dict[str, Any] = yaml.safe_load((sources / "buildspec.yml").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidBuildspec("YAML_FILE_ERROR: the sources have no buildspec.yml") from error
    if str(content.get("version")) != "0.2":
        raise InvalidBuildspec(f"YAML_FILE_ERROR: the version of buildspec.yml is {content.get('version')}, not 0.2")
    settings, phases = content.get("env", {}), content["phases"]
    return Buildspec(
        {name: str(value) for name, value in settings.get("variables", {}).items()},
        tuple(settings.get("exported-variables", ())),
        {name: tuple(phases[name]["commands"]) for name in PHASES if name in phases},
    )


@dataclass
class Shell:
    """The shell of a build: each phase goes on with the variables that earlier phases exported.

    Attributes:
        folder: The working folder.
        environment: The environment variables.
        on_line: A callback that gets each line of output.
    """

    folder: Path
    environment: dict[str, str]
    on_line: Callable[[str], None]

    def start(self, commands: tuple[str, ...]) -> "subprocess.Popen[str]":
        """Start the commands of a phase in one shell, which ends at the first failure."""
        return subprocess.Popen(
            ["/bin/sh", "-c", "\n".join(self._script(commands))],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> int:
        """Forward the output of a phase up to its end, and return its exit status."""
        for line in process.stdout or ():
            self.on_line(line.rstrip("\n"))
        status = process.wait()
        if self._saved.exists():
            saved = json.loads(self._saved.read_text(encoding="utf-8"))
            self.environment = {name: value for name, value in saved.items() if name not in _OF_THE_SHELL}
        return status

    @property
    def _saved(self) -> Path:
        return self.folder.with_name("environment.json")

    def _script(self, commands: tuple[str, ...]) -> Iterator[str]:
        save = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
        yield f"trap {shlex.quote(f'{shlex.join(save)} > {shlex.quote(str(self._saved))}')} EXIT"
        yield "set -e"
        for command in commands:
            yield f"echo {shlex.quote(f'[Container] Running command {command}')}"
            yield command
