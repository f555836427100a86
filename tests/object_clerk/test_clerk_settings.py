import json

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from tasks.object_clerk.clerk import ObjectClerk
from tasks.object_clerk.clerk_settings import ClerkSettings
from tasks.object_clerk.parts import MAX_PART, MIB, MIN_PART
from tasks.utils.errors import SettingsError

JSON_VARIABLES = ("S3_CLIENT_CONFIG", "S3_UPLOAD_CONFIG", "S3_DOWNLOAD_CONFIG")


def option_of(settings, name):
    """Botocore makes the attributes of a Config while it runs, which pylint cannot know."""
    return getattr(settings.client_config, name)


def test_an_empty_environment_gives_the_documented_defaults():
    settings = ClerkSettings.read({})
    assert (settings.upload.threshold, settings.upload.part_size) == (524288000, 524288000)
    client = option_of(settings, "connect_timeout"), option_of(settings, "read_timeout"), option_of(settings, "retries")
    assert client == (60, 60, {"max_attempts": 0})


@pytest.mark.parametrize("given, seconds", [({}, 3600), ({"ABANDONED_UPLOAD_SECONDS": "0"}, 0)])
def test_abandoned_uploads_are_aborted_after_an_hour_or_the_set_seconds(given, seconds):
    settings = ClerkSettings.read(given, transfer_config={"max_concurrency": 2})
    assert settings.upload.quiet_seconds == seconds
    with pytest.raises(SettingsError, match="^ABANDONED_UPLOAD_SECONDS is '-1'"):
        ClerkSettings.read({"ABANDONED_UPLOAD_SECONDS": "-1"})


def test_multipart_threshold_overrides_the_upload_config():
    sizes = '{"multipart_threshold": 7340032, "multipart_chunksize": 7340032, "max_concurrency": 2}'
    settings = ClerkSettings.read({"MULTIPART_THRESHOLD": "6291456", "S3_UPLOAD_CONFIG": sizes})
    assert (settings.upload.threshold, settings.upload.part_size, settings.upload.workers) == (6 * MIB, 6 * MIB, 2)


def test_s3_download_config_applies_to_downloads():
    sizes = {"multipart_threshold": 7 * MIB, "multipart_chunksize": 6 * MIB, "io_chunksize": 1024}
    config = {**sizes, "max_concurrency": 8, "use_threads": False}
    download = ClerkSettings.read({"S3_DOWNLOAD_CONFIG": json.dumps(config)}).download
    assert (download.threshold, download.part_size, download.block, download.workers) == (7 * MIB, 6 * MIB, 1024, 1)


@pytest.mark.parametrize("threshold, part_size", [("1", MIN_PART), ("99999999999", MAX_PART)])
def test_a_threshold_beyond_s3s_limits_gives_parts_within_them(threshold, part_size):
    assert ClerkSettings.read({"MULTIPART_THRESHOLD": threshold}).upload.part_size == part_size


@pytest.mark.parametrize("variable", JSON_VARIABLES)
def test_an_unknown_key_is_one_sentence_with_variable_and_key(variable):
    with pytest.raises(SettingsError) as caught:
        ClerkSettings.read({variable: '{"no_such_key": 1}'})
    assert str(caught.value) == f"{variable}: there is no key 'no_such_key'"


@pytest.mark.parametrize(
    "variable, key, value, wanted",
    [
        ("S3_CLIENT_CONFIG", "read_timeout", '"60"', "'60'; it should be a number"),
        ("S3_CLIENT_CONFIG", "retries", "3", "3; it should be an object"),
        ("S3_CLIENT_CONFIG", "max_pool_connections", "true", "True; it should be a whole number"),
        ("S3_CLIENT_CONFIG", "tcp_keepalive", '"yes"', "'yes'; it should be true or false"),
        ("S3_CLIENT_CONFIG", "region_name", "1", "1; it should be a text"),
        ("S3_CLIENT_CONFIG", "client_cert", "1", "1; it should be a text or a list"),
        ("S3_UPLOAD_CONFIG", "max_concurrency", '"8"', "'8'; it should be a whole number"),
        ("S3_DOWNLOAD_CONFIG", "use_threads", "1", "1; it should be true or false"),
        ("S3_DOWNLOAD_CONFIG", "max_concurrency", "0", "0; it should be 1 or more"),
        ("S3_UPLOAD_CONFIG", "io_chunksize", "-1", "-1; it should be 1 or more"),
    ],
)
def test_a_key_of_a_wrong_type_is_one_sentence_with_variable_and_key(variable, key, value, wanted):
    with pytest.raises(SettingsError) as caught:
        ClerkSettings.read({variable: f'{{"{key}": {value}}}'})
    assert str(caught.value) == f"{variable}: {key} is {wanted}"


