"""AWS clients with the options of the AWS CLI, and its errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

from ops.errors import OpsError
from tasks.object_clerk.transport.readable_keys import read_all_keys
from tasks.utils.s3_object import printable

# A person waits: a service that does not answer is named soon.
PATIENCE = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})

# How a web page begins.
PAGES = b"<!doctype html", b"<html"


@dataclass(frozen=True)
class Account:
    """Where requests go, and with whose credentials.

    Attributes:
        region: the region; None takes that of the environment or of the profile.
        profile: a profile of the AWS configuration files; None takes the credentials of the environment.
        endpoint_url: the URL of all services instead of AWS's own, or None.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    _sessions: list[boto3.Session] = field(default_factory=list, repr=False, compare=False)

    @property
    def session(self) -> boto3.Session:
        """The session of all clients.

        Raises:
            OpsError: the configuration files have no such profile.
        """
        if not self._sessions:
            with failures_as_sentences():
                self._sessions.append(boto3.Session(profile_name=self.profile, region_name=self.region))
        return self._sessions[0]

    def client(self, service: str, config: Config | None = None, keys: tuple[str, str] | None = None) -> Any:
        """Return a new client.

        Args:
            service: the service's name as boto3 has it.
            config: options beyond time-outs and retries, for example the number of connections.
            keys: access key ID and secret access key instead of the session's credentials, or None.

        Raises:
            OpsError: no region is known, or the endpoint is no URL.
        """
        merged = PATIENCE.merge(config) if config else PATIENCE
        key_id, secret = keys or (None, None)
        with failures_as_sentences():
            # boto3's stubs have an overload for each service's name, and this is any of them.
            make: Any = self.session.client
            given = {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
            client = make(service, endpoint_url=self.endpoint_url, config=merged, **given)
        client.meta.events.register("before-parse", _refuse_page)
        if service == "s3":
            read_all_keys(client)
        if service == "s3control" and _is_address(urlsplit(client.meta.endpoint_url).hostname or ""):
            client.meta.events.register("before-sign.s3-control", _drop_account_from_host)
        return client


def _is_address(host: str) -> bool:
    """Return whether a host is an IP address, which has no subdomains."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _refuse_page(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse the answer of a web server that is no service of AWS: botocore takes any answer for one."""
    body = response_dict["body"]
    # The body of an object is a stream.
    if isinstance(body, bytes) and body.lstrip()[:14].lower().startswith(PAGES):
        raise OpsError("the endpoint answers with a web page, so it is no service of AWS: correct --endpoint-url")


def _drop_account_from_host(request: Any, **_: Any) -> None:
    """Send a request of S3 Control to the host itself; botocore puts the account before every host."""
    request.url = re.sub(r"//[0-9]{12}\.", "//", request.url, count=1)


@contextmanager
def failures_as_sentences() -> Iterator[None]:
    """Turn an error of botocore in the block into an `OpsError`."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OpsError(sentence_of(error)) from error
    except ValueError as error:
        # botocore's error for an endpoint without scheme or host.
        raise OpsError(f"{error}: --endpoint-url should be a URL such as https://sqs.example.org") from error


def sentence_of(error: BotoCoreError | ClientError) -> str:
    """Return an error of botocore as one sentence that says what to do, where that is known."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials are found: set AWS_PROFILE, pass --profile, or run `aws configure`"
    if isinstance(error, NoRegionError):
        return "no AWS region is set: pass --region, or set AWS_REGION"
    if isinstance(error, ProfileNotFound):
        return f"{printable(str(error))}: `aws configure list-profiles` prints the profiles that there are"
    if isinstance(error, ClientError):
        # S3 adds the bucket to some errors.
        about: Mapping[str, Any] = error.response.get("Error", {})
        text = f"{about.get('Code', 'Unknown')}: {about.get('Message', '')}".rstrip(": ")
        bucket = f" ({about['BucketName']})" if "BucketName" in about else ""
        return printable(f"AWS refuses {error.operation_name} with {text}{bucket}")
    return printable(" ".join(str(error).split()))
