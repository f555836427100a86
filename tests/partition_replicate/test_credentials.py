"""The other partition's keys: read when they are needed, read again when they are refused, never logged or stored."""

import json
from types import SimpleNamespace

import pytest

from tasks.object_clerk.transport import clients
from tasks.utils.errors import SecretError
from tasks.utils.mirror_credentials import of_user
from tests.conftest import session_of_the_tasks
from tests.partition_replicate.conftest import KEYS, MIRROR_REGION, SECRET

ROTATED = {"accesskey": "AKIAROTATED", "secretaccesskey": "another-secret-one"}


@pytest.fixture(name="destination")
def destination_that_knows_one_key(world):
    """Refuse each request without the valid key, and count how often the secret is read."""

    door = SimpleNamespace(valid=KEYS["accesskey"], code="InvalidAccessKeyId", readings=0)

    def check(request, **_):
        key = request.headers.get("Authorization", b"")
        key = key.decode() if isinstance(key, bytes) else key
        if MIRROR_REGION in key and door.valid not in key:
            return refusal(request, door.code)
        return None

    def count(**_):
        door.readings += 1

    events = session_of_the_tasks().events
    events.register_first("before-send.s3", check)
    events.register("before-send.secretsmanager", count)
    assert world.mirrored("a.txt") is None
    yield door
    events.unregister("before-send.s3", check)
    events.unregister("before-send.secretsmanager", count)


def refusal(request, code):
    """An answer as botocore reads it; that to a HEAD has no body."""
    body = f"<Error><Code>{code}</Code><Message>The key is not known</Message></Error>".encode()
    content = b"" if request.method == "HEAD" else body
    return SimpleNamespace(status_code=403, headers={}, raw=None, content=content, text=content.decode())


def rotate(world, keys):
    world.secrets.put_secret_value(SecretId=SECRET, SecretString=keys if isinstance(keys, str) else json.dumps(keys))


def test_secret_is_read_once_for_many_batches(world, destination):
    for number in range(3):
        assert world.replicate(world.put(f"{number}.txt"), world.put(f"{number}.csv")) == []
    assert destination.readings == 1


def test_clients_are_made_once_for_many_records(world, monkeypatch):
    make, made = clients.client, []
    monkeypatch.setattr(clients, "client", lambda service, **options: made.append(service) or make(service, **options))
    for number in range(2):
        world.replicate(*(world.put(f"{number}-{record}.txt") for record in range(3)))
    # Source and destination; the table; the secret.
    assert sorted(made) == ["dynamodb", "s3", "s3", "secretsmanager"]


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"])
def test_keys_that_were_rotated_are_read_anew(world, destination, code):
    world.replicate(world.put("a.txt", b"before"))
    rotate(world, ROTATED)
    destination.valid, destination.code = ROTATED["accesskey"], code
    assert world.replicate(world.put("a.txt", b"after"), world.put("b.txt")) == []
    assert world.mirrored("a.txt") == b"after"
    assert destination.readings == 2


def test_refusal_of_a_look_which_has_no_code_is_understood_too(world, destination):
    event = world.put("a.txt")
    world.replicate(event)
    rotate(world, ROTATED)
    destination.valid = ROTATED["accesskey"]
    assert world.replicate(event) == []


def test_keys_that_are_refused_and_not_rotated_hand_the_message_back(world, destination, capsys):
    destination.valid = "AKIANOBODY"
    assert world.replicate(world.put("a.txt")) == [0]
    assert world.dead_letters() == []
    assert f"the destination refuses the credentials in the secret {SECRET}" in capsys.readouterr().out


@pytest.mark.parametrize("secret", ["hunter2-is-no-json", "[]", '{"accesskey": "AKIAHUNTER2"}', '{"accesskey": 1}'])
def test_secret_of_another_shape_is_told_without_what_is_in_it(world, capsys, secret):
    rotate(world, secret)
    assert world.replicate(world.put("a.txt")) == [0]
    said = capsys.readouterr().out
    assert "should be JSON like" in said
    assert "hunter2" not in said.lower()


@pytest.mark.parametrize("name", ["accesskey", "secretaccesskey"])
@pytest.mark.parametrize("value", ["", " ", "hunter2\nhunter2", "hunter2\0", "hunter2é", "hunter2\r\nX-Forged: y"])
def test_key_that_no_header_can_have_is_told_without_what_is_in_it(world, capsys, name, value):
    rotate(world, {**KEYS, name: value})
    assert world.replicate(world.put("a.txt")) == [0]
    said = capsys.readouterr()
    assert f"the {name} in the secret {SECRET} " in said.out
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize("secret", ["hunter2", '["hunter2"]', '{"accesskey": "hunter2"}', '{"hunter2":' * 100_000])
def test_error_of_a_secret_holds_nothing_of_it(secret):
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": secret})
    with pytest.raises(SecretError) as raised:
        of_user(secrets, "name")
    assert raised.value.__context__ is None and raised.value.__cause__ is None


def test_keys_are_in_no_line_that_is_logged(world, destination, environment, capsys):
    environment(LOGGING_LEVEL="DEBUG")
    world.replicate(world.put("a.txt"))
    destination.valid = "AKIANOBODY"
    world.replicate(world.put("b.txt"))
    said = capsys.readouterr()
    for key in KEYS.values():
        assert key not in said.out + said.err
