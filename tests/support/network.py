"""A network between containers and their servers, on which requests are lost, delayed, repeated and cut.

Each container has a `Line` of its own, with a port for each server, so each request is known by its port. What goes
wrong is planned before a delivery begins: at which request, and what. A request that is held lands later, when its
container has repeated it, or is dead: see `Held`.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"
LINE_END = b"\r\n"
WRITES = (b"PUT", b"POST", b"DELETE")
PATIENCE_SECONDS = 30

# What befalls a request, by whether the server is asked first.
NEVER_SENT = ("refused", "reset", "torn", "held", "killed before", "killed and held")
DONE = ("killed after", "killed soon", "lost", "failed", "cut")
KILLS = ("killed before", "killed after", "killed soon", "killed and held")
# A container does one or two more things in this time.
SOON_SECONDS = 0.01
# The server's work may be done, or be done later, and the container does not know.
AMBIGUOUS = (*DONE, "held", "torn", "killed and held")


@dataclass
class Trouble:
    """What befalls one request.

    Attributes:
        kind: one of `NEVER_SENT` and `DONE`, or "" for nothing.
        status: of the answer that takes the place of the server's, for `refused` and `failed`.
        share: how much of a body or an answer gets through, for `torn` and `cut`; how much of `SOON_SECONDS` is left,
            for `killed soon`.
        lands_after: after so many later writes a held request lands; None where it waits for `Held.land`.
        first: called before the request goes on, in a thread of its own.
        wait: seconds before the request goes on.
    """

    kind: str = ""
    status: int = 500
    share: float = 0.5
    lands_after: int | None = None
    first: Callable[[], None] | None = None
    wait: float = 0.0


NO_TROUBLE = Trouble()


@dataclass(eq=False)
class Request:
    """One request as it came.

    Attributes:
        server: the name of the server it is for.
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
        """HTTP's method."""
        return self.line.partition(b" ")[0]


@dataclass
class Held:
    """The requests of one history that are on their way for long.

    Attributes:
        waiting: pairs of a request and after how many later writes it lands, or None.
        landed: pairs of a request line and the status that the server answered.
    """

    network: "Network"
    waiting: list = field(default_factory=list)
    landed: list = field(default_factory=list)
    _landing: set = field(default_factory=set)

    def land(self):
        """Lets all requests land, and returns when the servers have answered them."""
        asyncio.run_coroutine_threadsafe(self._land_all(), self.network.loop).result(PATIENCE_SECONDS)

    def hold(self, request, lands_after):
        """Keeps a request; called by the network."""
        self.waiting.append([request, lands_after])

    def count_write(self):
        """Lets requests land that waited for this write; called by the network."""
        for one in list(self.waiting):
            if one[1] is not None:
                one[1] -= 1
                if one[1] < 0:
                    self._begin(one)

    async def _land_all(self):
        for one in list(self.waiting):
            self._begin(one)
        await asyncio.gather(*self._landing)

    def _begin(self, one):
        self.waiting.remove(one)
        task = asyncio.ensure_future(self._land(one[0]))
        self._landing.add(task)
        task.add_done_callback(self._landing.discard)

    async def _land(self, request):
        reader, writer = await self.network.connect(request.server)
        writer.write(request.head + request.body)
        answer = await _answer(reader, request.method)
        writer.close()
        self.landed.append((request.line.decode(), int(answer.split(b" ", 2)[1])))


@dataclass
class Line:  # pylint: disable=too-many-instance-attributes  # what is planned, and what has happened
    """The way of one container to all servers.

    Attributes:
        network: the `Network`.
        ports: the name of a server -> the port that leads there.
        kill: ends the container.
        plan: what befalls requests: (which, number) -> `Trouble`. `which` is `any` or `write`, and the number counts
            the delivery's requests of that kind from 1; writes are those to the server named `mirror`.
        held: the `Held` of the history.
        connections: how many are open.
        under_way: the requests that have no end yet.
        met: the kind of trouble and the request line of each trouble that came about.
    """

    network: "Network"
    ports: dict = field(default_factory=dict)
    kill: Callable[[], None] | None = None
    plan: dict = field(default_factory=dict)
    held: Held | None = None
    connections: int = 0
    under_way: list = field(default_factory=list)
    met: list = field(default_factory=list)
    _counts: dict = field(default_factory=dict)
    _listeners: list = field(default_factory=list)

    def begin(self, plan, held):
        """Begins a delivery."""
        self.plan, self.held, self.met, self._counts = plan, held, [], {}

    async def open(self, servers):
        """Opens a port for each server."""
        for name in servers:
            listener = await asyncio.start_server(lambda *way, name=name: self._serve(name, *way), "127.0.0.1", 0)
            self.ports[name] = listener.sockets[0].getsockname()[1]
            self._listeners.append(listener)

    def close(self):
        """Closes the ports; open connections end with their container."""
        for listener in self._listeners:
            self.network.loop.call_soon_threadsafe(listener.close)

    def _trouble_of(self, request):
        kinds = ["any"]
        if request.server == "mirror" and request.method in WRITES:
            kinds.append("write")
        found = NO_TROUBLE
        for kind in kinds:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            found = self.plan.pop((kind, self._counts[kind]), found)
        return found

    async def _serve(self, name, reader, writer):
        self.connections += 1
        # The loop itself holds a task weakly.
        task = asyncio.current_task()
        self.network.serving.add(task)
        way = _Way(self, name, writer)
        try:
            while request := await _request(name, reader, writer):
                self.under_way.append(request)
                try:
                    await way.carry(request, self._trouble_of(request))
                finally:
                    self.under_way.remove(request)
        except (OSError, asyncio.IncompleteReadError, _Ended):
            pass
        finally:
            way.end()
            self.connections -= 1
            self.network.serving.discard(task)


