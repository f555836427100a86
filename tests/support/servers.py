"""S3 servers of the tests. The tests of the wheel replace this module, because their servers run in another process."""

from contextlib import contextmanager
from dataclasses import dataclass

from local.embedded_aws import EmbeddedAws
from local.seaweedfs import SeaweedFS


@dataclass(frozen=True)
class Server:
    """An S3 server that runs.

    Attributes:
        credentials: the keys and the region of its user, as arguments of boto3's `client`.
    """

    endpoint_url: str
    credentials: dict


@contextmanager
def moto_server():
    with EmbeddedAws() as aws:
        yield Server(aws.endpoint_url, aws.admin_credentials)


@contextmanager
def seaweedfs_server():
    with SeaweedFS() as server:
        yield Server(server.endpoint_url, server.credentials)
