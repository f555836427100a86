"""The delay line adds a round-trip time and changes neither the bytes nor their order nor the throughput."""

import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager

import pytest
import trustme

from bench.delay_line import HOST, delayed

RTT_MS = 200
RTT = RTT_MS / 1000
# Tolerances: a busy machine may add to a round trip, and the clocks of two processes may differ.
SLACK, EARLY = 1.0, 0.95
# The fastest of several tries counts.
TRIES = 3
TIMEOUT = 20


@pytest.fixture(scope="module", name="line")
def line_to_a_server_that_sends_back():
    with sending_back() as port, delayed(HOST, port, RTT_MS) as line:
        yield line


@contextmanager
def sending_back(certificate=None):
    """Run a server that sends back all bytes; yield its port."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(tls)

    def send_back(connection):
        with connection:
            while block := connection.recv(1 << 20):
                connection.sendall(block)
            if not tls:
                connection.shutdown(socket.SHUT_WR)

    with listening(send_back, tls) as port:
        yield port


@contextmanager
def listening(serve, tls=None):
    listener = socket.create_server((HOST, 0))

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection):
        try:
            serve(tls.wrap_socket(connection, server_side=True) if tls else connection)
        except OSError:
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing the listener alone would not wake `accept`.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def connected(port):
    return socket.create_connection((HOST, port), timeout=TIMEOUT)


def seconds_until_back(connection, data=b"x"):
    started = time.monotonic()
    connection.sendall(data)
    assert received(connection, len(data)) == data
    return time.monotonic() - started


def received(connection, size):
    blocks = bytearray()
    while len(blocks) < size:
        blocks += connection.recv(size - len(blocks))
    return bytes(blocks)


def test_first_bytes_take_a_further_round_trip(line):
    first, next_ = [], []
    for _ in range(TRIES):
        with connected(line) as connection:
            first.append(seconds_until_back(connection))
            next_.append(seconds_until_back(connection))
    assert 2 * RTT * EARLY <= min(first) < 2 * RTT + SLACK
    assert RTT * EARLY <= min(next_) < RTT + SLACK


def test_each_direction_takes_half_a_round_trip():
    arrivals = []

    def note(connection):
        with connection:
            while connection.recv(1):
                arrivals.append(time.monotonic())
                connection.sendall(b"x")

    there, back = [], []
    with listening(note) as port, delayed(HOST, port, RTT_MS) as line, connected(line) as connection:
        seconds_until_back(connection)
        for _ in range(TRIES):
            started = time.monotonic()
            seconds_until_back(connection)
            there.append(arrivals[-1] - started)
            back.append(time.monotonic() - arrivals[-1])
    assert RTT / 2 * EARLY <= min(there) < RTT / 2 + SLACK
    assert RTT / 2 * EARLY <= min(back) < RTT / 2 + SLACK


def test_concurrent_connections_do_not_wait_for_each_other(line):
    connections = [connected(line) for _ in range(50)]
    started = time.monotonic()
    for number, connection in enumerate(connections):
        connection.sendall(b"%02d" % number)
    assert [received(connection, 2) for connection in connections] == [b"%02d" % number for number in range(50)]
    # Sequentially they would take twenty seconds.
    assert time.monotonic() - started < 10
    for connection in connections:
        connection.close()


def test_throughput_is_not_limited_by_the_round_trip_time(line):
    # A window of 64 KiB would limit the throughput to 0.3 MB a second, and the test would take minutes.
    data = bytes(range(256)) * (64 * 1024**2 // 256)
    with connected(line) as connection:
        seconds_until_back(connection)
        threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()
        started = time.monotonic()
        assert received(connection, len(data)) == data
        assert time.monotonic() - started < 15


def test_end_of_one_direction_leaves_the_other_open(line):
    with connected(line) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        assert received(connection, 10) == b"last words"
        assert connection.recv(1) == b""


def test_reset_of_the_server_reaches_the_client_after_its_last_bytes():
    def refuse(connection):
        connection.recv(1)
        connection.sendall(b"no")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    with listening(refuse) as port, delayed(HOST, port, 20) as line, connected(line) as connection:
        connection.sendall(b"may I?")
        with pytest.raises(ConnectionResetError):
            while connection.recv(10) in (b"no", b"n", b"o"):
                pass


def test_missing_server_ends_the_connection_after_the_delay():
    with socket.create_server((HOST, 0)) as unused:
        port = unused.getsockname()[1]
    with delayed(HOST, port, RTT_MS) as line:
        started = time.monotonic()
        with connected(line) as connection, pytest.raises(ConnectionResetError):
            connection.recv(1)
        assert RTT / 2 * EARLY <= time.monotonic() - started


def test_tls_passes_through_unchanged():
    authority = trustme.CA()
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    with sending_back(authority.issue_cert(HOST)) as port, delayed(HOST, port, RTT_MS) as line:
        started = time.monotonic()
        with tls.wrap_socket(connected(line), server_hostname=HOST) as connection:
            # A round trip for TCP, and with TLS 1.3 another.
            assert 2 * RTT * EARLY <= time.monotonic() - started
            assert RTT * EARLY <= seconds_until_back(connection, b"secret")


def test_line_ends_with_its_block():
    with sending_back() as port, delayed(HOST, port, 1) as line:
        pass
    with pytest.raises(ConnectionRefusedError):
        connected(line)
