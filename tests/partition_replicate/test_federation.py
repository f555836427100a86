"""The destination's role: assumed across partitions with a token, renewed in time, no key anywhere."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from queue import SimpleQueue
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto.core.authorization import enable_iam_authentication
from moto.core.utils import utcnow
from moto.sts.models import sts_backends

from tasks.object_clerk.transport import clients
from tasks.partition_replicate.credentials import Credentials, Destination, of_role
from tasks.partition_replicate.errors import CredentialsRefused, FederationError
from tests.conftest import REGION, client_of_the_tests
from tests.partition_replicate.conftest import MIRROR, MIRROR_REGION, SECRET

AUDIENCE = "bucket-brigade"
LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def role(name, trust, *allowed, region=REGION):
    """The ARN of a new role that may do some things, each a tuple of action and resource."""
    iam = client_of_the_tests("iam", region)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="task", PolicyDocument=policy)
    return arn


# One attribute for each resource of the two partitions.
class Federation:  # pylint: disable=too-many-instance-attributes
    """The function's role and that of the destination, each in its partition."""

    def __init__(self, world):
        self.world = world
        self.here, self.there = client_of_the_tests("iam", REGION), client_of_the_tests("iam", MIRROR_REGION)
        self.issuer = self.here.enable_outbound_web_identity_federation()["IssuerIdentifier"]
        allowed = [(action, "*") for action in ("sts:GetWebIdentityToken", "s3:*", "dynamodb:*", "sqs:*")]
        self.function = role("function", LAMBDA, *allowed)
        provider = self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=[AUDIENCE])
        self.provider = provider["OpenIDConnectProviderArn"]
        on_mirror = [f"arn:aws-us-gov:s3:::{MIRROR}", f"arn:aws-us-gov:s3:::{MIRROR}/*"]
        self.mirror = role("mirror", self.trust(), ("s3:*", on_mirror), region=MIRROR_REGION)
        self.sent, self.session_id, self.refused, self.status, self.code = [], None, None, None, None

    def trust(self, subject=None):
        host = self.issuer.removeprefix("https://")
        return {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": self.provider},
            "Condition": {"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": subject or self.function}},
        }

    def session(self):
        """A session with the credentials of the function's role, as Lambda gives them."""
        sts = client_of_the_tests("sts", REGION)
        made = sts.assume_role(RoleArn=self.function, RoleSessionName="function")["Credentials"]
        session = botocore.session.Session()
        session.set_credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
        session.set_config_variable("region", REGION)
        events = session.get_component("event_emitter")
        events.register("before-send.sts", self._note)
        events.register_first("before-send.s3", self._refuse)
        return session

    def _refuse(self, request, **_):
        """Has the destination refuse a session; the answer to a HEAD has no body."""
        if MIRROR_REGION not in str(request.headers.get("Authorization")):
            return None
        self.session_id = re.search("Credential=([^/]+)", str(request.headers["Authorization"]))[1]
        if self.session_id != self.refused:
            return None
        body = f"<Error><Code>{self.code}</Code><Message>Refused</Message></Error>".encode()
        content = b"" if request.method == "HEAD" else body
        return SimpleNamespace(status_code=self.status, headers={}, raw=None, content=content, text=content.decode())

    def refuse_the_session(self, status, code):
        self.refused, self.status, self.code = self.session_id, status, code

    def _note(self, request, **_):
        asked = {name: values[0] for name, values in parse_qs(request.body).items()}
        signed = "Authorization" in request.headers
        self.sent.append(SimpleNamespace(host=urlsplit(request.url).hostname, asked=asked, signed=signed))

    def exchanges(self):
        """How many tokens were exchanged."""
        return len(self.tokens())

    def tokens(self):
        return [request.asked["WebIdentityToken"] for request in self.sent if "WebIdentityToken" in request.asked]

    def replicate(self, *events):
        with enable_iam_authentication():
            return self.world.replicate(*events)

    # Ways in which the set-up can be wrong, each with what puts it right again.

    def disabled(self):
        self.here.disable_outbound_web_identity_federation()
        return self.here.enable_outbound_web_identity_federation

    def without_permission(self):
        policy = self.here.get_role_policy(RoleName="function", PolicyName="task")["PolicyDocument"]
        return self._with_policy(policy, policy["Statement"][1:])

    def _with_policy(self, before, statements):
        def put(policy):
            self.here.put_role_policy(RoleName="function", PolicyName="task", PolicyDocument=json.dumps(policy))

        put({**before, "Statement": statements})
        return lambda: put(before)

    def with_another_audience(self):
        named = {"OpenIDConnectProviderArn": self.provider, "Url": self.issuer}
        self.there.delete_open_id_connect_provider(OpenIDConnectProviderArn=self.provider)
        self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=["another"])

        def put_right():
            self.there.delete_open_id_connect_provider(OpenIDConnectProviderArn=named["OpenIDConnectProviderArn"])
            self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=[AUDIENCE])

        return put_right

    def without_provider(self):
        self.there.delete_open_id_connect_provider(OpenIDConnectProviderArn=self.provider)
        return lambda: self.there.create_open_id_connect_provider(Url=self.issuer, ClientIDList=[AUDIENCE])

    def with_another_subject(self):
        def put(trust):
            policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
            self.there.update_assume_role_policy(RoleName="mirror", PolicyDocument=policy)

        put(self.trust(self.function + "-2"))
        return lambda: put(self.trust())


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
    monkeypatch.setattr("tasks.partition_replicate.credentials.NEW_SECONDS", -1)
    federation.replicate(world.put("a.txt"))
    sts_backends["123456789012"]["aws-us-gov"].assumed_roles[-1].expiration = utcnow()
    assert federation.replicate(world.put("a.txt", b"after"), world.put("b.txt")) == []
    assert (world.mirrored("a.txt"), world.mirrored("b.txt")) == (b"after", b"bytes")
    assert federation.exchanges() == 2


# The statuses are those of S3's API Reference, "Error responses". The answer to a HEAD has nothing else.
@pytest.mark.parametrize("status, code", [(400, "ExpiredToken"), (400, "InvalidToken"), (403, "InvalidAccessKeyId")])
def test_refused_session_is_replaced_by_one_new_one(world, federation, status, code, monkeypatch):
    monkeypatch.setattr("tasks.partition_replicate.credentials.NEW_SECONDS", -1)
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

    monkeypatch.setattr("tasks.partition_replicate.credentials.threading", SimpleNamespace(Lock=Lock))
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
