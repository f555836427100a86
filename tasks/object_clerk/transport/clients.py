"""The factory of all AWS clients: a botocore client, or a direct one, which sends the most common requests itself.

The clients come from a botocore session. boto3's `client` does the same, but `import boto3` also loads s3transfer,
which nothing here uses and which would be a fifth of a cold start.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, cast, overload

# The first import of botocore: docs/performance.md says why that counts.
from botocore.config import Config

# isort: split
import botocore.session
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError

from tasks.object_clerk.transport.readable_keys import read_all_keys
from tasks.utils.deadline import is_time_up, limit_timeout
from tasks.utils.errors import SettingsError
from tasks.utils.secret_values import Secrets

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ses import SESClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

# A queue, a table or a secret answers at once. A request that gets no answer ends soon, and its message comes back.
PROMPT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})

# The options of `client` that are credentials, in the order of botocore's `Credentials`.
CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")

# Two threads that make clients of one session at the same time would both set up its parts.
_MAKING = threading.Lock()


class _Loader(Loader):
    """botocore's loader, which takes every folder of descriptions for a service.

    botocore looks into each folder: where all 400 services are installed, that is half of the time for a client.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """Return the names of all services."""
        folders = [path for path in self.search_paths if os.path.isdir(path)]
        return sorted({name for folder in folders for name in os.listdir(folder) if "." not in name})


def new_session() -> botocore.session.Session:
    """Return a session that makes its first client sooner than those of botocore."""
    made = botocore.session.Session()
    paths = made.get_component("data_loader").search_paths
    made.register_component("data_loader", _Loader(paths, include_default_search_paths=False))
    return made


@cache
def session() -> botocore.session.Session:
    """Return the container's session, which reads credentials, region and the descriptions of the services once."""
    return new_session()


def s3(*, direct: bool, **options: Any) -> S3Client:
    """Make an S3 client.

    Args:
        direct: send the most common requests for single objects directly. `get_object` then leaves the comparison with
            the object's checksums to its caller.
        options: as for `client`.
    """
    made = client("s3", **options)
    if not direct:
        return cast("S3Client", made)
    # On first use: a function that leaves all requests to botocore does not pay for the import.
    from tasks.object_clerk.transport.direct_s3 import DirectS3  # pylint: disable=import-outside-toplevel

    # DirectS3 passes all other calls to the client.
    return cast("S3Client", DirectS3(made, **_identity(options)) if DirectS3.is_suitable(made) else made)


def dynamodb(*, direct: bool, **options: Any) -> DynamoDBClient:
    """Make a DynamoDB client.

    Args:
        direct: send requests for single items directly.
        options: as for `client`.
    """
    made = client("dynamodb", **options)
    if not direct:
        return cast("DynamoDBClient", made)
    # As in `s3`.
    from tasks.object_clerk.transport.direct_dynamodb import DirectDynamoDB  # pylint: disable=import-outside-toplevel

    return cast("DynamoDBClient", DirectDynamoDB(made, **_identity(options)))


@overload
def client(service: Literal["secretsmanager"], **options: Any) -> SecretsManagerClient: ...
@overload
def client(service: Literal["ses"], **options: Any) -> SESClient: ...
@overload
def client(service: Literal["sqs"], **options: Any) -> SQSClient: ...
@overload
def client(service: Literal["ssm"], **options: Any) -> SSMClient: ...
@overload
def client(service: Literal["sts"], **options: Any) -> STSClient: ...
@overload
def client(service: str, **options: Any) -> Any: ...
def client(service: str, *, of: botocore.session.Session | None = None, **options: Any) -> Any:
    """Make a botocore client whose requests end by the deadline of the thread that makes them.

    Args:
        service: the service's name as boto3 has it, such as `s3`.
        of: the session that makes it; the container's by default.
        options: the options of `boto3.client`, such as `region_name` and `config`, which is `PROMPT` by default.
    """
    maker = of or session()
    with _MAKING, _no_collection():
        made = maker.create_client(service, **{"config": PROMPT, **options})
    heed_deadlines(made)
    if service == "s3":
        read_all_keys(made)
    own = _given_credentials(options)
    hide_credentials(made, lambda: own or maker.get_credentials())
    return made


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect no garbage in the block: the descriptions of services are many objects, and all of them stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _identity(options: dict[str, Any]) -> dict[str, Any]:
    """Return what a direct client needs of the session: credentials, and the certificates to trust."""
    maker = options.get("of") or session()
    credentials = _given_credentials(options) or maker.get_credentials()
    return {"credentials": credentials, "ca_bundle": maker.get_config_variable("ca_bundle")}


def _given_credentials(options: dict[str, Any]) -> Credentials | None:
    key_id, secret, token = map(options.get, CREDENTIALS)
    return Credentials(key_id, secret, token) if key_id and secret else None


def hide_credentials(made: BaseClient, credentials: Callable[[], Credentials | None]) -> None:
    """Make the errors of a client show none of its credentials.

    A server may repeat the credentials with a request's headers. An answer that cannot be parsed may itself be
    credentials, so its error repeats nothing of it.

    Args:
        made: the client.
        credentials: returns its credentials.
    """

    # No partial: botocore logs handlers at DEBUG, and the log would show a partial's arguments.
    def hide(parsed: dict[str, Any], **_: object) -> None:
        error, found = parsed.get("Error", {}), credentials()
        if error.get("Message") and found:
            error["Message"] = _secrets(found.get_frozen_credentials()[:3]).hide(error["Message"])

    made.meta.events.register("after-call", hide)
    made.meta.events.register("after-call-error", _hide_answer)


def _hide_answer(exception: Exception, **_: object) -> None:
    if isinstance(exception, ResponseParserError):
        exception.args = ("an answer cannot be read",)


@lru_cache(maxsize=8)
def _secrets(credentials: Iterable[str]) -> Secrets:
    known = Secrets()
    known.add(*credentials)
    return known


class OutOfTimeError(BotoCoreError):
    """No time is left for a request, which was not sent. botocore does not retry it."""

    fmt = "no time is left for a request to {url}"


def heed_deadlines(made: BaseClient) -> None:
    """Make each request of a client end by the deadline of its thread, which `Deadline.limit` sets.

    The read time-out of an attempt is at most the time that is left. If none is left, the attempt raises
    `OutOfTimeError`. botocore has no such bound for a connection, which may take `connect_timeout` longer.

    Args:
        made: the client.
    """
    service = made.meta.service_model.service_id.hyphenize()
    read_timeout = getattr(made.meta.config, "read_timeout")
    made.meta.events.register(f"before-send.{service}", partial(_end_in_time, read_timeout))


def _end_in_time(read_timeout: float, request: Any, **_: object) -> None:
    if is_time_up():
        raise OutOfTimeError(url=request.url.partition("?")[0])
    # A direct request has no context: `connections` bounds its waits.
    if request.context is not None:
        request.context["read_timeout"] = limit_timeout(read_timeout)


def parameter(name: str) -> str:
    """Return the value of a parameter in SSM's Parameter Store.

    Raises:
        SettingsError: the parameter cannot be read.
    """
    try:
        value: str = client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(f"the parameter {name} cannot be read: {error}") from error
    return value
