"""What `upload_validate` is told by its environment."""

import re
from dataclasses import dataclass, field

from tasks.upload_validate.addresses import fault_of
from tasks.utils.secret_values import fault_of_key
from tasks.utils.settings import Environment

COUNCIL_API_URL = "https://wheredoivote.co.uk/api/beta/councils"
GITHUB_API_URL = "https://api.github.com"

# What becomes of files of an earlier set that the new one does not have. To keep them is the default, because nothing
# that was published is lost by it: uploads that expire one after the other look like a set that shrinks.
KEEP, REMOVE = "keep", "remove"

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
# `//host/path` is an address without its scheme.
_ENTRY = re.compile(r"/(?!/)|ssm:|secretsmanager:|arn:")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


# One for each variable.
@dataclass(frozen=True)
class Settings:  # pylint: disable=too-many-instance-attributes
    """The settings of one deployment.

    Attributes:
        temp_bucket: where files are uploaded to.
        final_bucket: where right ones are published.
        quarantine_bucket: where wrong ones are put aside, or "".
        bucket_owners: bucket -> the account that it must belong to, `*` for all others; {} expects nothing.
        superseded_files: `keep` or `remove` files of an earlier set that the new one does not have.
        outcomes_table: the DynamoDB table that remembers what was done.
        profile: the name of the profile.
        table_schema: where its Table Schema is, or "".
        error_limit: how many errors of a file are told in full.
        file_limit: how many files a set may have.
        direct_requests: whether the most common S3 requests are sent without most of botocore.
        github_repo: `owner/name` of the repository where issues are raised.
        github_api_url: GitHub's API.
        github_key: its key, or the name of the entry that holds it, or "".
        council_api_url: where councils are looked up.
        webhook_url: what is called with each report, or the name of the entry that holds the address.
        webhook_key: its key, or the name of the entry that holds it, or "".
        error_report_email: who is written to about errors, or "".
        sender_email: whom these e-mails come from.
        sentry_dsn: where errors of the code are told, or the name of the entry that holds it, or "".
        work_queue: the URL of the queue that the function takes its work from, or "".
        dead_letter_queue: the URL of the queue for what can never succeed, or "".
        max_receives: how often the queue hands out a message before it gives up, or None.
        logging_level: the least level that is logged.
    """

    temp_bucket: str
    final_bucket: str
    quarantine_bucket: str
    bucket_owners: dict[str, str]
    superseded_files: str
    outcomes_table: str
    profile: str
    table_schema: str
    error_limit: int
    file_limit: int
    direct_requests: bool
    github_repo: str
    github_api_url: str = field(repr=False)
    github_key: str = field(repr=False)
    council_api_url: str = field(repr=False)
    webhook_url: str = field(repr=False)
    webhook_key: str = field(repr=False)
    error_report_email: str
    sender_email: str
    sentry_dsn: str = field(repr=False)
    work_queue: str
    dead_letter_queue: str
    max_receives: int | None
    logging_level: str

    @classmethod
    def read(cls, values):
        """Returns the settings.

        Args:
            values: the environment, a mapping of texts.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        text = environment.text
        recipient = text("ERROR_REPORT_EMAIL", default="")
        settings = cls(
            temp_bucket=text("TEMP_BUCKET_NAME", example="the bucket that files are uploaded to"),
            final_bucket=text("FINAL_BUCKET_NAME", example="the bucket that right files are published in"),
            quarantine_bucket=text("QUARANTINE_BUCKET_NAME", default=""),
            bucket_owners=environment.bucket_owners(),
            superseded_files=environment.choice("SUPERSEDED_FILES", (KEEP, REMOVE), default=KEEP),
            outcomes_table=text("OUTCOMES_TABLE", example="the DynamoDB table that remembers what was done"),
            profile=text("PROFILE", default="polling-stations"),
            table_schema=text("TABLE_SCHEMA", default=""),
            error_limit=environment.integer("ERROR_LIMIT", default=50, least=1, most=1000),
            file_limit=environment.integer("FILE_LIMIT", default=1000, least=1, most=10_000),
            # A direct GetObject saves 0.6 ms of CPU for each file. The import for direct requests lengthens a cold
            # start by 15 to 25 ms of CPU, so a set of a few files does not gain.
            direct_requests=environment.switch("DIRECT_REQUESTS", default=False),
            github_repo=text("GITHUB_REPO", example="owner/name of the repository where issues are raised"),
            github_api_url=text("GITHUB_API_URL", default=GITHUB_API_URL),
            github_key=text("GITHUB_API_KEY", default=""),
            council_api_url=text("COUNCIL_API_URL", default=COUNCIL_API_URL),
            webhook_url=text("WDIV_WEBHOOK_URL", example="the address that every report is posted to"),
            webhook_key=text("WDIV_API_KEY", default=""),
            error_report_email=recipient,
            sender_email=text("SENDER_EMAIL", default=recipient),
            sentry_dsn=text("SENTRY_DSN", default=""),
            work_queue=text("WORK_QUEUE", default=""),
            **environment.of_the_queue(),
            logging_level=environment.logging_level(),
        )
        settings.judge_forms(environment)
        environment.finish()
        return settings

    def judge_forms(self, environment):
        """Adds to an `Environment` what is wrong with the values that have a form."""
        forms = (
            ("GITHUB_REPO", self.github_repo, _REPOSITORY, "owner/name, such as octocat/hello-world"),
            ("ERROR_REPORT_EMAIL", self.error_report_email, _ADDRESS, "an e-mail address"),
        )
        for name, value, form, shape in forms:
            if value and not form.fullmatch(value):
                environment.problem(f"{name} is {value!r}: it should be {shape}")
        self._judge_addresses(environment)
        for name, key in (("GITHUB_API_KEY", self.github_key), ("WDIV_API_KEY", self.webhook_key)):
            fault = fault_of_key(key) if key else ""
            if fault:
                environment.problem(f"{name} {fault}")
        buckets = {"FINAL_BUCKET_NAME": self.final_bucket, "QUARANTINE_BUCKET_NAME": self.quarantine_bucket}
        for name, bucket in buckets.items():
            if bucket and bucket == self.temp_bucket:
                environment.problem(f"{name} is TEMP_BUCKET_NAME too: what is published would be taken for an upload")
        if self.quarantine_bucket and self.quarantine_bucket == self.final_bucket:
            environment.problem("QUARANTINE_BUCKET_NAME is FINAL_BUCKET_NAME too: wrong files would be published")

    def _judge_addresses(self, environment):
        addresses = (
            ("WDIV_WEBHOOK_URL", self.webhook_url, "https://example.org/hook"),
            ("GITHUB_API_URL", self.github_api_url, GITHUB_API_URL),
            ("COUNCIL_API_URL", self.council_api_url, COUNCIL_API_URL),
        )
        for name, url, example in addresses:
            fault = fault_of(url) if url and not (name == "WDIV_WEBHOOK_URL" and is_entry(url)) else ""
            if fault:
                # An address may hold a key, so it is not shown.
                environment.problem(f"{name} {fault}: it should be an https address such as {example}")


def is_entry(value):
    """Returns whether a setting that takes an address or the name of the entry that holds it is such a name."""
    return _ENTRY.match(value) is not None


def fault_of_dsn(dsn):
    """Returns what is wrong with a DSN of Sentry's, in a sentence that repeats nothing of it, or ""."""
    fault = fault_of(dsn, with_user=True)
    return fault and f"SENTRY_DSN {fault}: it should be an https address such as https://key@example.org/1"
