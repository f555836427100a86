"""Clients of AWS, each with its own credentials: the definition's, else the environment's, else the machine's."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, RefreshableCredentials

from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.transport.clients import hide_credentials
from tasks.otf_addons.options import Protocol
from tasks.utils.retry import RetryPolicy

# Requests made at a time, which is also how many connections are kept open.
CONNECTIONS = 64
# Seconds before its end that a role is assumed anew: where that fails it is tried again, until the last minute. Half of
# what is left of the shortest one, so that it is not assumed for every request.
RENEW_SECONDS, RENEW_AT_LATEST_SECONDS = 300, 60
# STS notes it in its trail.
ROLE_SESSION_NAME = "open-task-framework"
# The same patience that ObjectClerk has when nothing else is said.
POLICY = RetryPolicy(tries=5, delay=1, backoff=2, jitter=(0, 1), max_delay=60)
# All that writes an object in S3, but for the parts of an upload.
WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")


@dataclass(frozen=True)
class Connection:
    """A client of S3 and who it speaks for.

    Attributes:
        client: a botocore client.
        protocol: the `Protocol` it was made by.
    """

    client: Any
    protocol: Protocol

    def requests(self):
        """Returns an `S3Requests` for one piece of work."""
        return S3Requests(self.client, POLICY)

    @property
    def server(self):
        """What tells one S3 from another: buckets of the same name in two of them are two buckets."""
        return self.client.meta.partition, self.protocol.endpoint_url

    def close(self):
        """Closes what is open."""
        self.client.close()


def connect_to_s3(protocol):
    """Makes a `Connection` to S3, whose writes all leave the object to the bucket's owner if the protocol says so."""
    client = make_client("s3", protocol, client_config(max_pool_connections=CONNECTIONS))
    if protocol.owner_full_control:
        for operation in WRITES:
            client.meta.events.register(f"provide-client-params.s3.{operation}", _leave_to_the_owner)
    return Connection(client, protocol)


def make_client(service, protocol, config=None):
    """Makes a client of an AWS service.

    Args:
        service: its name as boto3 has it.
        protocol: a `Protocol`.
        config: botocore's `Config`, or None.
    """
    session = _session()
    if protocol.role_arn:
        sts = session.create_client("sts", region_name=protocol.region, **_keys(protocol))
        session = _session()
        session.register_component("credential_provider", CredentialResolver([AssumedRole(sts, protocol)]))
    keys = {} if protocol.role_arn else _keys(protocol)
    made = session.create_client(
        service,
        region_name=protocol.region,
        endpoint_url=protocol.endpoint_url if service == "s3" else None,
        config=config,
        **keys,
    )
    own = Credentials(*keys.values()) if any(keys.values()) else None
    hide_credentials(made, lambda: own or session.get_credentials())
    return made


def _session():
    session = botocore.session.Session()
    session.register_component("data_loader", _descriptions())
    return session


@cache
def _descriptions():
    # Reading what a service can do takes longer than a transfer of a few files, and is the same for every session.
    return botocore.session.Session().get_component("data_loader")


class AssumedRole(CredentialProvider):  # pylint: disable=too-few-public-methods  # botocore asks for no more
    """Credentials of a role, assumed anew before they run out, also between two requests of one long transfer."""

    METHOD = "assume-role"

    def __init__(self, sts, protocol):
        """Keeps a client of STS and the `Protocol` that names the role."""
        super().__init__()
        self._sts = sts
        self._protocol = protocol

    def load(self):
        """Returns the credentials, which renew themselves."""
        return RefreshableCredentials.create_from_metadata(
            self._assume(),
            self._assume,
            self.METHOD,
            advisory_timeout=RENEW_SECONDS,
            mandatory_timeout=RENEW_AT_LATEST_SECONDS,
        )

    def _assume(self):
        external_id = self._protocol.role_external_id
        given = self._sts.assume_role(
            RoleArn=self._protocol.role_arn,
            RoleSessionName=ROLE_SESSION_NAME,
            DurationSeconds=self._protocol.token_seconds,
            **({"ExternalId": external_id} if external_id else {}),
        )["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


def lambda_config(protocol):
    """Returns the configuration of a client that waits for functions."""
    timeout = {"read_timeout": protocol.read_timeout} if protocol.read_timeout else {}
    return Config(retries={"max_attempts": protocol.max_attempts}, tcp_keepalive=True, **timeout)


def _keys(protocol):
    # None has botocore look where it always does: the environment with its session token, profiles, the machine's.
    return {
        "aws_access_key_id": protocol.access_key_id,
        "aws_secret_access_key": protocol.secret_access_key,
        "aws_session_token": protocol.session_token,
    }


def _leave_to_the_owner(params, **_):
    return {"ACL": "bucket-owner-full-control", **params}
