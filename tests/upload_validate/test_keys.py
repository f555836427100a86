import json

import pytest

from tasks.upload_validate.api_keys import KeyRing
from tasks.upload_validate.errors import KeyUnavailableError
from tests.conftest import client_of_the_tests


@pytest.fixture(name="ssm")
def parameter_store(aws):
    return client_of_the_tests("ssm", aws.region_name)


@pytest.fixture(name="secrets")
def secrets_manager(aws):
    return client_of_the_tests("secretsmanager", aws.region_name)


@pytest.fixture(name="ring")
def key_ring(ssm, secrets):
    return KeyRing(lambda: ssm, lambda: secrets)


def refuse():
    raise AssertionError("no client is needed")


def test_key_in_the_setting_needs_no_service():
    ring = KeyRing(refuse, refuse)
    assert ring.key("ghp_1234").value() == "ghp_1234"
    assert ring.key("") is None


def test_key_is_not_shown():
    assert "ghp_1234" not in repr(KeyRing(refuse, refuse).key("ghp_1234"))


def test_key_is_read_from_the_parameter_store(ring, ssm):
    ssm.put_parameter(Name="/github/key", Value="one\n", Type="SecureString")
    ssm.put_parameter(Name="plain", Value="two", Type="String")
    arn = ssm.get_parameter(Name="/github/key")["Parameter"]["ARN"]
    assert [ring.key(name).value() for name in ("/github/key", "ssm:/github/key", "ssm:plain", arn)] == [
        "one",
        "one",
        "two",
        "one",
    ]


def test_key_is_read_from_secrets_manager(ring, secrets):
    arn = secrets.create_secret(Name="wdiv", SecretString=json.dumps({"token": "three"}))["ARN"]
    secrets.create_secret(Name="whole", SecretString="four")
    names = ("secretsmanager:wdiv#token", f"{arn}#token", "secretsmanager:whole")
    assert [ring.key(name).value() for name in names] == ["three", "three", "four"]


def test_key_is_cached_until_it_is_refreshed(ring, ssm):
    ssm.put_parameter(Name="/key", Value="old", Type="SecureString")
    key = ring.key("/key")
    assert key.value() == "old"
    ssm.put_parameter(Name="/key", Value="new", Type="SecureString", Overwrite=True)
    assert key.value() == "old"
    assert key.value(refresh=True) == "new"


@pytest.mark.parametrize("name", ["/none", "secretsmanager:none"])
def test_missing_entry_may_exist_later(ring, name):
    with pytest.raises(KeyUnavailableError, match=f"the entry {name} cannot be read") as raised:
        ring.key(name).value()
    assert raised.value.transient


@pytest.mark.parametrize("content", ["no JSON", '["token"]', "{}", '{"token": ' * 100_000])
def test_entry_without_the_field_is_named_without_its_content(ring, secrets, content):
    secrets.create_secret(Name="wdiv", SecretString=content)
    with pytest.raises(KeyUnavailableError) as raised:
        ring.key("secretsmanager:wdiv#token").value()
    assert str(raised.value) == "the entry secretsmanager:wdiv#token is no JSON object with that field"


@pytest.mark.parametrize(
    "value", [7, None, {"secret": "secret"}, ["secret"], "", " \n", "sec\nret", "secrét", "s" * 9_000]
)
def test_field_without_a_usable_key_is_named_without_its_content(ring, secrets, value):
    secrets.create_secret(Name="wdiv", SecretString=json.dumps({"token": value}))
    with pytest.raises(KeyUnavailableError, match="^the key in the entry secretsmanager:wdiv#token ") as raised:
        ring.key("secretsmanager:wdiv#token").value()
    assert "secr" not in str(raised.value).replace("secretsmanager", "")


@pytest.mark.parametrize("indent", [None, 2])
def test_json_without_a_named_field_gives_an_error_with_advice(ring, ssm, indent):
    ssm.put_parameter(Name="/key", Value=json.dumps({"token": "secret"}, indent=indent), Type="SecureString")
    with pytest.raises(KeyUnavailableError, match="^the key in the entry /key looks like a JSON .* #field") as raised:
        ring.key("/key").value()
    assert "secret" not in str(raised.value) and raised.value.__context__ is None
    assert raised.value.transient
