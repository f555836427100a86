"""A server may answer anything: each answer becomes an ObjectClerkException, and memory stays bounded.

The first request to a bucket goes botocore's way, every further one the short way.
"""

import tracemalloc

import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from tasks.object_clerk import streams
from tasks.object_clerk.bodies import BytesBody
from tasks.object_clerk.errors import ObjectClerkException
from tasks.object_clerk.parts import MIB, Part
from tasks.object_clerk.s3_requests import S3Requests, client_config, head, request
from tasks.object_clerk.transport import clients
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object
from tests.support.server import served
from tests.support.stores import session

ADDRESS = S3Object("bucket", "key")
DEEP = b"<Error>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</Error>"
LAUGHS = b"".join(b'<!ENTITY %c "%s">' % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9))
WHOLE = b'ETag: "e"\r\nContent-Length: 5\r\n'


@pytest.fixture(name="client_of")
def make_clients():
    made = []

    def make(server):
        client = session().client(
            "s3",
            region_name="us-east-1",
            endpoint_url=server.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=client_config(read_timeout=5).merge(Config(s3={"addressing_style": "path"})),
        )
        clients.heed_deadlines(client)
        made.append(DirectS3(client, Credentials("key", "secret")))
        return made[-1]

    yield make
    for client in made:
        client.close()


def requests_of(client):
    return S3Requests(client, RetryPolicy(tries=1))


def error(status, body, headers=b""):
    head_ = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), headers)
    return head_ + body


ERRORS = {
    "elements without end": error(500, DEEP),
    "elements that do not end": error(400, b"<Error>" + b"<a>" * 100_000),
    "entities of entities": error(403, b'<!DOCTYPE x [<!ENTITY a "a">' + LAUGHS + b"]><Error><Code>&j;</Code></Error>"),
    "a code that is an element": error(400, b"<Error><Code><Code>x</Code></Code></Error>"),
    "two codes": error(400, b"<Error><Code>a</Code><Code>b</Code></Error>"),
    "an empty code": error(400, b"<Error><Code/><Message/></Error>"),
    "a long message": error(400, b"<Error><Code>x</Code><Message>" + b"x" * MIB + b"</Message></Error>"),
    "another document": error(400, b"<html><body>no</body></html>"),
    "no XML": error(400, b"\x1f\x8b" * 1000),
    "a body that is too long": error(500, b"<Error><Code>x</Code>" + b" " * (16 * MIB) + b"</Error>"),
}


@pytest.mark.first_cases(7)
@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("operation", ["get_object", "list_parts"])
def test_error_of_any_form_becomes_an_object_clerk_exception(client_of, operation, answer):
    more = {"UploadId": "id"} if operation == "list_parts" else {}
    with served(answer) as server:
        client = client_of(server)
        for _ in range(2):
            with pytest.raises(ObjectClerkException) as raised:
                request(client, operation, source=ADDRESS, **ADDRESS.parameters, **more)
            assert len(str(raised.value)) < 3_000 and str(raised.value).isprintable()


HEADS = {
    "no ETag": b"Content-Length: 5\r\n",
    "no length": b'ETag: "e"\r\nTransfer-Encoding: chunked\r\n',
    "a length that is no number": b'ETag: "e"\r\nContent-Length: five\r\n',
    "a length below nothing": b'ETag: "e"\r\nContent-Length: -5\r\n',
    "a count that is no number": WHOLE + b"x-amz-tagging-count: many\r\n",
}


@pytest.mark.parametrize("headers", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("operation", ["head_object", "get_object"])
def test_answer_without_an_objects_headers_becomes_an_object_clerk_exception(client_of, operation, headers):
    with served(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + headers + b"\r\n5\r\nbytes\r\n0\r\n\r\n") as server:
        client = client_of(server)
        for _ in range(2):
            with pytest.raises(ObjectClerkException) as raised:
                request(client, operation, source=ADDRESS, **ADDRESS.parameters)
            assert raised.value.retryable


@pytest.mark.parametrize("operation", ["put_object", "upload_part"])
def test_write_whose_answer_has_no_etag_counts_as_a_lost_answer(client_of, operation):
    more = {"UploadId": "id", "PartNumber": 1} if operation == "upload_part" else {}
    checksum = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": "AAAAAA=="}
    with served(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as server:
        client = client_of(server)
        for _ in range(2):
            with pytest.raises(ObjectClerkException, match="the answer has no ETag") as raised:
                body = BytesBody(b"").section(0, 0)
                request(client, operation, source=ADDRESS, **ADDRESS.parameters, Body=body, **checksum, **more)
            assert raised.value.answer_lost


def flood(headers):
    def answer(connection, asked):
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n")
        while not asked.startswith(b"HEAD"):
            connection.sendall(bytes(MIB))

    return answer


@pytest.mark.parametrize(
    "length",
    [b"Content-Length: 5\r\n", b"Content-Length: 99999999999\r\n"],
    ids=["more than it says", "more than was asked for"],
)
def test_read_of_a_part_takes_no_more_than_the_part(client_of, length):
    with served(flood(b'ETag: "e"\r\n' + length)) as server:
        client = client_of(server)
        head(requests_of(client), ADDRESS)
        tracemalloc.start()
        try:
            asked = Part(1, 0, 4)
            answer = request(client, "get_object", source=ADDRESS, Range=asked.range_header, **ADDRESS.parameters)
            answer["Body"].close()
            read, data = streams.fetch(requests_of(client), ADDRESS, most=5)
            assert data == bytes(5) or (data is None and read["ContentLength"] > 5)
            assert tracemalloc.get_traced_memory()[1] < 8 * MIB
        finally:
            tracemalloc.stop()
