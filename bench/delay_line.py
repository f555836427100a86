"""`python -m bench.delay_line HOST PORT RTT_MS`: a TCP proxy that adds a round-trip time to a server.

The proxy forwards bytes half a round trip after it received them, in both directions and in order. It does not inspect
them, so TLS passes through. The number of bytes in transit is not limited: the proxy adds latency and no limit on
bandwidth. A real connection costs a round trip before the client can send. The connection to the proxy is established
at once, so the proxy delays the client's first bytes by a further round trip.

It prints its port, and ends when its standard input ends. It is a separate process, so that it shares no interpreter
lock with a contestant.
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
from urllib.parse import urlsplit

HOST = "127.0.0.1"

# The default maximum of the kernel's buffers: larger reads need less CPU time.
BLOCK = 4 * 1024**2

# With a linger time of zero, closing a socket sends a reset.
RESET = struct.pack("ii", 1, 0)


class Direction:  # pylint: disable=too-few-public-methods  # the event loop makes the scheduled calls
    """One direction of a connection: calls, each made in order after a fixed delay."""

    def __init__(self, delay: float, opens_at: float = 0.0) -> None:
        """Create a direction without calls.

        Args:
            delay: Seconds from the scheduling to the call.
            opens_at: A time of the loop's clock. A call that is scheduled earlier counts as scheduled then.
        """
        self._delay = delay
        self._opens_at = opens_at
        self._loop = asyncio.get_running_loop()
        self._calls: deque[tuple[float, Callable[[], None]]] = deque()

    def schedule(self, call: Callable[[], None]) -> None:
        """Schedule a call."""
        due = max(self._loop.time(), self._opens_at) + self._delay
        self._calls.append((due, call))
        if len(self._calls) == 1:
            self._loop.call_at(due, self._make_due_calls)

    def _make_due_calls(self) -> None:
        now = self._loop.time()
        while self._calls and self._calls[0][0] <= now:
            self._calls.popleft()[1]()
        if self._calls:
            self._loop.call_at(self._calls[0][0], self._make_due_calls)


class End(asyncio.BufferedProtocol):
    """One end of a connection through the proxy; the other end sends what this one receives, after the delay."""

    # All connections share one buffer: each copies its bytes at once.
    _block = memoryview(bytearray(BLOCK))

    transport: asyncio.Transport
    other: "End"
    direction: Direction
    has_received_all = has_sent_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer for the next read."""
        return self._block

    def buffer_updated(self, nbytes: int) -> None:
        """Schedule the sending of received bytes."""
        data = bytes(self._block[:nbytes])
        self.direction.schedule(lambda: self.other.write(data))

    def eof_received(self) -> bool:
        """Schedule the end of this direction; return whether the other direction is still open."""
        self.has_received_all = True
        self.direction.schedule(self.other.write_eof)
        return not self.has_sent_all

    def connection_lost(self, exc: Exception | None) -> None:
        """Schedule the end of the connection; a reset is forwarded as a reset."""
        self.direction.schedule(self.other.abort if exc else self.other.close)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def write_eof(self) -> None:
        """End this direction, and the connection if the other direction has ended."""
        self.has_sent_all = True
        if self.has_received_all:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()

    def close(self) -> None:
        """Close the connection once all bytes are sent."""
        self.transport.close()

    def abort(self) -> None:
        """Reset the connection."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


class Entrance(End):
    """The client's end of a connection."""

    def __init__(self, host: str, port: int, round_trip: float) -> None:
        """Store the server's address and the round-trip time in seconds."""
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
        self.direction = Direction(half, opens_at=loop.time() + self._round_trip)
        exit_.direction = Direction(half)
        self.transport.pause_reading()
        self._connecting = loop.create_task(self._connect(exit_))

    async def _connect(self, exit_: End) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: exit_, *self._server)
            self.transport.resume_reading()
        except OSError:
            # Without a connection to the server, this end is its own other end.
            self.other = self
            exit_.direction.schedule(self.abort)


async def serve(host: str, port: int, round_trip: float, ready: Callable[[int], None]) -> None:
    """Run the proxy until the task is cancelled.

    Args:
        host: The server's address.
        port: The server's port.
        round_trip: The round-trip time in seconds.
        ready: A callback that gets the proxy's port.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Entrance(host, port, round_trip), HOST, 0, backlog=1024)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


@contextmanager
def delayed(host: str, port: int, round_trip_ms: float) -> Iterator[int]:
    """Run a proxy process until the block ends; yield its port on `HOST`.

    Args:
        host: The server's address.
        port: The server's port.
        round_trip_ms: The round-trip time in milliseconds.
    """
    command = [sys.executable, "-m", "bench.delay_line", host, str(port), str(round_trip_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()


@contextmanager
def at_distance(url: str, round_trip_ms: float) -> Iterator[str]:
    """Yield the URL of a server at a distance.

    Args:
        url: The server's URL, with its port.
        round_trip_ms: The round-trip time in milliseconds; 0 means no delay line.
    """
    if not round_trip_ms:
        yield url
        return
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    with delayed(parts.hostname, parts.port, round_trip_ms) as port:
        yield f"{parts.scheme}://{HOST}:{port}"


def main() -> None:
    """Run the proxy of the command line until the end of standard input."""
    host, port, round_trip_ms = sys.argv[1:]

    async def run() -> None:
        serving = asyncio.create_task(
            serve(host, int(port), float(round_trip_ms) / 1000, lambda own: print(own, flush=True))
        )
        loop = asyncio.get_running_loop()

        def cancel_at_end_of_input() -> None:
            sys.stdin.read()
            loop.call_soon_threadsafe(serving.cancel)

        threading.Thread(target=cancel_at_end_of_input, daemon=True).start()
        with suppress(asyncio.CancelledError):
            await serving

    asyncio.run(run())


if __name__ == "__main__":
    main()
