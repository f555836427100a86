"""Mistakes of users and failures of the world, with every command: one sentence, and the right exit status."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import attrgetter
from pathlib import Path

import pytest

from ops import letter_reader
from ops.errors import ExitStatus
from tests.conftest import session_of_the_tasks
from tests.ops.conftest import (
    ARCHIVE,
    FINAL,
    MIRROR,
    NAME,
    REGION,
    RESTORED,
    SOURCE,
    UPLOADS,
    Run,
    deploy,
    write_outputs,
)
from tests.ops.every_command import ARGUMENTS, commands
from tests.ops.letters import Letters
from tests.ops.test_prove import rule
from tests.support.mocked import patched_aws
from tests.support.server import running, send

ROOT = Path(__file__).parents[2]
CODE, TEXT = "ExpiredToken", "The provided token has expired"
NOWHERE = "http://127.0.0.1:9"

# It asks AWS nothing, unless a deployment is named.
OFFLINE = "estimate"
# Commands that look at no bucket.
WITHOUT_BUCKETS = {OFFLINE, "backfill cancel", "backfill status", "dead list", "dead redrive", "dead show", "status"}
# `backfill start` says what it is about to do.
REMARK = f"{NAME}-partition-replicate gets every object of"
# Options of which every text is right. Any other option refuses the text `nonsense`.
FREE = {"combined", "csv_file", "error", "key", "prefix", "reason", "report"}

COMMANDS = list(commands())
NAMES = attrgetter("name")
every_command = pytest.mark.parametrize("command", COMMANDS, ids=NAMES)


@pytest.fixture(name="deployed", scope="module")
def deployment_of_all_tests(tmp_path_factory):
    """Return the file of a deployment that has an object and a dead letter; no test changes it."""
    with patched_aws():
        aws = session_of_the_tasks()
        outputs = deploy(aws)
        aws.client("s3").put_object(Bucket=SOURCE, Key="key", Body=b"1")
        rule(aws)
        Letters(aws.client("sqs"), outputs).archive("a.txt")
        yield write_outputs(tmp_path_factory.mktemp("deployment"), outputs)


@pytest.fixture(name="brigade")
def command_without_waits(deployed, capsys, monkeypatch):
    monkeypatch.setattr(letter_reader, "WAIT_SECONDS", 0)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    return Run(capsys, ["--outputs", str(deployed), "--region", REGION])


def assert_fails(brigade, command, *parts, more=()):
    """Run a command that fails; its sentence has some parts."""
    assert brigade(*command.words, *more) == ExitStatus.FAILED, brigade.out
    *remarks, sentence = brigade.err.splitlines()
    assert all(remark.startswith(REMARK) for remark in remarks), brigade.err
    assert sentence.startswith("error: ") and all(part in sentence for part in parts), brigade.err
    assert brigade.out == ""


@every_command
def test_help_shows_usage_and_options(brigade, command):
    assert brigade(*command.name.split(), "--help") == 0
    assert brigade.out.startswith(f"Usage: brigade {command.name} [OPTIONS]") and brigade.err == ""
    assert all(option.opts[0] in brigade.out for option in command.options)


@every_command
def test_missing_credentials_are_named(brigade, command, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    assert_fails(brigade, command, "no AWS credentials are found: set AWS_PROFILE")


@every_command
def test_unknown_deployment_is_named(brigade, command):
    brigade.options = ["--deployment", "nowhere", "--region", REGION]
    assert_fails(brigade, command, f"no function in {REGION} has the tag", "=nowhere")


@every_command
def test_other_region_is_named_with_the_right_one(brigade, command):
    assert_fails(brigade, command, f"is in {REGION}, not in eu-north-1", more=["--region", "eu-north-1"])


@every_command
def test_endpoint_that_nothing_listens_at_is_named(brigade, command):
    assert_fails(
        brigade, command, f'Could not connect to the endpoint URL: "{NOWHERE}', more=["--endpoint-url", NOWHERE]
    )


@every_command
def test_refused_credentials_are_named(brigade, command):
    with endpoint(refuse) as url:
        assert_fails(brigade, command, f"with {CODE}: {TEXT}", more=["--endpoint-url", url])


@every_command
def test_web_page_instead_of_aws_is_named(brigade, command):
    with endpoint(show_page) as url:
        assert_fails(brigade, command, "no service of AWS", more=["--endpoint-url", url])


@every_command
def test_endpoint_that_is_no_url_is_named(brigade, command):
    assert_fails(brigade, command, "Invalid endpoint: nonsense", more=["--endpoint-url", "nonsense"])


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.name not in WITHOUT_BUCKETS], ids=NAMES)
def test_bucket_that_does_not_exist_is_named(brigade, deployed, command, tmp_path):
    text = deployed.read_text(encoding="utf-8")
    for bucket in (SOURCE, MIRROR, RESTORED, ARCHIVE, UPLOADS, FINAL):
        text = text.replace(f'"{bucket}"', '"no-such-bucket"')
    file = tmp_path / "outputs.json"
    file.write_text(text, encoding="utf-8")
    words = [word.replace(SOURCE, "no-such-bucket") for word in command.dry_words]
    if command.name == "doctor":
        assert brigade(*words, "--outputs", str(file)) == ExitStatus.DIFFERENT
        assert "no-such-bucket does not exist" in brigade.out
    else:
        assert brigade(*words, "--outputs", str(file)) == ExitStatus.FAILED
        assert "no-such-bucket" in brigade.err.splitlines()[-1] and brigade.err.count("error: ") == 1


@pytest.mark.parametrize(
    ("command", "option"),
    [(command, each) for command in COMMANDS for each in command.options if each.name not in FREE],
    ids=NAMES,
)
def test_value_that_an_option_does_not_take_is_named(brigade, command, option):
    assert_fails(brigade, command, more=[option.opts[0], "nonsense"])
    assert "nonsense" in brigade.err or option.opts[0] in brigade.err


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.words[-1] in ARGUMENTS.values()], ids=NAMES)
def test_argument_that_is_missing_is_named(brigade, command):
    assert brigade(*command.name.split()) == ExitStatus.FAILED
    assert brigade.err.startswith("error: Missing argument '") and brigade.err.count("\n") == 1


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.name != OFFLINE], ids=NAMES)
def test_ctrl_c_during_a_request_ends_with_status_130(brigade, command, ctrl_c):
    ctrl_c()
    # Nothing is written: the tests of this module share one deployment, in any order.
    assert brigade(*command.dry_words) == ExitStatus.INTERRUPTED
    assert brigade.err.endswith("stopped\n") and "Traceback" not in brigade.err


@every_command
@pytest.mark.parametrize("form", ["text", "json"])
def test_reader_that_has_ended_ends_the_command_silently(brigade, command, form, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    # There is no job, so these print nothing.
    silent = {("backfill cancel", form): ExitStatus.FAILED, ("backfill status", "json"): ExitStatus.DONE}
    wanted = silent.get((command.name, form), ExitStatus.PIPE_CLOSED)
    with open(writer, "w", encoding="utf-8") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert brigade(*command.dry_words, *(["--json"] if form == "json" else [])) == wanted


def test_process_whose_reader_has_ended_prints_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "ops", "estimate", "--objects", "1M", "--object-size", "1MB"]
    with open(writer, "wb") as closed:
        done = subprocess.run(words, cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (ExitStatus.PIPE_CLOSED, b"")


@contextmanager
def endpoint(answer):
    """Run a server that answers every request with a function; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_request(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_request

        def log_message(self, format, *args):  # pylint: disable=redefined-builtin  # the name in http.server
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


def show_page(handler):
    send(handler, 200, {"Content-Type": "text/html; charset=utf-8"}, b"<html><body>Welcome to nginx!</body></html>")


def refuse(handler):
    """Refuse a request in the form of its service."""
    kind = handler.headers.get("Content-Type") or ""
    error = f"<Error><Code>{CODE}</Code><Message>{TEXT}</Message></Error>"
    if "json" in kind or "/2015-03-31/" in handler.path:
        body = json.dumps({"__type": CODE, "message": TEXT}).encode()
    elif "cbor" in kind:
        body = b"\xa2" + b"".join(map(cbor, ("__type", CODE, "message", TEXT)))
    elif "urlencoded" in kind or "/v20180820/" in handler.path:
        body = f"<ErrorResponse>{error}</ErrorResponse>".encode()
    else:
        body = error.encode()
    send(handler, 403, {"x-amzn-ErrorType": CODE, "smithy-protocol": "rpc-v2-cbor"}, body)


def cbor(text):
    return bytes([0x78, len(text)]) + text.encode()
