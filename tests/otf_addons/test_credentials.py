"""The choice of credentials, and their renewal."""

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
from moto.sts.models import sts_backends

from tasks.otf_addons import connections
from tasks.otf_addons.connections import AssumedRole, make_client
from tasks.otf_addons.options import Keys, Protocol, Role
from tasks.otf_addons.settings import Settings
from tests.otf_addons.conftest import moto_store
from tests.otf_addons.definitions import destination, source, touch, transfer

ROLE_NAME = "transfers"
POWERLESS = "arn:aws:iam::123456789012:user/powerless"


def assumed(role_arn):
    backend = sts_backends["123456789012"]["aws"]
    return [role for role in backend.assumed_roles if role.role_arn == role_arn]


def role_for(aws, principal, **condition):
    """A role that may use S3, and that the principal may assume."""
    trust = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = aws.client("iam")
    arn = iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="s3", PolicyDocument=json.dumps(policy))
    return arn


@pytest.fixture(name="role_arn")
def role_of_the_powerless(aws):
    return role_for(aws, POWERLESS)


@pytest.fixture(name="powerless")
def user_who_may_only_assume_roles(aws, framework):
    """The environment has the credentials of a user who may assume roles and nothing else."""
    iam = aws.client("iam")
    iam.create_user(UserName="powerless")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    iam.put_user_policy(UserName="powerless", PolicyName="sts", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="powerless")["AccessKey"]
    framework.monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    framework.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    return framework


def test_role_is_assumed_with_its_external_id_in_its_region(aws, powerless):
    role_arn = role_for(aws, POWERLESS, Condition={"StringEquals": {"sts:ExternalId": "the-owner's-word"}})
    store = moto_store(aws, "frankfurt", region_name="eu-central-1")
    store.put("src/a.txt", b"a")
    protocol = {
        "assume_role_arn": role_arn,
        "assume_role_external_id": "the-owner's-word",
        "token_expiry_seconds": 1800,
        "region_name": "eu-central-1",
    }
    powerless.monkeypatch.delenv("AWS_DEFAULT_REGION")

    ran = powerless.run(transfer(source("frankfurt", protocol=protocol), destination("frankfurt", protocol=protocol)))

    assert ran.ok, ran.said
    assert store.keys_of() == ["dest/a.txt", "src/a.txt"]
    lasting = assumed(role_arn)[0].expiration - datetime.now(UTC).replace(tzinfo=None)
    refused = powerless.run(touch("frankfurt", "flag", **{**protocol, "assume_role_external_id": "another's"}))
    assert not refused.ok and "not authorized to perform: sts:AssumeRole" in refused.said
    assert timedelta(minutes=28) < lasting <= timedelta(minutes=31)


def test_role_is_assumed_with_the_keys_of_the_definition(aws, role_arn, powerless):
    moto_store(aws, "bucket")
    keys = {
        "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
    }
    powerless.monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")
    powerless.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "unknown")

    ran = powerless.run(touch("bucket", "flag", assume_role_arn=role_arn, **keys))

    assert ran.ok, ran.said


def test_role_of_the_environment_is_assumed(aws, role_arn, powerless):
    store = moto_store(aws, "bucket")
    powerless.monkeypatch.setenv("AWS_ROLE_ARN", role_arn)

    assert powerless.run(touch("bucket", "flag")).ok
    assert store.keys_of() == ["flag"]


def test_without_a_role_the_powerless_user_fails_with_a_sentence(aws, powerless):
    moto_store(aws, "bucket")

    ran = powerless.run(touch("bucket", "flag"))

    assert not ran.ok and "s3://bucket/flag: AccessDenied" in ran.said


def temporary_credentials(aws):
    """The credentials of a role, which do not work without their session token."""
    role_arn = role_for(aws, "arn:aws:iam::123456789012:user/administrator")
    return aws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="sso")["Credentials"]