@pytest.mark.parametrize("variable", JSON_VARIABLES)
@pytest.mark.parametrize("text", ["{", "[]", "7"])
def test_a_value_that_is_no_json_object_is_refused_with_an_example(variable, text):
    with pytest.raises(SettingsError, match=f"^{variable} is .*such as {{"):
        ClerkSettings.read({variable: text})


def test_a_value_that_botocore_refuses_is_refused_with_the_variable():
    with pytest.raises(SettingsError, match="^S3_CLIENT_CONFIG is refused by botocore: .*max_attempts"):
        ClerkSettings.read({"S3_CLIENT_CONFIG": '{"retries": {"max_attempts": -1}}'})


def test_a_nested_key_of_a_wrong_type_is_named():
    with pytest.raises(SettingsError, match="^S3_CLIENT_CONFIG: retries: max_attempts is 'many'; it should be a whole"):
        ClerkSettings.read({"S3_CLIENT_CONFIG": '{"retries": {"max_attempts": "many"}}'})


def test_null_leaves_a_key_at_its_default():
    nulls = {"S3_CLIENT_CONFIG": '{"retries": null}', "S3_DOWNLOAD_CONFIG": '{"max_concurrency": null}'}
    assert ClerkSettings.read(nulls).download == ClerkSettings.read({}).download


def test_a_limit_of_bandwidth_is_refused():
    with pytest.raises(SettingsError, match="^S3_UPLOAD_CONFIG: max_bandwidth"):
        ClerkSettings.read({"S3_UPLOAD_CONFIG": '{"max_bandwidth": 1000}'})


@pytest.mark.parametrize("threshold", ["", "many", "0", "-5", "1.5"])
def test_a_threshold_that_is_no_number_of_bytes_is_refused(threshold):
    if threshold:
        with pytest.raises(SettingsError, match="^MULTIPART_THRESHOLD is .*a whole number"):
            ClerkSettings.read({"MULTIPART_THRESHOLD": threshold})
    else:
        assert ClerkSettings.read({"MULTIPART_THRESHOLD": threshold}).upload.threshold == 524288000


def test_all_problems_are_reported_at_once():
    wrong = {"MULTIPART_THRESHOLD": "x", **dict.fromkeys(JSON_VARIABLES, '{"a": 1, "b": 2}')}
    with pytest.raises(SettingsError) as caught:
        ClerkSettings.read(wrong)
    assert len(caught.value.args[0].split("; ")) == 7


@pytest.mark.parametrize("config", [{"multipart_threshold": 7 * MIB, "max_concurrency": 3}, None])
def test_a_transfer_config_of_the_constructor_replaces_the_environments(config):
    config = config or TransferConfig(multipart_threshold=7 * MIB, max_concurrency=3)
    settings = ClerkSettings.read({"MULTIPART_THRESHOLD": "1"}, transfer_config=config)
    assert settings.upload == settings.download
    assert (settings.upload.threshold, settings.upload.workers) == (7 * MIB, 3)


@pytest.mark.parametrize("config", [{"read_timeout": 7}, Config(read_timeout=7)])
def test_a_client_config_of_the_constructor_replaces_the_environments(config):
    settings = ClerkSettings.read({"S3_CLIENT_CONFIG": '{"read_timeout": 1}'}, client_config=config)
    assert option_of(settings, "read_timeout") == 7


def test_a_clerk_reads_the_environment_when_it_is_made(monkeypatch):
    monkeypatch.setenv("S3_CLIENT_CONFIG", '{"nonsense": 1}')
    with pytest.raises(SettingsError, match="S3_CLIENT_CONFIG: there is no key 'nonsense'"):
        ObjectClerk("127.0.0.1", 1, "a", "b", 0, 1, 0, 0)
