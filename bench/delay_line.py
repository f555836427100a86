"""`python -m bench.delay_line HOST PORT RTT_MS`: a TCP proxy that makes a server as far away as the round trip says.

Bytes leave the line half a round trip after they reached it, in both directions and in order. They are not looked at,
so TLS passes through, and nothing limits how many are on their way: the line adds distance and takes no bandwidth.
A real connection costs a round trip before the client may send. The connection to the line is there at once, so the
line holds back what the client sends during that time.

Prints its port, and ends when its standard input does. It is a process of its own, which shares no interpreter lock
with a contestant.
"""

import asyncio
import socket
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"

# One read takes what the kernel's buffers hold at most by default: fewer and larger blocks cost less.
BLOCK = 4 * 1024**2

# A socket that lingers for no time is closed by a reset.
RESET = struct.pack("ii", 1, 0)


class Direction:  # pylint: disable=too-few-public-methods  # what is ordered happens by itself
    """Calls, each made a fixed time after it was ordered, in order."""

    def __init__(self, delay: float, opens_at: float = 0.0) -> None:
        """Begin with nothing on the way.

        Args:
            delay: Seconds from the order to the call.
            opens_at: What is ordered before this moment of the loop's clock counts as ordered then.
        """
        self._delay = delay
        self._opens_at = opens_at
        self._loop = asyncio.get_running_loop()
        self._on_its_way: deque[tuple[float, Callable[[], None]]] = deque()

    def order(self, call: Callable[[], None]) -> None:
        """Order a call."""
        due = max(self._loop.time(), self._opens_at) + self._delay
        self._on_its_way.append((due, call))
        if len(self._on_its_way) == 1:
            self._loop.call_at(due, self._make_what_is_due)

    def _make_what_is_due(self) -> None:
        now = self._loop.time()
        while self._on_its_way and self._on_its_way[0][0] <= now:
            self._on_its_way.popleft()[1]()
        if self._on_its_way:
            self._loop.call_at(self._on_its_way[0][0], self._make_what_is_due)


class End(asyncio.BufferedProtocol):
    """One end of a connection through the line: what it receives leaves at the other end, later."""

    # One buffer serves every connection: what was read is copied out of it at once.
    _block = memoryview(bytearray(BLOCK))

    transport: asyncio.Transport
    other: "End"
    way: Direction
    has_received_all = has_sent_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give asyncio the place to read to."""
        return self._block

    def buffer_updated(self, nbytes: int) -> None:
        """Send what was read on its way."""
        data = bytes(self._block[:nbytes])
        self.way.order(lambda: self.other.write(data))

    def eof_received(self) -> bool:
        """Send the end of this direction on its way; says whether the connection stays open for the other one."""
        self.has_received_all = True
        self.way.order(self.other.write_eof)
        return not self.has_sent_all

    def connection_lost(self, exc: Exception | None) -> None:
        """Send the end of the connection on its way, a reset as a reset."""
        self.way.order(self.other.abort if exc else self.other.close)

    def write(self, data: bytes) -> None:
        """Let bytes leave."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def write_eof(self) -> None:
        """Let the end of a direction leave, and end the connection if it was the second one."""
        self.has_sent_all = True
        if self.has_received_all:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()

    def close(self) -> None:
        """Close the connection when all has left."""
        self.transport.close()

    def abort(self) -> None:
        """End the connection with a reset."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


class Entrance(End):
    """The client's end of a connection."""

    def __init__(self, host: str, port: int, round_trip: float) -> None:
        """Keep where the server is."""
        super().__init__()
        self._server = host, port
        self._round_trip = round_trip
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server."""
        super().connection_made(transport)
        loop, half = asyncio.get_running_loop(), self._round_trip / 2
        exit_ = End()
        self.other, exit_.other = exit_, self
        self.way, exit_.way = Direction(half, opens_at=loop.time() + self._round_trip), Direction(half)
        self.transport.pause_reading()
        self._connecting = loop.create_task(self._connect(exit_))

    async def _connect(self, exit_: End) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: exit_, *self._server)
            self.transport.resume_reading()
        except OSError:
            # There is no other end that could be ended too.
            self.other = self
            exit_.way.order(self.abort)


async def serve(host: str, port: int, round_trip: float, ready: Callable[[int], None]) -> None:
    """Be the line to a server until the task is cancelled.

    Args:
        host: The server's.
        port: The server's.
        round_trip: Seconds.
        ready: Called with the line's own port.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Entrance(host, port, round_trip), HOST, 0, backlog=1024)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


@contextmanager
def delayed(host: str, port: int, round_trip_ms: float) -> Iterator[int]:
    """Make a server far away until the block ends; yield the port of the line on `HOST`.

    Args:
        host: The server's.
        port: The server's.
        round_trip_ms: Milliseconds.
    """
    command = [sys.executable, "-m", "bench.delay_line", host, str(port), str(round_trip_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()


def main() -> None:
    """Do what the arguments say."""
    host, port, round_trip_ms = sys.argv[1:]

    async def run() -> None:
        serving = asyncio.create_task(
            serve(host, int(port), float(round_trip_ms) / 1000, lambda own: print(own, flush=True))
        )
        loop = asyncio.get_running_loop()

        def wait_for_the_end() -> None:
            sys.stdin.read()
            loop.call_soon_threadsafe(serving.cancel)

        threading.Thread(target=wait_for_the_end, daemon=True).start()
        with suppress(asyncio.CancelledError):
            await serving

    asyncio.run(run())


if __name__ == "__main__":
    main()