def test_session_token_of_the_environment_is_used(aws, framework):
    store = moto_store(aws, "bucket")
    given = temporary_credentials(aws)
    framework.monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
    framework.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
    framework.monkeypatch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])

    ran = framework.run(touch("bucket", "flag"))

    assert ran.ok, ran.said
    assert store.keys_of() == ["flag"]


def test_role_of_the_machine_is_the_default(aws, framework):
    store = moto_store(aws, "bucket")
    given = temporary_credentials(aws)
    answer = {
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretAccessKey"],
        "Token": given["SessionToken"],
        "Expiration": given["Expiration"].isoformat(),
    }
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        framework.monkeypatch.delenv(name)
    with credentials_service(answer) as url:
        framework.monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)

        ran = framework.run(touch("bucket", "flag"))

    assert ran.ok, ran.said
    assert store.keys_of() == ["flag"]


@contextmanager
def credentials_service(answer):
    """AWS's endpoint beside each container: a server that returns the machine's credentials."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name  # http.server requires this name
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_keys_of_the_definition_are_used_without_the_session_token_of_the_environment(aws, framework):
    store = moto_store(aws, "bucket")
    framework.monkeypatch.setenv("AWS_SESSION_TOKEN", "another writer's")
    keys = {
        "access_key_id": aws.admin_credentials["aws_access_key_id"],
        "secret_access_key": aws.admin_credentials["aws_secret_access_key"],
    }
    client = make_client("s3", Protocol.from_definition({"name": "s3", **keys}, Settings()))

    # botocore has no public attribute for a client's credentials.
    assert client._request_signer._credentials.token is None  # pylint: disable=protected-access
    assert framework.run(touch("bucket", "flag", **keys)).ok
    assert store.keys_of() == ["flag"]


class Sts:  # pylint: disable=too-few-public-methods  # one method of a client
    """Returns credentials that last so many seconds, each with a number."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.given = 0

    def assume_role(self, **_):
        self.given += 1
        ends = datetime.now(UTC) + timedelta(seconds=self.seconds)
        number = str(self.given)
        return {
            "Credentials": {
                "AccessKeyId": f"key {number}",
                "SecretAccessKey": f"secret {number}",
                "SessionToken": f"token {number}",
                "Expiration": ends,
            }
        }


def test_role_is_assumed_again_before_its_credentials_end():
    sts = Sts(seconds=900)
    credentials = AssumedRole(sts, Role("arn")).load()
    # Even credentials with the shortest life serve several requests: not each of them assumes the role again.
    assert [credentials.get_frozen_credentials().token for _ in range(3)] == ["token 1"] * 3

    sts.seconds = 59
    short = AssumedRole(sts, Role("arn")).load()
    first = short.get_frozen_credentials().token
    assert short.get_frozen_credentials().token != first


def test_transfer_continues_with_new_credentials_when_the_old_ones_end(aws, role_arn, powerless):
    store = moto_store(aws, "bucket")
    for name in ("a", "b", "c"):
        store.put(f"src/{name}", b"x")
    # As if they ended between any two requests.
    for name in ("RENEW_SECONDS", "RENEW_AT_LATEST_SECONDS"):
        powerless.monkeypatch.setattr(connections, name, 3600)
    role = {"assume_role_arn": role_arn}

    ran = powerless.run(transfer(source("bucket", protocol=role), destination("bucket", protocol=role)))

    assert ran.ok, ran.said
    assert store.keys_of() == ["dest/a", "dest/b", "dest/c", "src/a", "src/b", "src/c"]
    assert len(assumed(role_arn)) >= 4


def test_role_of_a_pod_is_not_assumed_twice():
    environment = {"AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token"}

    assert Settings.read(environment).role_arn is None
    assert Settings.read({"AWS_ROLE_ARN": "arn"}).role_arn == "arn"


def test_repr_of_a_protocol_shows_no_secret():
    protocol = Protocol(Keys("AKIA", "very-secret", "token"))

    assert "very-secret" not in repr(SimpleNamespace(protocol=protocol)) and "token" not in repr(protocol)
