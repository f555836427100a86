"""A network between containers and their servers that loses, delays, repeats and cuts requests.

Each container has its own `Line`, with a port for each server, so the port identifies container and server of a call.
A test plans the faults before a delivery: which kind, at which request. A held request reaches its server later, when
its container has repeated it or is dead: see `Held`.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.http_messages import HEAD_END, error_answer, headers_of, read_answer, read_request
from tests.support.proxy import flipped

WRITES = (b"PUT", b"POST", b"DELETE")
PATIENCE_SECONDS = 30

# Kinds of faults: before the request reaches the server, and after the server's answer.
NEVER_SENT = ("refused", "reset", "torn", "held", "killed before", "killed and held")
DONE = ("killed after", "killed soon", "lost", "failed", "cut", "spoilt")
KILLS = ("killed before", "killed after", "killed soon", "killed and held")
# Time for one or two more requests of a container.
SOON_SECONDS = 0.01
# The server may carry out the request, now or later, and the container cannot know.
AMBIGUOUS = (*DONE, "held", "torn", "killed and held")


@dataclass
class Fault:
    """The fault of one request.

    Attributes:
        kind: one of `NEVER_SENT` and `DONE`, or "" for none.
        status: of the answer in the server's place, for `refused` and `failed`.
        share: of the body or answer that gets through, for `torn` and `cut`; of the body before the wrong bit, for
            `spoilt`; of `SOON_SECONDS` until the kill, for `killed soon`.
        lands_after: number of later writes after which a held request is sent; None: `Held.land` sends it.
        first: called before the request is sent, in a thread of its own.
        wait: seconds before the request is sent.
    """

    kind: str = ""
    status: int = 500
    share: float = 0.5
    lands_after: int | None = None
    first: Callable[[], None] | None = None
    wait: float = 0.0


NO_FAULT = Fault()


@dataclass
class Held:
    """The delayed requests of one history.

    Attributes:
        waiting: pairs of a request and the number of later writes after which it is sent, or None.
        landed: pairs of a request line and the status of the server's answer.
    """

    network: "Network"
    waiting: list = field(default_factory=list)
    landed: list = field(default_factory=list)
    _landing: set = field(default_factory=set)

    def land(self):
        """Send all requests, and return when the servers have answered."""
        asyncio.run_coroutine_threadsafe(self._land_all(), self.network.loop).result(PATIENCE_SECONDS)

    def hold(self, request, lands_after):
        """Delay a request; the network calls this."""
        self.waiting.append([request, lands_after])

    def count_write(self):
        """Send the requests that waited for this write; the network calls this."""
        for entry in list(self.waiting):
            if entry[1] is not None:
                entry[1] -= 1
                if entry[1] < 0:
                    self._begin(entry)

    async def _land_all(self):
        for entry in list(self.waiting):
            self._begin(entry)
        await asyncio.gather(*self._landing)

    def _begin(self, entry):
        self.waiting.remove(entry)
        task = asyncio.ensure_future(self._land(entry[0]))
        self._landing.add(task)
        task.add_done_callback(self._landing.discard)

    async def _land(self, request):
        reader, writer = await self.network.connect(request.server)
        writer.write(request.head + request.body)
        answer = await read_answer(reader, request.method)
        writer.close()
        self.landed.append((request.line.decode(), int(answer.split(b" ", 2)[1])))


@dataclass
class Line:  # pylint: disable=too-many-instance-attributes  # the plan, and a record of what happened
    """The connections of one container to all servers.

    Attributes:
        network: the `Network`.
        ports: name of a server -> port that leads to it.
        kill: ends the container.
        plan: the faults: (which, number) -> `Fault`. `which` is `any` or `write`; the number counts the delivery's
            requests of that kind from 1; writes are those to the server named `mirror`.
        held: the `Held` of the history.
        connections: number of open connections.
        under_way: the requests without an answer so far.
        met: pairs of the kind and the request line of each fault that took place.
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
        """Begin a delivery."""
        self.plan, self.held, self.met, self._counts = plan, held, [], {}

    async def open(self, servers):
        """Open a port for each server."""
        for name in servers:
            listener = await asyncio.start_server(lambda *way, name=name: self._serve(name, *way), "127.0.0.1", 0)
            self.ports[name] = listener.sockets[0].getsockname()[1]
            self._listeners.append(listener)

    def close(self):
        """Close the ports; open connections end with their container."""
        for listener in self._listeners:
            self.network.loop.call_soon_threadsafe(listener.close)

    def fault_of(self, request):
        """Return the fault of the next request."""
        kinds = ["any"]
        if request.server == "mirror" and request.method in WRITES:
            kinds.append("write")
        found = NO_FAULT
        for kind in kinds:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            found = self.plan.pop((kind, self._counts[kind]), found)
        return found

    async def _serve(self, name, reader, writer):
        self.connections += 1
        # The loop itself has only a weak reference to a task.
        task = asyncio.current_task()
        self.network.serving.add(task)
        way = _Way(self, name, writer)
        try:
            while request := await read_request(name, reader, writer):
                self.under_way.append(request)
                try:
                    await way.carry(request, self.fault_of(request))
                finally:
                    self.under_way.remove(request)
        except (OSError, asyncio.IncompleteReadError, _Ended):
            pass
        finally:
            way.end()
            self.connections -= 1
            self.network.serving.discard(task)


