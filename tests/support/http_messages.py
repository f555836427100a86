"""Requests and answers of HTTP as bytes, read from streams of asyncio."""

import asyncio
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"
LINE_END = b"\r\n"


@dataclass(eq=False)
class Request:
    """One request.

    Attributes:
        server: the name of its server.
        head: the request line and the headers.
        body: its bytes.
    """

    server: str
    head: bytes
    body: bytes

    @property
    def line(self):
        """The request line."""
        return self.head.partition(LINE_END)[0]

    @property
    def method(self):
        """The HTTP method."""
        return self.line.partition(b" ")[0]


async def read_request(name, reader, writer):
    """Return the next request, or None at the end; answer `100 Continue` to a client that waits for it."""
    try:
        head = await reader.readuntil(HEAD_END)
    except asyncio.IncompleteReadError:
        return None
    headers = headers_of(head)
    if b"expect" in headers:
        writer.write(b"HTTP/1.1 100 Continue" + HEAD_END)
        lines = [line for line in head.split(LINE_END) if not line.lower().startswith(b"expect:")]
        head = LINE_END.join(lines)
    return Request(name, head, await reader.readexactly(int(headers.get(b"content-length", 0))))


async def read_answer(reader, method):
    """Return the next answer as bytes, without interim ones."""
    head = await reader.readuntil(HEAD_END)
    while head.startswith(b"HTTP/1.1 100"):
        head = await reader.readuntil(HEAD_END)
    headers, status = headers_of(head), int(head.split(b" ", 2)[1])
    if method == b"HEAD" or status in (204, 304):
        return head
    if b"content-length" in headers:
        return head + await reader.readexactly(int(headers[b"content-length"]))
    if headers.get(b"transfer-encoding", b"") == b"chunked":
        return head + await _chunks(reader)
    return head


async def _chunks(reader):
    chunks = b""
    while not chunks.endswith(b"\r\n0\r\n\r\n") and chunks != b"0\r\n\r\n":
        size = await reader.readuntil(LINE_END)
        chunks += size + await reader.readexactly(int(size.partition(b";")[0], 16) + len(LINE_END))
    return chunks


def headers_of(head):
    """Return the headers by their names in lower case."""
    pairs = (line.partition(b":") for line in head.split(LINE_END)[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name}


def error_answer(method, status):
    """Return an error of S3."""
    code = {500: "InternalError", 503: "ServiceUnavailable"}.get(status, "BadGateway")
    body = b"" if method == b"HEAD" else f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}{HEAD_END.decode()}".encode() + body
