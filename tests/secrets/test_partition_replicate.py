"""`partition_replicate` writes no secret, in any fault of any service."""

import json
import os
from functools import partial
from random import Random

import pytest

from tasks.partition_replicate import handler as handler_module
from tests.partition_replicate.conftest import MIRROR, SECRET, forget_container, new_world, settings_of
from tests.partition_replicate.events import sqs_batch
from tests.secrets.aws_faults import CASES, answer, random_faults, sent
from tests.secrets.search import SPOILT, any_key, canary, spoilt

ROUNDS = 300
KEYS = {"accesskey": canary("access key") + '+/="%', "secretaccesskey": canary("secret access key") + '+/="%'}
# As from STS: a token in three parts, with the claims in the middle.
TOKEN = f"eyJhbGciOiJFUzM4NCJ9.eyJpc3MiOiJpc3N1ZXIifQ.{canary('web identity token')}"
SESSION = {
    "AccessKeyId": canary("session key id"),
    "SecretAccessKey": canary("session secret key"),
    "SessionToken": canary("session token") + "+/=",
    "Expiration": "2030-01-01T00:00:00Z",
}
ROLE = "arn:aws-us-gov:iam::123456789012:role/mirror"
SECRETS = {
    name: canary(name)
    for name in (
        "access key",
        "secret access key",
        "web identity token",
        "session key id",
        "session secret key",
        "session token",
    )
}
WAYS = {
    "by a user": {"DEST_SECRET": SECRET, "DEST_ROLE_ARN": ""},
    "by a role": {"DEST_SECRET": "", "DEST_ROLE_ARN": ROLE, "DEST_TOKEN_AUDIENCE": "bucket-brigade"},
}


def of_sts(operation, content, request):
    result = f"<{operation}Result>{content}</{operation}Result>"
    return answer(request, 200, f"<{operation}Response>{result}</{operation}Response>")


def sts(operation, request):
    """Answer as STS of both partitions."""
    if operation == "GetWebIdentityToken":
        return of_sts(operation, f"<WebIdentityToken>{TOKEN}</WebIdentityToken>", request)
    made = "".join(f"<{name}>{value}</{name}>" for name, value in SESSION.items())
    return of_sts(operation, f"<Credentials>{made}</Credentials>", request)


class World:
    """A worker whose requests fail with the faults of a test."""

    def __init__(self, patches, faults, written):
        self.world = new_world()
        self.faults, self.written, self.number = faults, written, 0
        self.put_secret(json.dumps(KEYS))
        for name, value in settings_of(self.world).items():
            patches.setenv(name, value)
        patches.setenv("LOGGING_LEVEL", "DEBUG")
        self.set_environment = patches.setenv

    def put_secret(self, text):
        self.world.secrets.put_secret_value(SecretId=SECRET, SecretString=text)

    def use(self, way):
        for name, value in WAYS[way].items():
            self.set_environment(name, value)
        forget_container()

    def objects(self):
        """Return what an error may show: the container, its clients, and the objects in the errors so far."""
        worker = handler_module.worker()
        return self.written.objects(worker, worker.replicator, worker.destination)

    def fail(self, target, fault):
        """Make requests to one service fail; without a fault, none fails."""

        def hits(service, operation, request):
            where = service
            if service == "s3":
                where = "destination" if f"/{MIRROR}" in request.url or f"//{MIRROR}" in request.url else "source"
            if fault and where == target or (service, operation) == target:
                return fault
            return partial(sts, operation) if service == "sts" else None

        self.faults.hits, self.faults.met = hits, 0

    def replicate(self):
        """Mirror a new object whose message is old, so that a failure makes it a dead letter."""
        self.number += 1
        batch = sqs_batch(self.world.put(f"{self.number}.txt"), receives=30)
        batch["Records"][0]["attributes"]["ApproximateFirstReceiveTimestamp"] = "1000"
        return self.written.by(lambda: handler_module.replicate(batch, None))


@pytest.fixture(name="world", scope="module")
def world_of_two_partitions(patches, faults, written):
    yield World(patches, faults, written)
    forget_container()


@pytest.mark.parametrize("way", WAYS)
def test_mirroring_writes_no_secret(world, leaks, way):
    world.use(way)
    world.fail("", None)
    assert world.replicate() == {"batchItemFailures": []}
    assert world.world.mirrored(f"{world.number}.txt") == b"bytes"
    assert leaks(SECRETS, world.objects()) == []


CALLS = {
    "by a user": ("secrets-manager", "destination"),
    "by a role": (
        ("sts", "GetWebIdentityToken"),
        ("sts", "AssumeRoleWithWebIdentity"),
        "destination",
        "source",
        "dynamodb",
    ),
}


@pytest.mark.parametrize("fault", CASES)
@pytest.mark.parametrize("way", WAYS)
def test_calls_that_fail_write_no_secret(world, leaks, way, fault):
    for target in CALLS[way]:
        world.use(way)
        world.fail(target, fault)
        world.replicate()
        assert world.faults.met
    assert leaks(SECRETS) == []


def test_truncated_answer_with_credentials_is_not_written(world, leaks):
    world.use("by a role")
    made = "".join(f"<{name}>{value}</{name}>" for name, value in SESSION.items())
    world.fail(("sts", "AssumeRoleWithWebIdentity"), lambda request: answer(request, 200, f"<Credentials>{made}"))
    world.replicate()
    assert world.faults.met
    assert leaks(SECRETS) == []


@pytest.mark.parametrize("wrong", SPOILT)
def test_invalid_secret_is_not_written(world, leaks, wrong):
    text = spoilt("access key")[wrong]
    for secret in (text, json.dumps({"accesskey": text, "secretaccesskey": text})):
        world.put_secret(secret)
        world.use("by a user")
        world.fail("destination", sent)
        world.replicate()
    world.put_secret(json.dumps(KEYS))
    assert leaks(SECRETS, world.objects()) == []


@pytest.mark.chaos
def test_function_under_random_faults_writes_no_secret(world, leaks):
    seed = os.environ.get("CHAOS_SEED", "0")
    for number in range(ROUNDS):
        random = Random(f"{seed}-{number}")
        world.written.forget()
        keys = {"accesskey": any_key(random, "access key"), "secretaccesskey": any_key(random, "secret access key")}
        world.put_secret(json.dumps(keys))
        world.use(random.choice(list(WAYS)))
        world.fail("", None)
        answers, faults = world.faults.hits, random_faults(random)
        world.faults.hits = lambda *call, answers=answers, faults=faults: faults(*call) or answers(*call)
        world.replicate()
        world.fail("", None)
        assert leaks(SECRETS) == [], f"round {number} of CHAOS_SEED={seed}"
