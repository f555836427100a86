"""The AWS clients of a Lambda function, all made of one session.

They are boto3's: its `client` asks a botocore session for them as well. But `import boto3` also loads s3transfer, which
nothing here uses and which would be a fifth of a cold start.
"""

from functools import cache, lru_cache, partial

# The first of botocore that is imported: docs/performance.md says why that counts.
from botocore.config import Config

# isort: split
import botocore.session
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tasks.utils.deadline import expired, limited
from tasks.utils.errors import SettingsError
from tasks.utils.secret_values import Secrets

# A queue, a table or a secret answers at once. What does not is given up soon, and the message comes back.
PROMPT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})

# What `client` takes as credentials, in the order of botocore's.
CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


@cache
def session():
    """Returns the container's session: credentials, region and the descriptions of the services are read once."""
    return botocore.session.Session()


def client(service, **options):
    """Returns a client that heeds the deadline of the thread that uses it.

    Args:
        service: the service's name as boto3 has it, such as `s3`.
        options: what `boto3.client` takes, such as `region_name` and `config`; without a `config` it is `PROMPT`.
    """
    made = session().create_client(service, **{"config": PROMPT, **options})
    heed_deadlines(made)
    own = Credentials(*map(options.get, CREDENTIALS)) if options.get(CREDENTIALS[0]) else None
    hide_credentials(made, lambda: own or session().get_credentials())
    return made


def hide_credentials(made, credentials):
    """Has no error of a client quote the client's credentials, which a server may repeat with a request's headers.

    An answer that cannot be read is not quoted at all, for it may be credentials.

    Args:
        made: a botocore client.
        credentials: returns botocore's `Credentials`, those of the client, or None.
    """

    # No partial: botocore logs handlers at DEBUG, and a partial would show what it holds.
    def hide(parsed, **_):
        error, found = parsed.get("Error", {}), credentials()
        if error.get("Message") and found:
            error["Message"] = _known(*found.get_frozen_credentials()[:3]).hidden(error["Message"])

    made.meta.events.register("after-call", hide)
    made.meta.events.register("after-call-error", _hide_answer)


def _hide_answer(exception, **_):
    if isinstance(exception, ResponseParserError):
        exception.args = ("an answer cannot be read",)


@lru_cache(maxsize=8)
def _known(*credentials):
    known = Secrets()
    known.add(*credentials)
    return known


class OutOfTimeError(BotoCoreError):
    """No time is left for a request; it was not sent. botocore does not try it again."""

    fmt = "no time is left for a request to {url}"


def heed_deadlines(made):
    """Has each request of a client end by the deadline of its thread, which `Deadline.limiting` sets.

    The read time-out of a try is the time that is left, if that is shorter. Without time a try is not begun, and raises
    `OutOfTimeError`. botocore gives no such bound to a connection: it may take `connect_timeout` longer.

    Args:
        made: a botocore client.
    """
    service = made.meta.service_model.service_id.hyphenize()
    made.meta.events.register(f"before-send.{service}", partial(_end_in_time, made.meta.config.read_timeout))


def _end_in_time(read_timeout, request, **_):
    if expired():
        raise OutOfTimeError(url=request.url.partition("?")[0])
    # A request of `direct` has no context: `connections` bounds its waits.
    if request.context is not None:
        request.context["read_timeout"] = limited(read_timeout)


def parameter(name):
    """Returns the value of a parameter in SSM's Parameter Store.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(f"the parameter {name} cannot be read: {error}") from error
