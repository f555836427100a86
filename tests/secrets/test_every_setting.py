"""Each setting of each task is plain, a secret, or the name of a secret; each secret has a canary in the tests."""

import dataclasses
import importlib
from operator import attrgetter
from pathlib import Path
from typing import get_type_hints

import pytest

from tasks.utils.settings import Environment
from tests.partition_replicate.conftest import SECRET
from tests.secrets import test_partition_replicate, test_upload_validate
from tests.secrets.search import CORE

ROOT = Path(__file__).parents[2]


# Each new setting belongs in one of these two, and a secret in the environment of its task's test as well.
SECRET_SETTINGS = {
    "utils.DestinationSettings": {"secret"},
    # An address may contain a key in its path or query.
    "upload_validate.Settings": {
        f"notifications.{name}" for name in ("github.key", "sentry_dsn", "webhook.key", "webhook.url")
    },
}
PLAIN_SETTINGS = {
    "archive_copy.CopySettings": {"annotations", "concurrency", "direct_requests", "older_versions", "retries"}
    | {"retry_sleep_secs"},
    "archive_copy.Settings": {"bucket_map", "bucket_owners", "copying", "queue", "source_bucket", "telemetry"},
    "mirror_check.RunSettings": {"keeps_deleted", "lag", "prefixes", "repairs"},
    "mirror_check.MirrorSettings": {"dead_letters", "objects_queue", "objects_table", "source_bucket"},
    "mirror_check.Settings": {"bucket_owners", "destination", "mirror", "queue", "run", "telemetry"},
    # An external ID is no secret: "External ID", IAM User Guide.
    "otf_addons.Settings": {
        "failed_lookup_is_error",
        "region",
        "role_arn",
        "role_external_id",
        "variables_are_read_once",
    },
    "partition_replicate.IntakeSettings": {"objects_queue", "queue", "recheck_queue", "source_bucket", "telemetry"},
    "partition_replicate.MirrorSettings": {"annotations", "deletes", "kms_key", "version_deletes", "versions"},
    "partition_replicate.Settings": {"bucket_owners", "destination", "intake", "mirror", "work"},
    "partition_replicate.WorkSettings": {"concurrency", "direct_requests", "memory", "objects_table"},
    # The settings refuse a user in the addresses of GitHub's and the councils' APIs, whose paths are no secrets.
    "upload_validate.Settings": {"direct_requests", "outcomes_table", "queue", "telemetry"}
    | {f"buckets.{name}" for name in ("final", "owners", "quarantine", "superseded", "upload")}
    | {f"checks.{name}" for name in ("error_limit", "file_limit", "profile", "table_schema")}
    | {f"notifications.{name}" for name in ("council_api_url", "github.api_url", "github.repository")}
    | {"notifications.recipient", "notifications.sender"},
    # The role's token and credentials are secrets of the running function, not of its settings.
    "utils.DestinationSettings": {"bucket", "endpoint_url", "region", "role_arn", "token_audience"},
    "utils.QueueSettings": {"dead_letter_queue", "max_receives", "url"},
    "utils.TelemetrySettings": {"deployment", "level"},
}


def classes():
    """Yield the name and the class of each task's settings."""
    for path in sorted([*ROOT.glob("tasks/*/settings.py"), *ROOT.glob("tasks/*/mirror_settings.py")]):
        module = importlib.import_module(f"tasks.{path.parent.name}.{path.stem}")
        for name, found in vars(module).items():
            if name.endswith("Settings") and found.__module__ == module.__name__:
                yield f"{path.parent.name}.{name}", found


CLASSES = dict(classes())


def settings_of(kind, prefix=""):
    """Yield the name of each setting of a class; a nested class without a section here adds its attribute's name."""
    for name, type_ in get_type_hints(kind).items():
        is_nested = dataclasses.is_dataclass(type_) and type_.__module__ == kind.__module__
        if is_nested and "Settings" not in type_.__name__:
            yield from settings_of(type_, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_classes_of_plain_and_of_secret_settings_exist():
    assert sorted({*PLAIN_SETTINGS, *SECRET_SETTINGS} - CLASSES.keys()) == []


@pytest.mark.parametrize("name", CLASSES)
def test_setting_is_plain_or_a_secret(name):
    plain, secret = PLAIN_SETTINGS.get(name, set()), SECRET_SETTINGS.get(name, set())
    settings = set(settings_of(CLASSES[name]))
    if of_neither_kind := settings - plain - secret:
        sentences = (f"{name}.{each} is neither in PLAIN_SETTINGS nor in SECRET_SETTINGS" for each in of_neither_kind)
        pytest.fail("\n".join(sentences), pytrace=False)
    assert plain | secret == settings
    assert not plain & secret


ENVIRONMENTS = {
    "utils.DestinationSettings": Environment(
        {
            **dict.fromkeys(("DEST_BUCKET", "DEST_BUCKET_REGION"), "destination"),
            **test_partition_replicate.WAYS["by a user"],
        }
    ),
    "upload_validate.Settings": test_upload_validate.environment_of("http://127.0.0.1:1"),
}


@pytest.mark.parametrize("name", SECRET_SETTINGS)
def test_setting_that_is_a_secret_has_a_canary(name):
    settings = CLASSES[name].read(ENVIRONMENTS[name])
    held = {each for each in settings_of(CLASSES[name]) if is_secret(attrgetter(each)(settings))}
    assert held == SECRET_SETTINGS[name]


def is_secret(value):
    """Return whether a setting contains a canary, or the name of an entry with one."""
    places = (SECRET, "ssm:", "secretsmanager:")
    return isinstance(value, str) and (CORE in value or value.startswith(places))