class _Ended(Exception):
    """The container's connection is no more."""


class _Way:  # pylint: disable=too-few-public-methods  # requests are carried by it
    """One connection of a container, and the one to the server that belongs to it."""

    def __init__(self, line, name, client):
        self._line = line
        self._name = name
        self._client = client
        self._server = None

    async def carry(self, request, trouble):
        """Hands a request on and the answer back, unless trouble prevents it."""
        if trouble.kind or trouble.first:
            self._line.met.append((trouble.kind or "meanwhile", request.line.decode()))
        if trouble.first:
            await asyncio.get_running_loop().run_in_executor(None, trouble.first)
        if trouble.wait:
            await asyncio.sleep(trouble.wait)
        if trouble.kind in NEVER_SENT:
            await self._prevent(request, trouble)
            return
        answer = await self._exchange(request)
        if request.server == "mirror" and request.method in WRITES and self._line.held:
            self._line.held.count_write()
        if trouble.kind == "killed after":
            self._line.kill()
        if trouble.kind == "killed soon":
            asyncio.get_running_loop().call_later(trouble.share * SOON_SECONDS, self._line.kill)
        if trouble.kind in ("killed after", "lost"):
            raise _Ended
        if trouble.kind == "cut":
            self._client.write(answer[: int(len(answer) * trouble.share)])
            await self._client.drain()
            raise _Ended
        self._client.write(_error(request.method, trouble.status) if trouble.kind == "failed" else answer)
        await self._client.drain()

    async def _prevent(self, request, trouble):
        if trouble.kind == "refused":
            self._client.write(_error(request.method, trouble.status))
            await self._client.drain()
            return
        if trouble.kind in ("held", "killed and held"):
            self._line.held.hold(request, trouble.lands_after)
        if trouble.kind in KILLS:
            self._line.kill()
        if trouble.kind == "torn":
            _, server = await self._line.network.connect(self._name)
            server.write(request.head + request.body[: int(len(request.body) * trouble.share)])
            await server.drain()
            server.transport.abort()
        raise _Ended

    async def _exchange(self, request):
        self._server = self._server or await self._line.network.connect(self._name)
        reader, writer = self._server
        writer.write(request.head + request.body)
        answer = await _answer(reader, request.method)
        if _headers(answer.partition(HEAD_END)[0]).get(b"connection") == b"close":
            self._server = None
            writer.transport.abort()
        return answer

    def end(self):
        """Ends both connections, the container's with a reset."""
        client = self._client.get_extra_info("socket")
        with suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # What was written is on its way; an answer that was cut arrives before the end does.
        self._client.transport.abort()
        if self._server:
            self._server[1].transport.abort()


class Network:
    """All lines, in one thread.

    Args:
        servers: the name of each server -> its host and port.
    """

    def __init__(self, servers):
        self.serving = set()
        self._servers = servers
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def line(self):
        """Returns a new `Line`."""
        line = Line(self)
        asyncio.run_coroutine_threadsafe(line.open(self._servers), self.loop).result(PATIENCE_SECONDS)
        return line

    async def connect(self, name):
        """Returns a reader and a writer to a server."""
        return await asyncio.open_connection(*self._servers[name])

    def close(self):
        asyncio.run_coroutine_threadsafe(_end_all(), self.loop).result(PATIENCE_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


async def _end_all():
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _request(name, reader, writer):
    """Returns the next request, or None at the end; says "go on" to a client that waits for it."""
    try:
        head = await reader.readuntil(HEAD_END)
    except asyncio.IncompleteReadError:
        return None
    headers = _headers(head)
    if b"expect" in headers:
        writer.write(b"HTTP/1.1 100 Continue" + HEAD_END)
        lines = [line for line in head.split(LINE_END) if not line.lower().startswith(b"expect:")]
        head = LINE_END.join(lines)
    return Request(name, head, await reader.readexactly(int(headers.get(b"content-length", 0))))


async def _answer(reader, method):
    head = await reader.readuntil(HEAD_END)
    while head.startswith(b"HTTP/1.1 100"):
        head = await reader.readuntil(HEAD_END)
    headers, status = _headers(head), int(head.split(b" ", 2)[1])
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


def _headers(head):
    pairs = (line.partition(b":") for line in head.split(LINE_END)[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name}


def _error(method, status):
    code = {500: "InternalError", 503: "ServiceUnavailable"}.get(status, "BadGateway")
    body = b"" if method == b"HEAD" else f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}{HEAD_END.decode()}".encode() + body
