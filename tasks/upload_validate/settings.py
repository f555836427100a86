"""The environment of `upload_validate`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.upload_validate.addresses import fault_of
from tasks.utils.secret_values import fault_of_key
from tasks.utils.settings import Environment, QueueSettings, TelemetrySettings

COUNCIL_API_URL = "https://wheredoivote.co.uk/api/beta/councils"
GITHUB_API_URL = "https://api.github.com"

# What happens to files of an earlier set that the new one does not have. The default keeps them, because it loses
# nothing that was published: uploads that expire one after the other look like a set that shrinks.
KEEP, REMOVE = "keep", "remove"

# As many errors of a file, and as many files of a set, as a person can look through.
ERROR_LIMIT, FILE_LIMIT = 50, 1000

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
# `//host/path` is an address without its scheme.
_ENTRY = re.compile(r"/(?!/)|ssm:|secretsmanager:|arn:")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


@dataclass(frozen=True)
class Buckets:
    """The buckets.

    Attributes:
        upload: the bucket that files are uploaded to.
        final: the bucket for valid sets.
        quarantine: the bucket for rejected sets, or "".
        owners: bucket -> the account that must own it, `*` for all others; {} expects no owner.
        superseded: `keep` or `remove` files of an earlier set that the new one does not have.
    """

    upload: str
    final: str
    quarantine: str = ""
    owners: Mapping[str, str] = field(default_factory=dict)
    superseded: str = KEEP


@dataclass(frozen=True)
class Checks:
    """What sets are checked against.

    Attributes:
        profile: the name of the profile.
        table_schema: the place of its Table Schema, or "".
        error_limit: how many errors of a file are reported in full.
        file_limit: how many files a set may have.
    """

    profile: str
    table_schema: str
    error_limit: int
    file_limit: int


@dataclass(frozen=True)
class Github:
    """The repository for issues.

    Attributes:
        repository: `owner/name`.
        api_url: the address of GitHub's API.
        key: the key, or the name of its entry, or "".
    """

    repository: str
    api_url: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True)
class Hook:
    """The webhook.

    Attributes:
        url: the address that receives each report, or the name of its entry.
        key: the key, or the name of its entry, or "".
    """

    url: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True)
class Notifications:
    """The services that notifications are sent through, and the one that knows the councils' names.

    Attributes:
        github: the `Github`.
        webhook: the `Hook`.
        recipient: the address for e-mails on errors, or "".
        sender: the address that these e-mails come from.
        council_api_url: the address where councils are looked up.
        sentry_dsn: the DSN for errors of the code, or the name of its entry, or "".
    """

    github: Github
    webhook: Hook
    recipient: str
    sender: str
    council_api_url: str = field(repr=False)
    sentry_dsn: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """The settings of one deployment.

    Attributes:
        buckets: the `Buckets`.
        checks: the `Checks`.
        notifications: the `Notifications`.
        queue: the `QueueSettings`.
        outcomes_table: the DynamoDB table that records what was done.
        direct_requests: whether the most common S3 requests are sent without most of botocore.
        telemetry: the settings of log lines and metrics.
    """

    buckets: Buckets
    checks: Checks
    notifications: Notifications
    queue: QueueSettings
    outcomes_table: str
    direct_requests: bool
    telemetry: TelemetrySettings

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "Settings":
        """Return the settings in an environment.

        Raises:
            SettingsError: a sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        settings = cls(
            buckets=_buckets(environment),
            checks=_checks(environment),
            notifications=_notifications(environment),
            queue=environment.queue_settings(environment.text("WORK_QUEUE", default="")),
            outcomes_table=environment.text("OUTCOMES_TABLE", example="the DynamoDB table that records what was done"),
            # A direct GetObject saves 0.6 ms of CPU for each file. The import for direct requests lengthens a cold
            # start by 15 to 25 ms of CPU, so a set of a few files does not gain.
            direct_requests=environment.switch("DIRECT_REQUESTS", default=False),
            telemetry=environment.telemetry(),
        )
        environment.finish()
        return settings


