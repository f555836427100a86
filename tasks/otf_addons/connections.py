"""Clients of AWS, each with its own credentials: the definition's, else the environment's, else the machine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, RefreshableCredentials

from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.transport.clients import hide_credentials
from tasks.otf_addons.options import Keys, Protocol, Role
from tasks.utils.retry import RetryPolicy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

# Requests at a time, and so the number of connections that are kept open.
CONNECTIONS = 64
# A role is assumed again this many seconds before its credentials end. If that fails, the next request tries again, up
# to the last minute. 300 s is a third of the shortest life, so that a role is not assumed for each request.
RENEW_SECONDS, RENEW_AT_LATEST_SECONDS = 300, 60
# STS records it in CloudTrail.
ROLE_SESSION_NAME = "open-task-framework"
# The default policy of ObjectClerk.
POLICY = RetryPolicy(tries=5, delay=1, backoff=2, jitter=(0, 1), max_delay=60)
# All operations that write an object in S3, except for the parts of an upload.
WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")


@dataclass(frozen=True)
class Connection:
    """A client of S3 and its protocol.

    Attributes:
        client: a botocore client.
        protocol: the credentials and the server of the client.
    """

    client: S3Client
    protocol: Protocol

    def requests(self) -> S3Requests:
        """Return the requests for one piece of work."""
        return S3Requests(self.client, POLICY)

    @property
    def server(self) -> tuple[str, str | None]:
        """The values in which two servers differ. Buckets of one name on two servers are two buckets."""
        return self.client.meta.partition, self.protocol.endpoint_url

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()


def connect_to_s3(protocol: Protocol) -> Connection:
    """Create a connection to S3. Its writes give the object to the bucket's owner if the protocol says so."""
    client = make_client("s3", protocol, client_config(max_pool_connections=CONNECTIONS))
    if protocol.owner_full_control:
        for operation in WRITES:
            client.meta.events.register(f"provide-client-params.s3.{operation}", _give_to_owner)
    return Connection(client, protocol)


def make_client(service: str, protocol: Protocol, config: Config | None = None) -> Any:
    """Create a client of an AWS service.

    Args:
        service: the service's name in boto3.
        protocol: the credentials and the server.
        config: the configuration, or None.
    """
    session, keys = _session(), protocol.keys
    if protocol.role:
        sts: Any = _create_client(session, "sts", keys, region_name=protocol.region)
        session, keys = _session(), Keys()
        session.register_component("credential_provider", CredentialResolver([AssumedRole(sts, protocol.role)]))
    endpoint_url = protocol.endpoint_url if service == "s3" else None
    client = _create_client(
        session, service, keys, region_name=protocol.region, endpoint_url=endpoint_url, config=config
    )
    own = None
    if keys.access_key_id and keys.secret_access_key:
        own = Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    hide_credentials(client, lambda: own or session.get_credentials())
    return client


def _create_client(session: botocore.session.Session, service: str, keys: Keys, **options: Any) -> Any:
    # With None, botocore looks at the environment with its session token, at profiles, and at the machine's role.
    return session.create_client(
        service,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        **options,
    )


def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _descriptions())
    return session


@cache
def _descriptions() -> Any:
    # Reading the description of a service takes longer than a transfer of a few files, and all sessions can share it.
    return botocore.session.Session().get_component("data_loader")


class AssumedRole(CredentialProvider):  # pylint: disable=too-few-public-methods  # botocore calls only `load`
    """The credentials of a role. They are renewed before they end, also between two requests of a long transfer."""

    METHOD = "assume-role"

    def __init__(self, sts: STSClient, role: Role) -> None:
        """Keep the client of STS and the role."""
        super().__init__()
        self._sts = sts
        self._role = role

    def load(self) -> RefreshableCredentials:
        """Return the credentials, which renew themselves."""
        return RefreshableCredentials.create_from_metadata(
            self._assume(),
            self._assume,
            self.METHOD,
            advisory_timeout=RENEW_SECONDS,
            mandatory_timeout=RENEW_AT_LATEST_SECONDS,
        )

    def _assume(self) -> dict[str, str]:
        external_id: dict[str, Any] = {"ExternalId": self._role.external_id} if self._role.external_id else {}
        given = self._sts.assume_role(
            RoleArn=self._role.arn,
            RoleSessionName=ROLE_SESSION_NAME,
            DurationSeconds=self._role.token_seconds,
            **external_id,
        )["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


def lambda_config(protocol: Protocol) -> Config:
    """Return the configuration of a client that waits for functions."""
    timeout: dict[str, Any] = {"read_timeout": protocol.read_timeout} if protocol.read_timeout else {}
    return Config(retries={"max_attempts": protocol.max_attempts}, tcp_keepalive=True, **timeout)


def _give_to_owner(params: Mapping[str, Any], **_: object) -> dict[str, Any]:
    return {"ACL": "bucket-owner-full-control", **params}
