import json

import click
import pytest
from botocore.exceptions import ClientError

from ops import cli
from ops.brigade import Brigade
from ops.cli import BrigadeCommand
from ops.errors import ExitStatus, OpsError

HOSTILE = "[red]\x1b[31m\nforged"


@pytest.fixture(name="command")
def command_under_test(monkeypatch):
    """Return a function that makes its argument the command `tried`."""

    def replace(function):
        made = BrigadeCommand("tried", callback=function)
        monkeypatch.setattr(cli.brigade_command, "get_command", lambda context, name: made)

    return replace


@pytest.mark.parametrize("arguments", [["--region", "x", "tried"], ["tried", "--region", "x"]])
def test_global_option_stands_before_or_after_the_command(plain_brigade, command, arguments):
    seen = []
    command(lambda brigade: seen.append(brigade.account.region))
    assert plain_brigade(*arguments) == ExitStatus.DONE
    assert seen == ["x"]


def test_command_sees_the_deployment(brigade, command):
    seen = []
    command(lambda brigade: seen.append(brigade.deployment.mirrors[0].source))
    assert brigade("tried") == 0 and seen == ["source-bucket"]


def test_result_of_the_command_is_the_exit_status(plain_brigade, command):
    command(lambda brigade: ExitStatus.DIFFERENT)
    assert plain_brigade("tried") == 1


def refused():
    return ClientError({"Error": {"Code": "NoSuchBucket", "Message": "The bucket does not exist"}}, "ListObjectsV2")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OpsError("no mirror is deployed"), "error: no mirror is deployed\n"),
        (OpsError(HOSTILE), "error: [red]\\x1b[31m\\nforged\n"),
        (refused(), "error: AWS refuses ListObjectsV2 with NoSuchBucket: The bucket does not exist\n"),
        (click.UsageError("--max is no number"), "error: --max is no number\n"),
    ],
)
def test_error_is_one_sentence_and_status_2(plain_brigade, command, error, sentence):
    def fail(brigade):
        raise error

    command(fail)
    assert plain_brigade("tried") == ExitStatus.FAILED
    assert (plain_brigade.out, plain_brigade.err) == ("", sentence)


def test_interrupt_ends_with_130_and_no_traceback(plain_brigade, command):
    def interrupt(brigade):
        raise KeyboardInterrupt

    command(interrupt)
    assert plain_brigade("tried") == ExitStatus.INTERRUPTED
    assert plain_brigade.err.strip() == "stopped"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
        (["tried"], "no Terraform is here: pass its folder as --terraform"),
        (["--terraform", "nowhere", "tried"], "nowhere"),
        (["--outputs", "nothing.json", "tried"], "nothing.json cannot be read"),
        (["--profile", "unknown", "--deployment", "x", "tried"], "`aws configure list-profiles`"),
    ],
)
def test_mistake_of_the_user_is_one_sentence(plain_brigade, command, arguments, part):
    if arguments != ["nonsense"]:
        command(lambda brigade: brigade.deployment)
    assert plain_brigade(*arguments) == ExitStatus.FAILED
    assert plain_brigade.err.startswith("error: ") and plain_brigade.err.count("\n") == 1
    assert part in plain_brigade.err


def test_help_names_every_global_option_and_prints_no_traceback(plain_brigade):
    assert plain_brigade("--help") == 0
    for names, _ in cli.GLOBAL_OPTIONS:
        assert names[0] in plain_brigade.out


def test_key_of_the_mirror_comes_from_its_secret_and_is_never_quoted(aws, outputs, outputs_file, brigade, command):
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="mirror", SecretString=json.dumps({"accesskey": "AKIAX", "secretaccesskey": "hidden"}))
    outputs["partition_replicate"]["secret"] = "mirror"
    outputs_file.write_text(json.dumps({name: {"value": value} for name, value in outputs.items()}), encoding="utf-8")
    made = []
    command(lambda brigade: made.append(brigade.destination_s3(brigade.deployment.mirrors[0])))
    assert brigade("tried") == 0
    assert made[0].meta.region_name == "us-gov-west-1"

    secrets.put_secret_value(SecretId="mirror", SecretString="hidden and no JSON")
    assert brigade("tried") == 2
    assert "mirror" in brigade.err and "hidden" not in brigade.err


def test_record_is_one_line_of_ascii_whatever_it_holds(capsys):
    Brigade(as_json=True).screen.record({"key": HOSTILE + "é"})
    printed = capsys.readouterr().out
    assert printed.isascii() and printed.count("\n") == 1
    assert json.loads(printed) == {"key": HOSTILE + "é"}


def test_table_shows_hostile_cells_as_they_are(capsys):
    Brigade().screen.table({"key": "left"}, [[HOSTILE]], title="keys")
    assert capsys.readouterr().out.splitlines()[-1].strip() == "[red]\\x1b[31m\\nforged"
