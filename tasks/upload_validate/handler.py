"""Lambda function that checks sets of uploaded files, publishes the valid ones and notifies people once.

Takes S3 events (`ObjectCreated:*`), directly or through SQS, SNS and EventBridge. An event only names the set to look
at: the set is checked as it is when the event is handled.

Environment: see `settings.Settings`.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

# Before everything else of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.object_clerk import downloads
from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.pacer import Pacer
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.transfers import Transfer
from tasks.upload_validate.api_keys import KeyRing
from tasks.upload_validate.errors import KeyUnavailableError
from tasks.upload_validate.file_sets import UploadBucket
from tasks.upload_validate.idempotency import Outcomes
from tasks.upload_validate.outcome_log import OutcomeLog
from tasks.upload_validate.profile import Profile
from tasks.upload_validate.profile_reader import load_profile
from tasks.upload_validate.publisher import Publisher
from tasks.upload_validate.reporters.councils import council_name
from tasks.upload_validate.reporters.github_issues import GithubIssues
from tasks.upload_validate.reporters.http import HttpClient
from tasks.upload_validate.reporters.sentry import Sentry
from tasks.upload_validate.reporters.ses_mail import SesMail
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.upload_validate.set_check import SetCheck
from tasks.upload_validate.settings import Settings
from tasks.upload_validate.uploaded_bytes import read_upload
from tasks.upload_validate.validator import Intake, Reporters, Validator
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError, SettingsError
from tasks.utils.events import is_queue_event, object_events
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tasks.utils.telemetry import Telemetry
from tasks.utils.work_queue import Message, WorkQueue

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ses import SESClient

LOGGER = logging.getLogger("bucket_brigade")

# Three seconds in all: a longer failure of S3 is left to another delivery.
S3_POLICY = RetryPolicy(tries=5, delay=0.2, jitter=(0.0, 0.2))


@dataclass(frozen=True)
class Container:
    """The objects that a container makes once and each invocation in it uses."""

    settings: Settings
    keys: KeyRing
    queue: WorkQueue
    dead_letters: DeadLetters
    telemetry: Telemetry
    pacer: Pacer = field(default_factory=Pacer)
    warned: set[str] = field(default_factory=set)

    @cached_property
    def s3(self) -> "S3Client":
        """The S3 client."""
        s3: S3Client = clients.s3(direct=self.settings.direct_requests, config=client_config())
        expect_owners(s3, self.settings.buckets.owners)
        return s3

    # Profile and DSN are read on first use. If that fails for a while, messages go back to the queue.

    @cached_property
    def profile(self) -> Profile:
        """The profile.

        Raises:
            SettingsError: the profile, or its Table Schema, is wrong.
            ObjectClerkException: the Table Schema cannot be read from its bucket.
        """
        return load_profile(self.settings.checks.profile, self.settings.checks.table_schema, self._read_object)

    @cached_property
    def sentry(self) -> Sentry:
        """The reporter of errors in the code; without a DSN it sends nothing.

        Raises:
            KeyUnavailableError: the entry of the DSN cannot be read.
            SettingsError: the DSN has a wrong form.
        """
        key = self.keys.key(self.settings.notifications.sentry_dsn)
        return Sentry(key.value() if key else "", self.keys.known)

    def _read_object(self, address: S3Object) -> bytes:
        requests = S3Requests(self.s3, S3_POLICY, pacer=self.pacer)
        content: bytes = downloads.read(requests, address, transfer=Transfer())
        return content


@cache
def container() -> Container:
    """Return the container's objects; reads the settings and makes no request."""
    settings = Settings.read(os.environ)
    queue = settings.queue
    return Container(
        settings=settings,
        keys=KeyRing(partial(client, "ssm"), partial(client, "secretsmanager")),
        queue=WorkQueue(partial(client, "sqs"), queue.url),
        dead_letters=DeadLetters(partial(client, "sqs"), queue.dead_letter_queue, queue.max_receives),
        telemetry=Telemetry.set_up("upload_validate", settings.telemetry),
    )


@cache
def client(service: str) -> Any:
    """Return the container's client of a service, made on first use."""
    # Retries are counted in one place: by this project's policy for S3 and SES, by botocore for the others.
    return clients.client(service)