class _Ended(Exception):
    """The connection of the container has ended."""


class _Way:  # pylint: disable=too-few-public-methods  # it carries requests and ends
    """One connection of a container, and the connection to the server behind it."""

    def __init__(self, line, name, client):
        self._line = line
        self._name = name
        self._client = client
        self._server = None

    async def carry(self, request, fault):
        """Forward a request and its answer, as far as the fault allows."""
        if fault.kind or fault.first:
            self._line.met.append((fault.kind or "meanwhile", request.line.decode()))
        if fault.first:
            await asyncio.get_running_loop().run_in_executor(None, fault.first)
        if fault.wait:
            await asyncio.sleep(fault.wait)
        if fault.kind in NEVER_SENT:
            await self._prevent(request, fault)
            return
        answer = await self._exchange(request)
        if request.server == "mirror" and request.method in WRITES and self._line.held:
            self._line.held.count_write()
        if fault.kind == "killed after":
            self._line.kill()
        if fault.kind == "killed soon":
            asyncio.get_running_loop().call_later(fault.share * SOON_SECONDS, self._line.kill)
        if fault.kind in ("killed after", "lost"):
            raise _Ended
        if fault.kind == "cut":
            self._client.write(answer[: int(len(answer) * fault.share)])
            await self._client.drain()
            raise _Ended
        if fault.kind == "failed":
            answer = error_answer(request.method, fault.status)
        self._client.write(spoilt(answer, fault.share) if fault.kind == "spoilt" else answer)
        await self._client.drain()

    async def _prevent(self, request, fault):
        if fault.kind == "refused":
            self._client.write(error_answer(request.method, fault.status))
            await self._client.drain()
            return
        if fault.kind in ("held", "killed and held"):
            self._line.held.hold(request, fault.lands_after)
        if fault.kind in KILLS:
            self._line.kill()
        if fault.kind == "torn":
            _, server = await self._line.network.connect(self._name)
            server.write(request.head + request.body[: int(len(request.body) * fault.share)])
            await server.drain()
            server.transport.abort()
        raise _Ended

    async def _exchange(self, request):
        self._server = self._server or await self._line.network.connect(self._name)
        reader, writer = self._server
        writer.write(request.head + request.body)
        answer = await read_answer(reader, request.method)
        if headers_of(answer.partition(HEAD_END)[0]).get(b"connection") == b"close":
            self._server = None
            writer.transport.abort()
        return answer

    def end(self):
        """End both connections, the container's with a reset."""
        client = self._client.get_extra_info("socket")
        with suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Written bytes are already under way, so a cut answer arrives before the reset.
        self._client.transport.abort()
        if self._server:
            self._server[1].transport.abort()


def spoilt(answer, share):
    """Return a successful answer with one wrong bit in its body."""
    head, _, body = answer.partition(HEAD_END)
    is_success = head.split(b" ", 2)[1].startswith(b"2")
    return head + HEAD_END + flipped(body, int(len(body) * 8 * share)) if body and is_success else answer


class Network:
    """All lines, in one thread.

    Args:
        servers: name of each server -> its host and port.
    """

    def __init__(self, servers):
        self.serving = set()
        self._servers = servers
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def line(self, kind=Line):
        """Return a new `Line`, or another kind of it."""
        line = kind(self)
        asyncio.run_coroutine_threadsafe(line.open(self._servers), self.loop).result(PATIENCE_SECONDS)
        return line

    async def connect(self, name):
        """Return a reader and a writer of a new connection to a server."""
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
