"""The destination's role: assumed across partitions with a token, renewed in time, no key anywhere."""

import pytest
from moto.core.utils import utcnow
from moto.sts.models import sts_backends

from tasks.object_clerk.transport import clients
from tests.partition_replicate.conftest import SECRET
from tests.partition_replicate.federation import AUDIENCE, Federation


@pytest.fixture(name="federation")
def federation_of_two_partitions(world, environment, monkeypatch):
    federation = Federation(world)
    session = federation.session()
    monkeypatch.setattr(clients, "session", lambda: session)
    environment(DEST_ROLE_ARN=federation.mirror, DEST_TOKEN_AUDIENCE=AUDIENCE, DEST_SECRET="", LOGGING_LEVEL="DEBUG")
    return federation


def test_objects_are_mirrored_by_a_role_without_any_key(world, federation):
    world.secrets.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    large = bytes(6 * 1024 * 1024)
    assert federation.replicate(world.put("a.txt", b"1"), world.put("large", large)) == []
    assert (world.mirrored("a.txt"), world.mirrored("large")) == (b"1", large)
    assert federation.replicate(world.tag("a.txt", state="tagged"), world.delete("large")) == []
    assert (world.tags("a.txt"), world.mirrored("large")) == ({"state": "tagged"}, None)
    assert federation.exchanges() == 1


def test_token_is_asked_for_and_exchanged_as_aws_says(world, federation):
    federation.replicate(world.put("a.txt"))
    token, exchange = federation.sent
    assert (token.host, exchange.host) == ("sts.eu-west-1.amazonaws.com", "sts.us-gov-west-1.amazonaws.com")
    assert (token.signed, exchange.signed) == (True, False)
    assert [value for name, value in token.asked.items() if name.startswith("Audience")] == [AUDIENCE]
    assert (token.asked["DurationSeconds"], token.asked["SigningAlgorithm"]) == ("300", "ES384")


WRONG = {
    Federation.disabled: "aws iam enable-outbound-web-identity-federation",
    Federation.without_permission: "the function's role has sts:GetWebIdentityToken",
    Federation.with_another_audience: "Incorrect token audience",
    Federation.without_provider: "No OpenIDConnect provider found in your account for https://",
    Federation.with_another_subject: "the subject arn:aws:iam::123456789012:role/function",
}


@pytest.mark.parametrize("make_wrong", WRONG, ids=lambda make_wrong: make_wrong.__name__)
def test_wrong_set_up_makes_no_dead_letter_and_says_what_to_check(world, federation, capsys, make_wrong):
    put_right = make_wrong(federation)
    events = [world.put("a.txt"), world.put("b.txt")]
    assert federation.replicate(*events) == [0, 1]
    assert world.dead_letters() == []
    said = capsys.readouterr().out
    assert WRONG[make_wrong] in said
    assert AUDIENCE in said
    if federation.tokens():
        assert federation.issuer in said and federation.function in said
    put_right()
    assert federation.replicate(*events) == []
    assert world.mirrored("a.txt") == b"bytes"


def test_neither_tokens_nor_keys_are_logged(world, federation, capsys):
    federation.replicate(world.put("a.txt"))
    federation.with_another_subject()
    federation.replicate(world.put("b.txt"))
    said = capsys.readouterr()
    assert federation.tokens()
    for secret in (*federation.tokens(), "ASIA", "eyJ"):
        assert secret not in said.out + said.err


def test_session_that_ended_at_the_destination_is_replaced(world, federation, monkeypatch):
    monkeypatch.setattr("tasks.utils.mirror_credentials.NEW_SECONDS", -1)
    federation.replicate(world.put("a.txt"))
    sts_backends["123456789012"]["aws-us-gov"].assumed_roles[-1].expiration = utcnow()
    assert federation.replicate(world.put("a.txt", b"after"), world.put("b.txt")) == []
    assert (world.mirrored("a.txt"), world.mirrored("b.txt")) == (b"after", b"bytes")
    assert federation.exchanges() == 2


# The statuses are those of S3's API Reference, "Error responses". The answer to a HEAD has nothing else.
@pytest.mark.parametrize("status, code", [(400, "ExpiredToken"), (400, "InvalidToken"), (403, "InvalidAccessKeyId")])
def test_refused_session_is_replaced_by_one_new_one(world, federation, status, code, monkeypatch):
    monkeypatch.setattr("tasks.utils.mirror_credentials.NEW_SECONDS", -1)
    event = world.put("a.txt")
    # A new object is written, and what is delivered again is looked at first.
    for events in ([event], [event, world.put("b.txt")]):
        federation.replicate(world.put("warm up"))
        federation.refuse_the_session(status, code)
        assert federation.replicate(*events) == []
    assert (world.mirrored("a.txt"), world.mirrored("b.txt")) == (b"bytes", b"bytes")
    assert world.dead_letters() == []
    assert federation.exchanges() == 3


def test_new_session_that_is_refused_is_not_replaced_by_another(world, federation, capsys):
    federation.replicate(world.put("a.txt"))
    federation.refuse_the_session(403, "InvalidAccessKeyId")
    assert federation.replicate(world.put("a.txt", b"after"), world.put("b.txt")) == [0, 1]
    assert federation.exchanges() == 1
    assert world.dead_letters() == []
    said = capsys.readouterr().out
    assert f"refuses new credentials of the role {federation.mirror}: check what the role's policy" in said
