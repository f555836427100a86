"""A write that the server refuses before it has read the body reports the server's reason, over TLS too."""

import socket
import ssl
import threading

import pytest
from botocore.credentials import Credentials

from tasks.object_clerk.errors import (
    ObjectChangedException,
    ObjectClerkServerAuthException,
    ObjectClerkServerInternalException,
)
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.s3_requests import S3Requests, client_config
from tasks.object_clerk.streams import put
from tasks.object_clerk.transport import clients
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tests.support.server import AUTHORITY, reset, served

# More than the buffers of both sides hold, so that most of it is not sent when the answer comes.
BODY = bytes(32 * MIB)
FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
WRITTEN = b'HTTP/1.1 200 OK\r\nETag: "written"\r\nContent-Length: 0\r\n\r\n'
REFUSALS = {
    412: ("PreconditionFailed", ObjectChangedException, 1),
    403: ("AccessDenied", ObjectClerkServerAuthException, 1),
    # It may pass, so the policy repeats it.
    503: ("SlowDown", ObjectClerkServerInternalException, 3),
}
TLS = {"no TLS": None, "TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


def read_on(connection):
    """Read and discard the rest of the body, as RFC 9110 asks of a server that keeps the connection."""
    left = len(BODY)
    while left:
        block = connection.recv(min(left, MIB))
        if not block:
            raise ConnectionError("the client went away")
        left -= len(block)


def close_one_direction(connection):
    """Close as Go's servers and nginx do, so that a client which reads late does not lose the answer."""
    socket.socket.shutdown(connection, socket.SHUT_WR)
    threading.Event().wait(0.2)
    connection.close()


ENDS = {"reads on": read_on, "closes": socket.socket.close, "resets": reset, "closes halfway": close_one_direction}


def refusing(status, end):
    code = REFUSALS[status][0]

    def refuse(connection, _):
        body = f"<Error><Code>{code}</Code><Message>why</Message></Error>".encode()
        connection.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        end(connection)

    return refuse


def write(connection, _):
    read_on(connection)
    connection.sendall(WRITTEN)


@pytest.fixture(name="bundle", scope="module")
def bundle_of_the_authority(tmp_path_factory):
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return str(path)


def client_of(server, bundle):
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    config = client_config(read_timeout=20, s3={"addressing_style": "path"})
    ordinary = clients.client(
        "s3", region_name="eu-west-1", endpoint_url=server.url, verify=bundle, config=config, **keys
    )
    return DirectS3(ordinary, Credentials(*keys.values()), bundle)


def put_to(server, bundle):
    """Write the body after a request that shows the bucket's place; return the answer."""
    client = client_of(server, bundle)
    try:
        client.head_object(Bucket="bucket", Key="first")
        return put(S3Requests(client, RetryPolicy(tries=3)), BODY, S3Object("bucket", "key"))
    finally:
        client.close()


def tls_of(version):
    return {"certificate": AUTHORITY.issue_cert("127.0.0.1"), "tls_version": version} if version else {}


@pytest.mark.first_cases(12)
@pytest.mark.parametrize("version", TLS.values(), ids=TLS)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("status", REFUSALS)
def test_refused_write_reports_the_reason_of_the_server(bundle, status, end, version):
    code, kind, tries = REFUSALS[status]
    with served(FOUND, refusing(status, end), **tls_of(version)) as server:
        with pytest.raises(kind, match=code):
            put_to(server, bundle)
        assert [head.split()[1] for head in server.requests[1:]] == [b"/bucket/key"] * tries


@pytest.mark.first_cases(4)
@pytest.mark.parametrize("version", TLS.values(), ids=TLS)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_write_that_is_refused_once_is_repeated_whole(bundle, end, version):
    slow_down = refusing(503, end)
    with served(FOUND, slow_down, slow_down, write, **tls_of(version)) as server:
        assert put_to(server, bundle)["ETag"] == '"written"'


@pytest.mark.parametrize("version", TLS.values(), ids=TLS)
def test_write_that_is_cut_off_without_an_answer_is_repeated_whole(bundle, version):
    with served(FOUND, lambda connection, _: reset(connection), write, **tls_of(version)) as server:
        assert put_to(server, bundle)["ETag"] == '"written"'
