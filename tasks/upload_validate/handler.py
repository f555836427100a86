"""Lambda function that validates sets of uploaded files, publishes those that are right, and tells people once.

Takes S3 events (`ObjectCreated:*`), directly or through SQS, SNS and EventBridge. An event says only which set to look
at: what counts is what lies there when it is handled.

Environment: see `settings.Settings`.
"""

import logging
import os
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

# Before everything else of ours: docs/performance.md says why botocore is imported at a shallow depth.
from tasks.object_clerk.transport import clients

# isort: split

from tasks.object_clerk import downloads
from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.pacer import Pacer
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.transfers import Transfer
from tasks.upload_validate.errors import KeyUnavailableError
from tasks.upload_validate.idempotency import Outcomes
from tasks.upload_validate.keys import KeyRing
from tasks.upload_validate.outcome_log import OutcomeLog
from tasks.upload_validate.profile import Profile
from tasks.upload_validate.profile_files import load_profile
from tasks.upload_validate.publisher import Publisher
from tasks.upload_validate.reporters.council import council_name
from tasks.upload_validate.reporters.github_issue import GithubIssue
from tasks.upload_validate.reporters.http import Http
from tasks.upload_validate.reporters.sentry import Sentry
from tasks.upload_validate.reporters.ses_email import SesEmail
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.upload_validate.settings import REMOVE, Settings, is_entry
from tasks.upload_validate.uploads import Uploads
from tasks.upload_validate.validator import Reporters, Validator
from tasks.utils.batches import BatchProcessor, DeadLetters
from tasks.utils.deadline import Deadline
from tasks.utils.errors import BucketBrigadeError, SettingsError
from tasks.utils.events import is_queue_event, object_events
from tasks.utils.outcome_log import fate_of
from tasks.utils.retry import RetryPolicy
from tasks.utils.telemetry import Telemetry
from tasks.utils.work_queue import WorkQueue

LOGGER = logging.getLogger("bucket_brigade")

# Three seconds in all: what S3 does not patch in that time is left to another delivery.
S3_POLICY = RetryPolicy(tries=5, delay=0.2, jitter=(0.0, 0.2))


@dataclass(frozen=True)
class Container:
    """What one container makes once and every invocation in it uses."""

    settings: Settings
    keys: KeyRing
    queue: WorkQueue
    dead_letters: DeadLetters
    telemetry: Telemetry
    pacer: Pacer = field(default_factory=Pacer)
    warned: set = field(default_factory=set)

    @cached_property
    def s3(self) -> Any:
        """The client of S3."""
        made = clients.s3(direct=self.settings.direct_requests, config=client_config())
        expect_owners(made, self.settings.bucket_owners)
        return made

    # What has to be fetched is fetched when it is needed: where it cannot be had for a while, messages are handed back.

    @cached_property
    def profile(self) -> Profile:
        """What a set is held against.

        Raises:
            SettingsError: the profile, or its Table Schema, is wrong.
            ObjectClerkException: the bucket that the Table Schema is in does not give it.
        """
        return load_profile(self.settings.profile, self.settings.table_schema, self._read_object)

    @cached_property
    def sentry(self) -> Sentry:
        """The reporter of errors in the code; without a DSN it reports nothing.

        Raises:
            KeyUnavailableError: the entry that holds the DSN cannot be read.
            SettingsError: the DSN is none.
        """
        key = self.keys.key(self.settings.sentry_dsn)
        return Sentry(key.value() if key else "", self.keys.known)

    def _read_object(self, address):
        requests = S3Requests(self.s3, S3_POLICY, pacer=self.pacer)
        return downloads.read(requests, address, transfer=Transfer())


@cache
def container():
    """Returns the container's settings, read at the first invocation, and what is made of them without a request."""
    settings = Settings.read(os.environ)
    return Container(
        settings=settings,
        keys=KeyRing(partial(client, "ssm"), partial(client, "secretsmanager")),
        queue=WorkQueue(partial(client, "sqs"), settings.work_queue),
        dead_letters=DeadLetters(partial(client, "sqs"), settings.dead_letter_queue, settings.max_receives),
        telemetry=Telemetry.set_up("upload_validate", settings.logging_level),
    )