def ses_client(connect_timeout: float, read_timeout: float) -> "SESClient":
    """Return an SES client for one call, with time-outs in seconds."""
    ses: SESClient = clients.client(
        "ses", config=client_config(connect_timeout=connect_timeout, read_timeout=read_timeout)
    )
    return ses


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Settle each set that the event's objects belong to.

    Args:
        event: any of the envelopes named above.
        context: Lambda's context; None for a call by hand.

    Returns:
        For SQS `{"batchItemFailures": [...]}`; for everything else
        `{"sets": [{"set", "outcome", "files", "errors", "digest"}]}`, each set once.

    Raises:
        BucketBrigadeError: a set of a direct event was not settled, or a notification was not sent; the other sets
            were settled.
        SettingsError: the environment or the profile is incomplete or wrong.
    """
    deadline = Deadline.of_lambda(context)
    here = deadline.limit(container)
    with here.telemetry.invocation(context) as count:
        sentry = deadline.limit(lambda: _sentry(here))
        outcome_log = OutcomeLog(here.telemetry.logger, count, sentry.capture)

        def handle() -> dict[str, Any]:
            intake = partial(_intake, here, outcome_log, context, deadline)
            if is_queue_event(event):
                return _handle_batch(here, event, intake, outcome_log, deadline)
            return {"sets": intake().handle_all(object_events(event))}

        try:
            # Records of notifications may be written after the deadline of the work.
            return deadline.closing().limit(handle)
        except Exception as error:
            sentry.capture(error)
            raise
        finally:
            sentry.flush()


def _sentry(here: Container) -> Sentry:
    try:
        return here.sentry
    except (KeyUnavailableError, SettingsError) as error:
        # Sets are settled nevertheless. The next invocation reads the entry again, so a corrected one takes effect.
        reason = str(error)
    if reason not in here.warned:
        here.warned.add(reason)
        LOGGER.warning("errors are not reported to Sentry", extra={"reason": reason})
    return Sentry("")


def _handle_batch(
    here: Container, event: Any, intake: Callable[[], Intake], outcome_log: OutcomeLog, deadline: Deadline
) -> dict[str, Any]:
    made: Intake | None = None
    unavailable: BucketBrigadeError | None = None
    try:
        made = intake()
    except BucketBrigadeError as error:
        if not error.transient:
            raise
        unavailable = error

    def handle(message: Message) -> None:
        if made is None:
            assert unavailable
            raise unavailable
        made.handle_all(object_events(message.decode()))

    # One message after the other: the check needs the one processor, and the memory for one file at a time.
    result = BatchProcessor(here.queue, here.dead_letters).process(event, handle, deadline)
    for end in result.ends:
        outcome_log.log_unfinished(end)
    answer: dict[str, Any] = result.answer
    return answer


def _intake(here: Container, outcome_log: OutcomeLog, context: Any, deadline: Deadline) -> Intake:
    settings = here.settings
    requests = S3Requests(here.s3, S3_POLICY, deadline, pacer=here.pacer)
    http = HttpClient(deadline=deadline, secrets=here.keys.known)
    uploads = UploadBucket(requests, settings.buckets.upload, settings.checks.file_limit)
    look_up = partial(council_name, http, settings.notifications.council_api_url)
    validator = Validator(
        uploads=uploads,
        set_check=SetCheck(partial(read_upload, requests), here.profile, settings.checks.error_limit, look_up),
        buckets=settings.buckets,
        publisher=Publisher(requests, uploads),
        outcomes=Outcomes(partial(client, "dynamodb"), settings.outcomes_table, context, deadline),
        reporters=_reporters(here, http),
    )
    return Intake(here.profile.layout, validator, outcome_log)


def _reporters(here: Container, http: HttpClient) -> Reporters:
    services, keys = here.settings.notifications, here.keys
    github, webhook = services.github, services.webhook
    return Reporters(
        issues=GithubIssues(http, github.api_url, github.repository, keys.key(github.key)),
        mail=SesMail(ses_client, services.sender, services.recipient, deadline=http.deadline),
        webhook=Webhook(http, keys.address(webhook.url), keys.key(webhook.key)),
    )
