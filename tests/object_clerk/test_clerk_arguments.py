"""The values that callers pass to a clerk: each wrong one is a sentence, before the first request."""

import subprocess
import sys

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

import tasks.object_clerk
import tasks.utils
from tasks.object_clerk import ObjectClerk, errors
from tasks.object_clerk.clerk_arguments import DAY, MAX_BACKOFF, Retries
from tasks.object_clerk.parts import MIB
from tasks.utils.errors import SettingsError

SERVER = {"host": "127.0.0.1", "port": 1, "access_key": "AKIAEXAMPLE", "secret_key": "a-secret-key"}
NAN, INFINITY = float("nan"), float("inf")
NO_SECONDS = ("x", None, True, NAN, INFINITY, -1, -0.5, DAY + 1, (1,), b"1")


def clerk_of(**arguments):
    return ObjectClerk(**{**SERVER, **arguments})


@pytest.fixture(scope="module", name="clerk")
def clerk_without_a_server():
    """A clerk with the default of endless retries: its first request would never end."""
    return clerk_of()


def test_server_and_keys_are_all_that_a_clerk_needs():
    assert repr(ObjectClerk("127.0.0.1", 9000, "AKIAEXAMPLE", "a-secret-key")) == "ObjectClerk(http://127.0.0.1:9000)"
    assert repr(clerk_of(host="[::1]", use_ssl=True)) == "ObjectClerk(https://[::1]:1)"


