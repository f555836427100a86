"""Lambda function that validates sets of uploaded files, publishes those that are right, and tells people once.

Takes S3 events (`ObjectCreated:*`), directly or through SQS, SNS and EventBridge. An event says only which set to look
at: what counts is what lies there when it is handled.

Environment: see `settings.Settings`.
"""

import os
from dataclasses import dataclass
from functools import cache, partial

# Before everything else of ours: docs/decisions.md says why botocore is imported at a shallow depth.
from tasks.utils import clients

from tasks.upload_validate.journal import Journal
from tasks.upload_validate.keys import KeyRing
from tasks.upload_validate.once import Outcomes
from tasks.upload_validate.profile import Profile
from tasks.upload_validate.profile_files import load_profile
from tasks.upload_validate.publisher import Publisher
from tasks.upload_validate.reporters.council import council_name
from tasks.upload_validate.reporters.github_issue import GithubIssue
from tasks.upload_validate.reporters.http import Http
from tasks.upload_validate.reporters.sentry import Sentry
from tasks.upload_validate.reporters.ses_email import SesEmail
from tasks.upload_validate.reporters.webhook import Webhook
from tasks.upload_validate.settings import Settings
from tasks.upload_validate.uploads import Uploads
from tasks.upload_validate.validator import Reporters, Validator
from tasks.utils import downloads
from tasks.utils.batches import DeadLetters, work_through
from tasks.utils.deadline import Deadline
from tasks.utils.events import is_queue_event, object_events
from tasks.utils.journal import fate_of
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_requests import S3Requests, client_config
from tasks.utils.telemetry import Telemetry
from tasks.utils.transfers import Transfer

# Three seconds in all: what S3 does not mend in that time is left to another delivery.
S3_POLICY = RetryPolicy(tries=5, delay=0.2, jitter=(0.0, 0.2))


@dataclass(frozen=True)
class Container:
    """What one container makes once and every invocation in it uses."""

    settings: Settings
    profile: Profile
    keys: KeyRing
    dead_letters: DeadLetters
    telemetry: Telemetry
    sentry: Sentry


@cache
def container():
    """Returns the container's settings and profile, read at the first invocation."""
    settings = Settings.read(os.environ)
    keys = KeyRing(partial(client, "ssm"), partial(client, "secretsmanager"))
    dsn = keys.key(settings.sentry_dsn)
    return Container(
        settings=settings,
        profile=load_profile(settings.profile, settings.table_schema, _read_object),
        keys=keys,
        dead_letters=DeadLetters(partial(client, "sqs"), settings.dead_letter_queue, settings.max_receives),
        telemetry=Telemetry.of("upload_validate", settings.logging_level),
        sentry=Sentry(dsn.value() if dsn else ""),
    )


@cache
def client(service):
    """Returns the container's client of one service, made when it is first needed."""
    # Retries are counted in one place: by this project's policy for S3 and SES, by botocore for the others.
    return clients.client(service, **({"config": client_config()} if service in ("s3", "ses") else {}))


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
    here = container()
    deadline = Deadline.of_lambda(context)
    with here.telemetry.invocation(context) as count:
        uploads = Uploads(
            here.settings.temp_bucket,
            here.profile.layout,
            _validator(here, context, deadline),
            Journal(here.telemetry.logger, count, here.sentry.tell),
        )
        try:
            if is_queue_event(event):
                return _validate_batch(here, event, uploads, deadline)
            return {"sets": uploads.handle_all(object_events(event))}
        except Exception as error:
            here.sentry.tell(error)
            raise
        finally:
            here.sentry.flush()


def _validate_batch(here, event, uploads, deadline):
    def validate(message):
        uploads.handle_all(object_events(message.decoded()))

    # One after the other: checking takes the processor, of which there is one, and what memory it takes is taken once.
    result = work_through(event, validate, dead_letters=here.dead_letters, workers=1, deadline=deadline)
    for end in result.ends:
        if end.error:
            uploads.journal.failure(end.error, fate_of(end), message_id=end.message.id)
    return result.answer


def _validator(here, context, deadline):
    settings = here.settings
    requests = S3Requests(client("s3"), S3_POLICY, deadline)
    http = Http(deadline=deadline)
    quarantine = settings.quarantine_bucket
    return Validator(
        requests=requests,
        profile=here.profile,
        upload_bucket=settings.temp_bucket,
        final=Publisher(requests, settings.final_bucket),
        quarantine=Publisher(requests, quarantine) if quarantine else None,
        outcomes=Outcomes(partial(client, "dynamodb"), settings.outcomes_table),
        reporters=Reporters(
            council_name=partial(council_name, http, settings.council_api_url),
            issue=GithubIssue(
                http, settings.github_api_url, settings.github_repo, here.keys.key(settings.github_key)
            ),
            mail=SesEmail(
                partial(client, "ses"), settings.sender_email, settings.error_report_email, deadline=deadline
            ),
            webhook=Webhook(http, settings.webhook_url, here.keys.key(settings.webhook_key)),
        ),
        error_limit=settings.error_limit,
        context=context,
    )


def _read_object(address):
    return downloads.read(S3Requests(client("s3"), S3_POLICY), address, transfer=Transfer())
