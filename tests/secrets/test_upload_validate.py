"""`upload_validate` writes no secret, in any fault of any service."""

import json
import os
from random import Random
from urllib.parse import quote

import pytest
import sentry_sdk

from tasks.upload_validate import handler as handler_module
from tasks.utils.secret_values import Secrets
from tests.conftest import REGION, client_of_the_tests
from tests.secrets import aws_faults
from tests.secrets import outside as outside_module
from tests.secrets.outside import COUNCILS, GITHUB, HOOK, SENTRY, patch_connections, serving
from tests.secrets.search import SPOILT, any_key, canary, spoilt
from tests.secrets.written import DSN_KEY
from tests.support.events import s3_event, s3_record, sqs_event
from tests.upload_validate.conftest import FINAL, QUARANTINE, UPLOADS, Context, csv_of, forget_container, prepare

# Characters that encodings change.
ODD = '+/="%&<\\'
SECRETS = {name: canary(name) for name in ("github key", "webhook key", "webhook path", "webhook query")}
SECRETS["dsn"] = DSN_KEY
MOST_RECEIVES = 5
ROUNDS = 300


def environment_of(url):
    """Return the function's environment, with the outside services at an address."""
    return {
        "TEMP_BUCKET_NAME": UPLOADS,
        "FINAL_BUCKET_NAME": FINAL,
        "QUARANTINE_BUCKET_NAME": QUARANTINE,
        "OUTCOMES_TABLE": "outcomes",
        "GITHUB_REPO": "octocat/imports",
        "GITHUB_API_URL": f"{url}{GITHUB}",
        "GITHUB_API_KEY": "ssm:/github",
        "WDIV_WEBHOOK_URL": f"{url}{HOOK}/{SECRETS['webhook path']}%2F/x?token={SECRETS['webhook query']}%22",
        "WDIV_API_KEY": "secretsmanager:webhook#key",
        "COUNCIL_API_URL": f"{url}{COUNCILS}",
        "ERROR_REPORT_EMAIL": "data@example.org",
        "SENDER_EMAIL": "robot@example.org",
        "SENTRY_DSN": "ssm:/dsn",
        "MAX_RECEIVES": str(MOST_RECEIVES),
        "LOGGING_LEVEL": "DEBUG",
    }


class World:
    """The function, with outside services that fail with the faults of a test."""

    def __init__(self, patches, faults, written, outside):
        self.faults, self.written, self.outside, self.number = faults, written, outside, 0
        self.set_environment = patches.setenv
        self.s3, sqs = client_of_the_tests("s3", REGION), client_of_the_tests("sqs", REGION)
        prepare(self.s3, client_of_the_tests("dynamodb", REGION), client_of_the_tests("ses", REGION))
        client_of_the_tests("secretsmanager", REGION).create_secret(Name="webhook", SecretString="{}")
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.environment = {**environment_of(outside.url), "DEAD_LETTER_QUEUE": dead}
        self.keep({})
        self.use({})

    @property
    def dsn(self):
        return self.outside.url.replace("//", f"//{SECRETS['dsn']}@") + "/1"

    def keep(self, other):
        """Store the secrets, or others, in the entries that the settings name."""
        kept = {"github": SECRETS["github key"] + ODD, "webhook": SECRETS["webhook key"] + ODD, "dsn": self.dsn}
        kept = {**kept, "hook": self.environment["WDIV_WEBHOOK_URL"], **other}
        ssm, manager = client_of_the_tests("ssm", REGION), client_of_the_tests("secretsmanager", REGION)
        for name in ("github", "dsn", "hook"):
            ssm.put_parameter(Name=f"/{name}", Value=kept[name], Type="SecureString", Overwrite=True)
        manager.put_secret_value(SecretId="webhook", SecretString=json.dumps({"key": kept["webhook"]}))

    def use(self, changes):
        """Start a new container with changed settings."""
        for name, value in {**self.environment, **changes}.items():
            self.set_environment(name, value)
        forget_container()

    def objects(self):
        """Return what an error may show: the container, its clients, and the objects in the errors so far."""
        container = self.written.by(handler_module.container)
        return self.written.objects(container, *map(handler_module.client, ("s3", "ssm")))

    def fail(self, target, fault):
        """Make calls to one service of AWS fail."""
        self.faults.hits = lambda service, operation, request: fault if service == target else None
        self.faults.met = 0

    def validate(self, body, *, directly=False):
        """Validate a new set; a failure becomes a dead letter, or is raised."""
        self.number += 1
        key = f"E0700{self.number:04}/2025-05-01/2025-03-02T10:00:00Z/a.csv"
        self.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        event = s3_event(s3_record(UPLOADS, key, name="ObjectCreated:Put"))
        batch = sqs_event(event)
        batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = str(MOST_RECEIVES)
        return self.written.by(lambda: handler_module.handler(event if directly else batch, Context()))


@pytest.fixture(name="world", scope="module")
def world_of_the_function(patches, faults, written):
    with serving(written) as outside:
        patch_connections(patches, outside)
        yield World(patches, faults, written, outside)
        forget_container()
        # Other tests run without a DSN.
        sentry_sdk.init(dsn="", default_integrations=False, auto_enabling_integrations=False)


@pytest.fixture(autouse=True)
def nothing_fails_at_first(world):
    yield
    world.outside.fail()


VALID, WRONG = csv_of(), csv_of(width=2)
# The address of the webhook may be in an entry too.
OF_AN_ENTRY = {"WDIV_WEBHOOK_URL": "ssm:/hook"}