@cache
def client(service):
    """Returns the container's client of one service, made when it is first needed."""
    # Retries are counted in one place: by this project's policy for S3 and SES, by botocore for the others.
    return clients.client(service)


def ses_client(connect_timeout, read_timeout):
    """Returns a client of SES for one call, which has its own time-outs, in seconds."""
    return clients.client("ses", config=client_config(connect_timeout=connect_timeout, read_timeout=read_timeout))


def handler(event, context):
    """Validates every set that the event's objects belong to.

    Args:
        event: any of the envelopes named above.
        context: Lambda's context; None when called by hand.

    Returns:
        For SQS `{"batchItemFailures": [...]}`; for everything else
        `{"sets": [{"set", "outcome", "files", "errors", "digest"}]}`, a set once.

    Raises:
        BucketBrigadeError: a set of a direct event could not be judged, or somebody could not be told; the others were.
        SettingsError: the environment or the profile is incomplete or wrong.
    """
    deadline = Deadline.of_lambda(context)
    here = deadline.limit(container)
    with here.telemetry.invocation(context) as count:
        sentry = deadline.limit(lambda: _sentry(here))
        outcome_log = OutcomeLog(here.telemetry.logger, count, sentry.tell)
        try:
            # Records of what was sent may be written after the deadline of the work.
            return deadline.closing().limit(lambda: _validate(here, event, outcome_log, context, deadline))
        except Exception as error:
            sentry.tell(error)
            raise
        finally:
            sentry.flush()


def _validate(here, event, outcome_log, context, deadline):
    if is_queue_event(event):
        return _validate_batch(here, event, outcome_log, context, deadline)
    return {"sets": _uploads(here, outcome_log, context, deadline).handle_all(object_events(event))}


def _sentry(here):
    try:
        return here.sentry
    except (KeyUnavailableError, SettingsError) as error:
        # Sets are judged all the same. The next invocation tries again, so that an entry that is put right counts.
        reason = str(error)
    if reason not in here.warned:
        here.warned.add(reason)
        LOGGER.warning("errors are not reported to Sentry", extra={"reason": reason})
    return Sentry("")


def _uploads(here, outcome_log, context, deadline):
    validator = _validator(here, context, deadline)
    return Uploads(here.settings.temp_bucket, here.profile.layout, validator, outcome_log)


def _validate_batch(here, event, outcome_log, context, deadline):
    uploads, unavailable = None, None
    try:
        uploads = _uploads(here, outcome_log, context, deadline)
    except BucketBrigadeError as error:
        if not error.transient:
            raise
        unavailable = error

    def validate(message):
        if unavailable:
            raise unavailable
        uploads.handle_all(object_events(message.decode()))

    # One after the other: checking takes the processor, of which there is one, and what memory it takes is taken once.
    result = BatchProcessor(here.queue, here.dead_letters).process(event, validate, deadline)
    for end in result.ends:
        if end.error:
            outcome_log.log_failure(end.error, fate_of(end), message_id=end.message.id)
    return result.answer


def _validator(here, context, deadline):
    settings = here.settings
    requests = S3Requests(here.s3, S3_POLICY, deadline, pacer=here.pacer)
    http = Http(deadline=deadline, secrets=here.keys.known)
    url = settings.webhook_url
    webhook_url = here.keys.key(url) if is_entry(url) else url
    quarantine, removes = settings.quarantine_bucket, settings.superseded_files == REMOVE
    return Validator(
        requests=requests,
        profile=here.profile,
        upload_bucket=settings.temp_bucket,
        final=Publisher(requests, settings.final_bucket, removes),
        quarantine=Publisher(requests, quarantine, removes) if quarantine else None,
        outcomes=Outcomes(partial(client, "dynamodb"), settings.outcomes_table),
        reporters=Reporters(
            council_name=partial(council_name, http, settings.council_api_url),
            issue=GithubIssue(http, settings.github_api_url, settings.github_repo, here.keys.key(settings.github_key)),
            mail=SesEmail(ses_client, settings.sender_email, settings.error_report_email, deadline=deadline),
            webhook=Webhook(http, webhook_url, here.keys.key(settings.webhook_key)),
        ),
        error_limit=settings.error_limit,
        file_limit=settings.file_limit,
        context=context,
    )
