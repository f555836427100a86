"""The command line of `brigade`: global options, the commands, and the exit status."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from ops import commands
from ops.aws import sentence_of
from ops.brigade import Brigade
from ops.errors import ExitStatus, OpsError
from tasks.utils.s3_object import printable

FAILURES = (click.ClickException, OpsError, BotoCoreError, ClientError, ResponseParserError, OSError)

Function = TypeVar("Function", bound=Callable[..., Any])

# `brigade --region X status` and `brigade status --region X` mean the same.
GLOBAL_OPTIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("--json", "as_json"), {"is_flag": True, "help": "Print one JSON object a line."}),
    (("--region",), {"help": "Region of the deployment, as for the AWS CLI."}),
    (("--profile",), {"help": "Profile of the deployment's account, as for the AWS CLI."}),
    (("--endpoint-url",), {"help": "URL of all services, as for the AWS CLI."}),
    (("--destination-profile",), {"help": "Profile of the mirror's account.  [default: the same credentials]"}),
    (("--terraform", "terraform"), {"help": "Folder of the deployment's Terraform.  [default: terraform or .]"}),
    (("--outputs",), {"help": "File that `terraform output -json` wrote, instead of that folder."}),
    (("--deployment",), {"help": "The deployment's name_prefix: find it by its tags, without Terraform."}),
]


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Store a global option, wherever it stands."""
    if value not in (None, False):
        context.find_root().ensure_object(dict)[parameter.name] = value


def _global_options() -> list[click.Option]:
    return [
        click.Option(names, expose_value=False, callback=_remember, **settings) for names, settings in GLOBAL_OPTIONS
    ]


class BrigadeCommand(click.Command):
    """A command that takes the global options too; its function gets the `Brigade` first."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params += _global_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Call the function of the command."""
        brigade = Brigade(**ctx.find_root().ensure_object(dict))
        with ctx:
            return ctx.invoke(self.callback, brigade, **ctx.params) if self.callback else None


class BrigadeGroup(click.Group):
    """Commands that have sub-commands, such as `dead list`."""

    command_class = BrigadeCommand


class _Commands(click.Group):
    """The group of all commands, each of which is loaded when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = import_module(f"ops.commands.{cmd_name}").command
        return found


brigade_command = _Commands(
    "brigade",
    params=list(_global_options()),
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "BRIGADE"},
    help="Look after a deployment of Bucket Brigade: `brigade COMMAND --help` explains each command.\n\n"
    "Exit status: 0 everything is equal or done, 1 differences or dead letters, 2 failure.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and print an error as one sentence.

    Args:
        arguments: the command line without the program's name; None takes that of the process.

    Returns:
        The exit status.
    """
    # At its end Python looks for garbage in all objects: a fifth of a second for those of the AWS clients.
    atexit.register(gc.freeze)
    try:
        result = brigade_command.main(arguments, prog_name="brigade", standalone_mode=False)
        sys.stdout.flush()
        return int(result or ExitStatus.DONE)
    except (BrokenPipeError, SystemExit):
        # click and rich turn a BrokenPipeError into a SystemExit.
        return _forget_output()
    except (click.Abort, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    except FAILURES as error:
        print(printable(f"error: {_reason(error)}"), file=sys.stderr)
        return ExitStatus.FAILED


def _forget_output() -> int:
    """Drop what is not written yet: Python would print an error at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitStatus.PIPE_CLOSED


def _reason(error: Exception) -> str:
    """Return a failure as one sentence."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, (BotoCoreError, ClientError)):
        return sentence_of(error)
    if isinstance(error, ResponseParserError):
        return f"the endpoint is no service of AWS: {' '.join(str(error).split())}"
    if isinstance(error, OSError):
        return f"the output cannot be written: {error.strerror}"
    return str(error)