@pytest.mark.parametrize("body, address", [(VALID, {}), (WRONG, OF_AN_ENTRY)], ids=["published", "rejected"])
def test_validation_writes_no_secret(world, leaks, body, address):
    world.use(address)
    world.validate(body)
    world.use({})
    said = world.written.log.getvalue()
    assert '"Published"' in said or '"Rejected"' in said
    assert {"a call to hook", "what is sent to hook"} <= {place for place, _ in world.written.places}
    assert leaks(SECRETS, world.objects()) == []


@pytest.mark.first_cases(5)
@pytest.mark.parametrize("fault", outside_module.CASES)
def test_calls_outside_that_fail_write_no_secret(world, leaks, fault):
    for targets, body in (((COUNCILS, GITHUB), VALID), ((COUNCILS, HOOK), WRONG)):
        world.outside.fail(*targets, fault=fault)
        world.validate(body)
        assert world.outside.met == set(targets)
    assert leaks(SECRETS) == []


@pytest.mark.parametrize("fault", aws_faults.CASES)
def test_calls_to_aws_that_fail_write_no_secret(world, leaks, fault):
    bodies = {"s3": VALID, "dynamodb": VALID, "ses": WRONG, "secrets-manager": WRONG, "ssm": VALID}
    for target, body in bodies.items():
        if target in ("secrets-manager", "ssm"):
            # A container reads each secret once.
            world.use({})
        world.fail(target, fault)
        world.validate(body)
        assert world.faults.met
    assert leaks(SECRETS) == []


@pytest.mark.parametrize("wrong", SPOILT)
def test_invalid_secret_is_not_written(world, leaks, wrong):
    names = {"github": "github key", "webhook": "webhook key", "dsn": "dsn", "hook": "webhook path"}
    world.keep({entry: spoilt(name)[wrong] for entry, name in names.items()})
    world.use(OF_AN_ENTRY)
    world.validate(VALID)
    world.validate(WRONG, directly=True)
    objects = list(world.objects())
    world.keep({})
    world.use({})
    assert leaks(SECRETS, objects) == []


USERINFO = f"https://{canary('user')}:{canary('password')}@example.org/{canary('path')}"
WRONG_SETTINGS = {
    "addresses with userinfo": dict.fromkeys(("COUNCIL_API_URL", "GITHUB_API_URL", "WDIV_WEBHOOK_URL"), USERINFO),
    "addresses that are none": dict.fromkeys(
        ("COUNCIL_API_URL", "GITHUB_API_URL", "WDIV_WEBHOOK_URL", "SENTRY_DSN"), f"https://[{canary('path')}:"
    ),
    "addresses without TLS": {
        "WDIV_WEBHOOK_URL": f"http://example.org/{canary('path')}",
        "SENTRY_DSN": f"http://{canary('user')}@example.org/1",
    },
    "a DSN without a project": {"SENTRY_DSN": f"https://{canary('user')}@example.org"},
    "keys that are not sent": {"GITHUB_API_KEY": "", "WDIV_API_KEY": ""},
    "keys as they are": {"GITHUB_API_KEY": canary("github key"), "WDIV_API_KEY": canary("webhook key")},
    "keys that no header takes": {"GITHUB_API_KEY": f"{canary('path')}\n", "WDIV_API_KEY": f"{canary('user')}\té"},
    "a number that is none": {"MAX_RECEIVES": "many", "GITHUB_API_KEY": canary("path")},
}


@pytest.mark.parametrize("wrong", WRONG_SETTINGS)
def test_invalid_setting_is_not_written(world, leaks, wrong):
    world.use(WRONG_SETTINGS[wrong])
    world.outside.fail(HOOK, fault=outside_module.FAULTS["403"])
    world.validate(VALID, directly=True)
    objects = list(world.objects())
    world.use({})
    more = {name: canary(name) for name in ("user", "password", "path")}
    assert leaks({**SECRETS, **more}, objects) == []


@pytest.mark.parametrize("fault", ["401", "500"])
def test_secret_that_is_not_hidden_is_found(world, leaks, monkeypatch, fault):
    monkeypatch.setattr(Secrets, "hide", lambda self, text: text)
    world.outside.fail(GITHUB, fault=outside_module.FAULTS[fault])
    world.validate(VALID)
    found = leaks(SECRETS)
    assert {"the log holds github key", "an error holds github key"} <= set(found)
    assert "what SendMessage sends to sqs holds github key" in found


@pytest.mark.chaos
def test_function_under_random_faults_writes_no_secret(world, leaks):
    seed = os.environ.get("CHAOS_SEED", "0")
    for number in range(ROUNDS):
        random = Random(f"{seed}-{number}")
        world.written.forget()
        path, query = (quote(any_key(random, f"webhook {part}"), safe="") for part in ("path", "query"))
        url = f"{world.outside.url}{HOOK}/{path}?a={query}"
        keys = {entry: any_key(random, f"{entry} key") for entry in ("github", "webhook")}
        world.keep({**keys, "hook": url})
        world.use(random.choice([OF_AN_ENTRY, {"WDIV_WEBHOOK_URL": url}]))
        world.outside.fail(
            *random.sample([COUNCILS, GITHUB, HOOK, SENTRY], random.randrange(5)),
            fault=random.choice(list(outside_module.FAULTS.values())),
        )
        world.faults.hits = aws_faults.random_faults(random)
        world.validate(random.choice([VALID, WRONG]), directly=random.random() < 0.5)
        world.faults.hits = aws_faults.none
        assert leaks(SECRETS) == [], f"round {number} of CHAOS_SEED={seed}"