def _buckets(environment: Environment) -> Buckets:
    text = environment.text
    buckets = Buckets(
        upload=text("TEMP_BUCKET_NAME", example="the bucket that files are uploaded to"),
        final=text("FINAL_BUCKET_NAME", example="the bucket for valid sets"),
        quarantine=text("QUARANTINE_BUCKET_NAME", default=""),
        owners=environment.bucket_owners(),
        superseded=environment.choice("SUPERSEDED_FILES", (KEEP, REMOVE), default=KEEP),
    )
    for name, bucket in (("FINAL_BUCKET_NAME", buckets.final), ("QUARANTINE_BUCKET_NAME", buckets.quarantine)):
        if bucket and bucket == buckets.upload:
            environment.problem(f"{name} is TEMP_BUCKET_NAME too: a published file would be taken for an upload")
    if buckets.quarantine and buckets.quarantine == buckets.final:
        environment.problem("QUARANTINE_BUCKET_NAME is FINAL_BUCKET_NAME too: rejected files would be published")
    return buckets


def _checks(environment: Environment) -> Checks:
    return Checks(
        profile=environment.text("PROFILE", default="polling-stations"),
        table_schema=environment.text("TABLE_SCHEMA", default=""),
        error_limit=environment.integer("ERROR_LIMIT", default=ERROR_LIMIT, least=1, most=1000),
        file_limit=environment.integer("FILE_LIMIT", default=FILE_LIMIT, least=1, most=10_000),
    )


def _notifications(environment: Environment) -> Notifications:
    text = environment.text
    repository = text("GITHUB_REPO", example="owner/name of the repository where issues are raised")
    recipient = text("ERROR_REPORT_EMAIL", default="")
    notifications = Notifications(
        github=Github(repository, text("GITHUB_API_URL", default=GITHUB_API_URL), _key(environment, "GITHUB_API_KEY")),
        webhook=Hook(
            text("WDIV_WEBHOOK_URL", example="the address that every report is posted to"),
            _key(environment, "WDIV_API_KEY"),
        ),
        recipient=recipient,
        sender=text("SENDER_EMAIL", default=recipient),
        council_api_url=text("COUNCIL_API_URL", default=COUNCIL_API_URL),
        sentry_dsn=text("SENTRY_DSN", default=""),
    )
    forms = (
        ("GITHUB_REPO", repository, _REPOSITORY, "owner/name, such as octocat/hello-world"),
        ("ERROR_REPORT_EMAIL", recipient, _ADDRESS, "an e-mail address"),
    )
    for name, value, form, shape in forms:
        if value and not form.fullmatch(value):
            environment.problem(f"{name} is {value!r}: it should be {shape}")
    _check_addresses(environment, notifications)
    return notifications


def _key(environment: Environment, name: str) -> str:
    key: str = environment.text(name, default="")
    fault = fault_of_key(key) if key else ""
    if fault:
        environment.problem(f"{name} {fault}")
    return key


def _check_addresses(environment: Environment, notifications: Notifications) -> None:
    webhook = notifications.webhook.url
    addresses = (
        ("WDIV_WEBHOOK_URL", "" if is_entry(webhook) else webhook, "https://example.org/hook"),
        ("GITHUB_API_URL", notifications.github.api_url, GITHUB_API_URL),
        ("COUNCIL_API_URL", notifications.council_api_url, COUNCIL_API_URL),
    )
    for name, url, example in addresses:
        fault = fault_of(url) if url else ""
        if fault:
            # The message does not show the address, because it may contain a key.
            environment.problem(f"{name} {fault}: it should be an https address such as {example}")


def is_entry(value: str) -> bool:
    """Return whether a setting for an address holds the name of an entry instead."""
    return _ENTRY.match(value) is not None


def fault_of_dsn(dsn: str) -> str:
    """Return what is wrong with a DSN of Sentry, in a sentence that repeats nothing of it, or ""."""
    fault = fault_of(dsn, with_user=True)
    return fault and f"SENTRY_DSN {fault}: it should be an https address such as https://key@example.org/1"
