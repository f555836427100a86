"""All commands of `brigade`, found in its command line: a new command is tried like the others."""

from dataclasses import dataclass

import click

from ops.cli import brigade_command
from tests.ops.conftest import SOURCE

# What a command needs besides its name: its arguments by name, and the options without which it refuses to work.
ARGUMENTS = {"address": f"s3://{SOURCE}/key", "job": "no-such-job"}
OPTIONS = {"estimate": ("--objects", "1", "--object-size", "1MB"), "backfill start": ("--task", "partition_replicate")}


@dataclass(frozen=True)
class Found:
    """A command.

    Attributes:
        name: its name, with that of its group.
        command: the command as click has it.
    """

    name: str
    command: click.Command

    @property
    def words(self):
        """The shortest command line that works, which asks nothing."""
        arguments = [each.name for each in self.command.params if isinstance(each, click.Argument) and each.required]
        return [
            *self.name.split(),
            *map(ARGUMENTS.get, arguments),
            *OPTIONS.get(self.name, ()),
            *self._flag("yes", "--yes"),
        ]

    @property
    def dry_words(self):
        """The same, which writes nothing."""
        return [*self.words, *self._flag("dry_run", "--dry-run")]

    @property
    def options(self):
        """Its own options that take a value."""
        own = [each for each in self.command.params if isinstance(each, click.Option) and each.expose_value]
        return [each for each in own if not each.is_flag]

    def _flag(self, name, flag):
        return [flag] if any(each.name == name for each in self.command.params) else []


def commands(group=brigade_command, prefix=""):
    """Yield every command that does something."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield Found(prefix + name, command)