@pytest.mark.parametrize("package", [tasks.object_clerk, tasks.utils])
def test_clerk_and_its_errors_are_offered_by(package):
    names = {name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Exception")}
    assert names | {"ObjectClerk", "SettingsError"} == set(tasks.object_clerk.__all__)
    assert all(getattr(package, name).__name__ == name for name in tasks.object_clerk.__all__)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Absent'"):
        getattr(package, "Absent")


@pytest.mark.parametrize("package", ["tasks.object_clerk", "tasks.utils"])
def test_import_of_the_package_loads_neither_the_clerk_nor_an_aws_library(package):
    code = f"""
import sys
import {package}
print({{"boto3", "botocore", "tasks.object_clerk.errors"}} & set(sys.modules))
from {package} import ObjectClerk, ObjectNotFoundException
print(ObjectClerk.__name__, ObjectNotFoundException.__name__)
"""
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout == "set()\nObjectClerk ObjectNotFoundException\n"


def test_clerk_shows_its_client_and_its_configurations():
    clerk = clerk_of(client_config={"read_timeout": 7}, transfer_config={"multipart_threshold": 7 * MIB})
    assert clerk.client.meta.endpoint_url == "http://127.0.0.1:1"
    assert getattr(clerk.client_config, "read_timeout") == 7
    assert clerk.transfer_config.multipart_threshold == 7 * MIB


def test_clerk_of_a_client_shows_that_client_and_its_configuration():
    client = boto3.client("s3", config=Config(read_timeout=7))
    clerk = ObjectClerk.from_client(client)
    assert clerk.client is client
    assert getattr(clerk.client_config, "read_timeout") == 7


def test_configurations_that_are_objects_are_shown_as_they_were_given():
    client_config, transfer_config = Config(read_timeout=7), TransferConfig(max_concurrency=3)
    clerk = clerk_of(client_config=client_config, transfer_config=transfer_config, use_ssl=True)
    assert clerk.client_config is client_config
    assert clerk.transfer_config is transfer_config


def test_transfer_config_without_an_argument_is_that_of_uploads(monkeypatch):
    monkeypatch.setenv("MULTIPART_THRESHOLD", str(6 * MIB))
    monkeypatch.setenv("S3_UPLOAD_CONFIG", '{"max_concurrency": 1, "io_chunksize": 1024}')
    shown = clerk_of().transfer_config
    assert (shown.multipart_threshold, shown.multipart_chunksize) == (6 * MIB, 6 * MIB)
    assert (shown.max_request_concurrency, shown.io_chunksize, shown.use_threads) == (1, 1024, False)


WRONG = {
    "host": (None, 7, b"host", "", "http://host", "host:80", "host/path", "user@host", "a b", "::1", "host\n"),
    "port": (None, "", "http", "80 ", "65536", "9" * 5000, 80.0, True, 0, -1, 65536, NAN),
    "access_key": (None, "", 7, b"key", "a b", "key\n", "schlüssel"),
    "secret_key": (None, "", 7, b"key", "a b", "key\n", "schlüssel"),
    "retry_delay": NO_SECONDS,
    "retry_backoff": ("x", None, True, NAN, INFINITY, -1, MAX_BACKOFF + 1, (1, 2)),
    "retry_jitter": (*NO_SECONDS, (), (0, 1, 2), (2, 1), (0, "1"), (0, True), (NAN, 1), (0, INFINITY), {0, 1}),
    "retry_max_delay": NO_SECONDS,
    "retry_tries": ("3", None, True, False, 0, -2, 1.0, NAN, INFINITY),
    "use_ssl": ("false", "", None, 0, 1),
    "list_objects_page_size": ("10", None, True, 0, -1, 1001, 10.0, NAN),
    "client_config": ("invalid", "", [1], [], 7, False, TransferConfig()),
    "transfer_config": ("invalid", "", [1], [], 7, False, Config()),
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_argument_of_a_wrong_shape_is_one_sentence_with_its_name(name, value):
    with pytest.raises(SettingsError, match=f"^{name} is [^;]*: it should be [^;]*$"):
        clerk_of(**{name: value})


def test_port_may_be_the_text_of_an_environment_variable():
    assert clerk_of(port="9000").client.meta.endpoint_url == "http://127.0.0.1:9000"


def test_all_wrong_arguments_and_settings_are_reported_at_once(monkeypatch):
    monkeypatch.setenv("DIRECT_REQUESTS", "perhaps")
    with pytest.raises(SettingsError) as caught:
        ObjectClerk(*[object()] * 13)
    assert [sentence.split()[0] for sentence in str(caught.value).split("; ")] == [
        *("host", "port", "access_key", "secret_key", "use_ssl", "list_objects_page_size"),
        *("retry_delay", "retry_backoff", "retry_jitter", "retry_max_delay", "retry_tries"),
        *("client_config", "transfer_config", "DIRECT_REQUESTS"),
    ]


def test_all_wrong_arguments_of_a_clerk_around_a_client_are_reported_at_once():
    resource = boto3.resource("s3")
    with pytest.raises(
        SettingsError, match="^s3_client is of type .*: it should be a boto3 S3 client; retry_tries is 0"
    ):
        ObjectClerk.from_client(resource, retry_tries=0)


def test_arguments_in_a_wrong_order_show_no_key():
    with pytest.raises(SettingsError, match="^port is of type str: it should be a whole number from 1 to 65535$"):
        ObjectClerk("AKIAEXAMPLE", "a-secret-key", "127.0.0.1", "9000")


@pytest.mark.parametrize("jitter", [DAY, (0, DAY), [DAY, DAY]])
def test_largest_waits_overflow_no_number(jitter):
    policy = Retries(DAY, MAX_BACKOFF, jitter, DAY, -1).policy()
    assert policy.wait(1_000_000) == DAY


HEADERS = [
    ({"metadata": "text"}, "metadata is of type str"),
    ({"metadata": ["text"]}, "metadata is of type list"),
    ({"metadata": []}, "metadata is of type list"),
    ({"metadata": {1: "a"}}, "metadata has the name 1"),
    ({"metadata": {"": "a"}}, "metadata has the name ''"),
    ({"metadata": {"a b": "a"}}, "metadata has the name 'a b'"),
    ({"metadata": {"a": 1}}, "metadata a is of type int: it should be a text"),
    ({"metadata": {"a": None}}, "metadata a is of type NoneType: it should be a text"),
    ({"metadata": {"a": b"b"}}, "metadata a is of type bytes: it should be a text"),
    ({"metadata": {"a": "é"}}, "metadata a should be ASCII characters"),
    ({"metadata": {"a": "b\r\nc: d"}}, "metadata a should be ASCII characters without line breaks"),
    ({"content_type": 7}, "content_type is of type int"),
    ({"content_type": "text/csv\n"}, "content_type should be ASCII characters without line breaks"),
    ({"storage_class": 7}, "storage_class is of type int"),
]


@pytest.mark.parametrize("header, reason", HEADERS)
def test_header_that_is_no_text_is_refused_before_the_first_request(clerk, header, reason):
    with pytest.raises(errors.ObjectSaveException, match=f"^upload_object s3://bucket/key: {reason}"):
        clerk.upload_object(b"1", "bucket", "key", **header)


@pytest.mark.parametrize("data", [["a", "b"], iter([b"a", "b"]), {"a": 1}, [1, 2], [b"a", None]])
def test_upload_of_an_iterable_that_yields_no_bytes_is_refused_before_the_first_request(clerk, data):
    with pytest.raises(
        errors.ObjectSaveException, match="-> s3://bucket/key: a block is of type .*: it should be bytes"
    ):
        clerk.upload_object(data, "bucket", "key")


@pytest.mark.parametrize("value", [None, 7, b"bytes", "", "\ud800"])
def test_bucket_or_key_that_is_no_text_is_refused_before_the_first_request(clerk, value):
    for bucket, key, name in ((value, "key", "bucket"), ("bucket", value, "key")):
        for call, *arguments in (
            (clerk.get_object, bucket, key),
            (clerk.upload_object, b"1", bucket, key),
            (clerk.move_object, "bucket", "key", bucket, key),
        ):
            with pytest.raises(errors.ObjectClerkException, match=f"the {name} is .*: it should be a text"):
                call(*arguments)


def test_listing_of_a_negative_number_of_objects_is_refused(clerk):
    with pytest.raises(errors.ObjectClerkException, match="the number of objects is -1: it should be 0 or more"):
        clerk.list_objects("bucket", -1)
