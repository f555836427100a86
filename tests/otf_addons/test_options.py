"""Errors of other S3 add-ons for the framework with options, secrets, log lines and patterns."""

import pytest

from tests.otf_addons.definitions import S3_EXECUTION, destination, source, touch, transfer
from tests.otf_addons.transfers import handler


@pytest.mark.parametrize(
    "where",
    [
        "source",
        "source fileWatch",
        "source conditionals size",
        "source postCopyAction",
        "source protocol",
        "destination",
        "destination flags",
        "destination rename",
        "destination protocol",
    ],
)
def test_option_that_does_not_exist_is_refused_by_name(framework, inbox, outbox, where):
    inbox.put("src/a.txt", b"a")
    given = source(
        inbox.bucket,
        fileWatch={"timeout": 1},
        conditionals={"size": {"gt": 0}},
        postCopyAction={"action": "delete"},
    )
    there = destination(outbox.bucket, flags={"fullPath": "flag"}, rename={"pattern": "a", "sub": "b"})
    there["protocol"].update(access_key_id="AKIA", secret_access_key="very-secret")
    side, *path = where.split()
    part = {"source": given, "destination": there}[side]
    for name in path:
        part = part[name]
    part["directroy"] = "x"

    ran = framework.run(transfer(given, there))

    assert not ran.ok and "directroy" in ran.said
    assert "very-secret" not in ran.said
    assert (inbox.keys_of(), outbox.keys_of()) == (["src/a.txt"], [])


MISSPELT = {"bucket": "buckt", "fileRegex": "fileRegx", "directory": "directroy"}


@pytest.mark.parametrize("option, misspelt", MISSPELT.items())
def test_misspelt_option_is_named_beside_the_missing_one(framework, inbox, outbox, option, misspelt):
    given = source(inbox.bucket)
    given[misspelt] = given.pop(option)

    ran = framework.run(transfer(given, destination(outbox.bucket)))

    assert not ran.ok and f"'{misspelt}' was unexpected" in ran.said


@pytest.mark.parametrize("where", ["execution", "protocol"])
def test_option_of_a_touched_file_that_does_not_exist_is_refused_by_name(framework, inbox, where):
    definition = touch(inbox.bucket, "flag", S3_EXECUTION)
    (definition if where == "execution" else definition["protocol"])["directroy"] = "x"

    ran = framework.run(definition)

    assert not ran.ok and "directroy" in ran.said
    assert inbox.keys_of() == []


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [
        ({"assume_role_arn": "arn", "token_expiry_seconds": 899}, "899"),
        ({"assume_role_arn": "arn", "token_expiry_seconds": 43201}, "43201"),
        ({"access_key_id": "AKIA"}, "secret_access_key"),
        ({"assume_role_external_id": "x"}, "assume_role_arn"),
    ],
    ids=["shorter than STS allows", "longer", "half of the keys", "no role"],
)
def test_protocol_that_cannot_work_is_refused_with_the_reason(framework, inbox, protocol, reason):
    ran = framework.run(touch(inbox.bucket, "flag", **protocol))

    assert not ran.ok and reason in ran.said
    assert inbox.keys_of() == []


def test_no_secret_gets_into_the_log(framework, inbox, outbox):
    inbox.put("src/a.txt", b"a")
    keys = {
        "access_key_id": inbox.keys["aws_access_key_id"],
        "secret_access_key": inbox.keys["aws_secret_access_key"],
        "region_name": "us-east-1",
    }
    definition = transfer(source(inbox.bucket, protocol=keys), destination(outbox.bucket, protocol=keys))
    framework.monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    framework.monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    ran = framework.run(definition)
    detailed = framework.run(definition, verbosity=2)

    assert ran.ok and detailed.ok, ran.said
    assert inbox.keys["aws_secret_access_key"] not in ran.said
    # At a higher level of detail the framework itself logs the definition.
    ours = [line for line in detailed.said.splitlines() if "otf_addons" in line]
    assert ours and not any(inbox.keys["aws_secret_access_key"] in line for line in ours)


HOSTILE = "src/a\r\n2026-11-21 \u2014 INFO - forged\x1b[2J\0\u2028\u202e.txt"


def test_hostile_key_stays_inside_its_log_line(inbox, outbox, caplog):
    giving = handler(source(inbox.bucket, postCopyAction={"action": "move", "destination": "src\n/"}))
    taking = handler(destination(outbox.bucket))
    calls = {
        "copied": lambda: giving.transfer_files([HOSTILE], taking.spec, dest_remote_handler=taking),
        # No path holds NUL.
        "pushed": lambda: taking.push_files_from_worker("", [HOSTILE.replace("\0", "")]),
        "moved": lambda: giving.handle_post_copy_action([HOSTILE]),
        "named twice": lambda: giving.transfer_files([HOSTILE, f"{HOSTILE}/{HOSTILE}"], taking.spec, taking),
    }
    for name, call in calls.items():
        caplog.clear()
        assert call() == 1, name
        assert "forged" in caplog.text, name
        assert all(message.isprintable() for message in caplog.messages), name


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"source": {"fileRegex": "("}}, "'(' is no regular expression"),
        ({"source": {"fileWatch": {"fileRegex": "*"}}}, "'*' is no regular expression"),
        ({"destination": {"rename": {"pattern": "[", "sub": ""}}}, "'[' is no regular expression"),
        ({"destination": {"rename": {"pattern": "a", "sub": r"\1"}}}, "cannot take the place of 'a'"),
    ],
    ids=["regex", "watch", "pattern", "sub"],
)
def test_broken_regular_expression_is_refused_with_a_sentence(framework, inbox, outbox, options, reason):
    inbox.put("src/a.txt", b"a")
    given = source(inbox.bucket, **options.get("source", {}))

    ran = framework.run(transfer(given, destination(outbox.bucket, **options.get("destination", {}))))

    assert not ran.ok and reason in ran.said
    assert outbox.keys_of() == []
