"""Credentials of the destination's role: renewed in time, and requested once by many threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from tasks.utils.errors import CredentialsRefused, FederationError
from tasks.utils.mirror_credentials import Credentials, Destination, of_role


class Sts:
    """STS for one test: refuses tokens on order."""

    def __init__(self, *refusals):
        self.refusals = list(refusals)
        self.tokens = 0

    def get_web_identity_token(self, **_):
        self.tokens += 1
        return {"WebIdentityToken": f"eyJhbGciOiJFUzM4NCJ9.eyJhdWQiOiJhIn0.signature-{self.tokens}"}

    def assume_role_with_web_identity(self, *, WebIdentityToken, **_):  # pylint: disable=invalid-name  # boto3's name
        if self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, Exception):
                raise refusal
            about = {"Code": refusal, "Message": f"Value '{WebIdentityToken}' at 'webIdentityToken' is wrong"}
            raise ClientError({"Error": about}, "AssumeRoleWithWebIdentity")
        expiration = datetime(2026, 6, 1, 13, tzinfo=UTC)
        keys = {"AccessKeyId": "id", "SecretAccessKey": "key", "SessionToken": f"of token {self.tokens}"}
        return {"Credentials": {**keys, "Expiration": expiration}}


def assumed(sts):
    return of_role(sts, sts, role_arn="arn:role", audience="a")


@pytest.mark.parametrize("code", ["ExpiredTokenException", "InvalidIdentityToken", "IDPRejectedClaim"])
def test_refused_token_is_replaced_once(code):
    assert assumed(Sts(code)).session_token == "of token 2"
    sts = Sts(code, code)
    with pytest.raises(FederationError, match=code):
        assumed(sts)
    assert sts.tokens == 2


@pytest.mark.parametrize("refusal", ["AccessDenied", "ValidationError", ConnectTimeoutError(endpoint_url="https://a")])
def test_what_another_token_cannot_put_right_is_not_tried_with_another(refusal):
    sts = Sts(refusal)
    with pytest.raises(FederationError) as refused:
        assumed(sts)
    assert sts.tokens == 1
    assert refused.value.transient
    assert "eyJ" not in str(refused.value) and "signature" not in str(refused.value)


def test_credentials_do_not_print():
    assert not any(secret in repr(assumed(Sts())) for secret in ("'id'", "'key'", "of token"))


class Hours:
    """A destination whose credentials last an hour each, and how often they were read."""

    def __init__(self):
        self.now = 1_000_000.0
        self.read = 0
        self.failing = False
        self.destination = Destination(self._read, self._client, advice="check the role", clock=lambda: self.now)

    def _read(self):
        self.read += 1
        if self.failing:
            raise FederationError("STS is down")
        return Credentials("id", "key", f"session {self.read}", self.now + 3600)

    def _client(self, credentials):
        return SimpleNamespace(session=credentials.session_token)

    def session(self):
        return self.destination.client().session

    def renewed(self, refused):
        return self.destination.renewed(refused).session


def test_credentials_are_renewed_before_an_invocation_could_outlast_them():
    hour = Hours()
    assert hour.session() == "session 1"
    hour.now += 2399
    assert hour.session() == "session 1"
    # 20 minutes before they end: an invocation lasts 15 at most.
    hour.now += 1
    assert hour.session() == "session 2"
    assert hour.session() == "session 2"


def test_old_credentials_are_used_while_no_new_ones_can_be_had_and_they_last():
    hour = Hours()
    hour.session()
    hour.failing = True
    hour.now += 2400
    assert [hour.session() for _ in range(10)] == ["session 1"] * 10
    assert hour.read == 2
    hour.now += 60
    assert hour.session() == "session 1"
    assert hour.read == 3
    hour.now += 1200
    with pytest.raises(FederationError):
        hour.session()
    hour.failing = False
    assert hour.session() == "session 5"


def test_threads_that_need_new_credentials_together_ask_once():
    hour, inside = Hours(), threading.Barrier(16)

    def session(_):
        inside.wait()
        return hour.session()

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(session, range(16))) == {"session 1"}
        hour.now += 3000
        assert set(pool.map(session, range(16))) == {"session 2"}
    assert hour.read == 2


def test_threads_that_are_refused_together_ask_once():
    hour, inside = Hours(), threading.Barrier(16)
    refused = hour.destination.client()
    hour.now += 120

    def renewed(_):
        inside.wait()
        return hour.renewed(refused)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(renewed, range(16))) == {"session 2"}
    assert hour.read == 2


def test_threads_that_wait_while_another_fails_do_not_ask_again(monkeypatch):
    arrived, reads = SimpleQueue(), []

    class Lock:
        """Tells of every thread that comes to it."""

        def __init__(self):
            self._lock = threading.RLock()

        def __enter__(self):
            arrived.put(True)
            self._lock.acquire()

        def __exit__(self, *_):
            self._lock.release()

    def read():
        reads.append(True)
        assert all(arrived.get(timeout=10) for _ in range(5))
        raise FederationError("STS is down")

    monkeypatch.setattr("tasks.utils.mirror_credentials.threading", SimpleNamespace(Lock=Lock))
    destination = Destination(read, lambda credentials: None, advice="")
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(destination.client) for _ in range(5)]
    failures = [each.exception() for each in asked]
    assert [type(failure) for failure in failures] == [FederationError] * 5
    assert len(reads) == 1


def test_new_credentials_that_are_refused_are_not_asked_for_again():
    hour = Hours()
    with pytest.raises(CredentialsRefused, match="check the role"):
        hour.renewed(hour.destination.client())
    assert hour.read == 1
    assert CredentialsRefused.transient
