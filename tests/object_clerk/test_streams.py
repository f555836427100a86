import threading
from contextlib import ExitStack
from io import BytesIO
from zlib import crc32

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.object_clerk.buffer_pool import BufferPool
from tasks.object_clerk.errors import (
    DeadlineException,
    ObjectChangedException,
    ObjectClerkServerInternalException,
    ObjectSaveException,
    ObjectVerificationException,
)
from tasks.object_clerk.flow import Flow
from tasks.object_clerk.parts import MAX_OBJECT, MAX_PART, MAX_PARTS, MIN_PART, plan
from tasks.object_clerk.pinned import Pinned
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.sent_parts import SentPart
from tasks.object_clerk.streams import (
    PartStream,
    StreamLimits,
    crc32_of,
    fetch,
    put,
    whole_crc32,
)
from tasks.utils.deadline import Deadline
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

ADDRESS = S3Object("a-bucket", "key")


@pytest.fixture(name="requests")
def requests_to_a_bucket(s3, aws):
    s3.create_bucket(Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": aws.region_name})
    return S3Requests(s3, RetryPolicy(tries=2))


@given(st.integers(0, MAX_OBJECT), st.sampled_from([MIN_PART, 16 << 20, MAX_PART]))
def test_plan_of_any_object_is_legal_and_covers_it(size, part_size):
    parts = plan(size, part_size=part_size)
    assert len(parts) <= MAX_PARTS
    assert all(MIN_PART <= part.size <= MAX_PART for part in parts[:-1])
    assert [part.first for part in parts] == [0, *(part.last + 1 for part in parts)][: len(parts)]
    assert sum(part.size for part in parts) == size


@given(st.integers(0, MAX_OBJECT), st.integers(16 << 20, 10_240 << 20))
@example(10_000 * (256 << 20), 256 << 20)
@example(10_000 * (256 << 20) + 1, 256 << 20)
def test_parts_in_flight_fit_into_the_pool_or_the_object_is_refused(size, memory):
    # The sizes matter here, not the memory: 10 GiB are more than some machines have.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tasks.object_clerk.buffer_pool.mmap.mmap", lambda *_, **__: bytearray())
        limits = StreamLimits(BufferPool(memory))
    part = plan(size, part_size=limits.part_size)[0].size if size else 0
    free = memory
    with ExitStack() as held:
        if part > memory:
            with pytest.raises(ObjectSaveException):
                held.enter_context(limits.buffers.buffer(part))
            assert size > MAX_PARTS * memory - (MAX_PARTS << 20)
        for _ in range(limits.workers):
            # A part that does not fit waits until another part has arrived.
            if part <= free:
                held.enter_context(limits.buffers.buffer(part))
                free -= part
        assert free >= 0


class CountingStore:
    """A client of zeros that counts the bytes which were read and not yet written."""

    def __init__(self):
        self.lock = threading.Lock()
        self.in_flight = self.most = 0

    def get_object(self, **asked):
        first, last = asked["Range"].removeprefix("bytes=").split("-")
        size = int(last) - int(first) + 1
        with self.lock:
            self.in_flight += size
            self.most = max(self.most, self.in_flight)
        return {"ETag": '"e"', "ContentLength": size, "Body": BytesIO(bytes(size))}

    def upload_part(self, **sent):
        with self.lock:
            self.in_flight -= sent["Body"].size
        return {"ETag": '"part"'}


@given(st.integers(1, 8 * MIN_PART), st.integers(MIN_PART, 4 * MIN_PART), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_bytes_in_flight_never_exceed_the_setting(size, memory, workers):
    store = CountingStore()
    limits = StreamLimits(BufferPool(memory), MIN_PART, MIN_PART, workers)
    requests = S3Requests(store)
    carried = PartStream(requests, requests, Pinned(ADDRESS, '"e"', size), ADDRESS, "upload", limits).run({})
    assert sum(part.size for part in carried) == size
    assert store.in_flight == 0
    assert store.most <= memory


def test_object_is_fetched_with_its_headers_in_one_request(requests, s3):
    s3.put_object(Bucket="a-bucket", Key="key", Body=b"bytes", ContentType="text/csv")
    answer, data = fetch(requests, ADDRESS, most=5)
    assert (answer["ContentType"], data) == ("text/csv", b"bytes")


def test_object_is_fetched_into_a_given_buffer(requests, s3):
    s3.put_object(Bucket="a-bucket", Key="key", Body=b"bytes")
    buffer = bytearray(5)
    _, data = fetch(requests, ADDRESS, most=5, into=memoryview(buffer))
    assert data.obj is buffer and buffer == b"bytes"


def test_object_that_is_larger_than_expected_comes_without_its_bytes(requests, s3):
    s3.put_object(Bucket="a-bucket", Key="key", Body=b"bytes")
    answer, data = fetch(requests, ADDRESS, most=4)
    assert (answer["ContentLength"], data) == (5, None)


def test_object_that_was_replaced_is_not_fetched(requests, s3):
    pinned = Pinned.by(ADDRESS, s3.put_object(Bucket="a-bucket", Key="key", Body=b"one") | {"ContentLength": 3})
    s3.put_object(Bucket="a-bucket", Key="key", Body=b"two")
    with pytest.raises(ObjectChangedException):
        fetch(requests, ADDRESS, most=9, etag=pinned.etag)


def test_damaged_bytes_are_not_fetched(requests, s3):
    s3.put_object(Bucket="a-bucket", Key="key", Body=b"bytes")

    def damage(parsed, **_):
        body = parsed["Body"].read()
        parsed["Body"] = BytesIO(bytes(reversed(body)))

    s3.meta.events.register("after-call.s3.GetObject", damage)
    try:
        with pytest.raises(ObjectVerificationException, match="the bytes read have"):
            fetch(requests, ADDRESS, most=9)
    finally:
        s3.meta.events.unregister("after-call.s3.GetObject", damage)


def test_put_bytes_are_stored_with_their_checksum(requests, s3):
    put(requests, bytearray(b"bytes"), ADDRESS, IfNoneMatch="*")
    found = s3.head_object(Bucket="a-bucket", Key="key", ChecksumMode="ENABLED")
    assert found["ChecksumCRC32"] == crc32_of(b"bytes")
    with pytest.raises(ObjectChangedException):
        put(requests, bytearray(b"other"), ADDRESS, IfNoneMatch="*")


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_combined_checksum_of_parts_is_that_of_the_whole(pieces):
    parts = [SentPart(number, "etag", crc32(piece), len(piece)) for number, piece in enumerate(pieces, start=1)]
    assert whole_crc32(parts) == crc32_of(b"".join(pieces))


# Parts and the time that is left. The link is simulated: bytes take their time on a clock of its own.


class SlowLink:
    """A source and a destination on one link of so many bytes a second, which all requests share."""

    def __init__(self, rate):
        self.rate = rate
        self.now = 0.0
        self.uploaded = []
        self.flow = Flow(self.monotonic)
        self._lock = threading.Lock()

    def monotonic(self):
        return self.now

    def get_object(self, **asked):
        first, last = asked["Range"].removeprefix("bytes=").split("-")
        size = int(last) - int(first) + 1
        return {"ETag": '"e"', "ContentLength": size, "Body": SlowBody(self, size)}

    def upload_part(self, **sent):
        with self._lock:
            self.uploaded.append(sent["PartNumber"])
        return {"ETag": '"part"'}

    def carry(self, size):
        with self._lock:
            self.now += size / self.rate


class SlowBody(BytesIO):
    def __init__(self, link, size):
        super().__init__(bytes(size))
        self._link = link

    def readinto(self, buffer, /):
        read = super().readinto(buffer)
        self._link.carry(read)
        return read


PART = 5 << 20


def carry_over(link, monkeypatch, *, parts, invocation, workers=4):
    """Carry an object of so many parts in one invocation; return the error that ended it, or None."""
    monkeypatch.setattr("tasks.utils.deadline.monotonic", link.monotonic)
    requests = S3Requests(link, RetryPolicy(tries=1), Deadline(link.now + invocation, invocation))
    limits = StreamLimits(BufferPool(workers * PART), PART, PART, workers, link.flow)
    stream = PartStream(requests, requests, Pinned(ADDRESS, '"e"', parts * PART), ADDRESS, "upload", limits)
    there = {number: {"Size": PART, "ETag": '"part"', "ChecksumCRC32": "AAAAAA=="} for number in link.uploaded}
    try:
        stream.run(there)
    except DeadlineException as error:
        return error
    return None


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("rate", [PART / 100, PART / 30, PART / 5])
def test_each_invocation_on_a_slow_link_carries_parts_and_ends_in_time(monkeypatch, rate, workers):
    """As with parts of 100 MB and a link of 1 MB/s: a part takes a third of an invocation, or much less.

    In the first invocation nothing is known of the link, and parts that share it may all be too late.
    """
    link = SlowLink(rate)
    while True:
        began, before = link.now, len(link.uploaded)
        error = carry_over(link, monkeypatch, parts=12, invocation=280, workers=workers)
        # At the deadline each thread ends after the piece that it is reading.
        assert link.now <= began + 280 + workers * (256 << 10) / rate
        if error is None:
            break
        assert len(link.uploaded) > before or not began
    assert sorted(link.uploaded) == list(range(1, 13))
    if workers == 1:
        assert link.now <= 1.3 * 12 * PART / rate


def test_part_that_waited_for_the_first_is_not_begun_if_it_does_not_fit(monkeypatch):
    link = SlowLink(PART / 4)
    assert carry_over(link, monkeypatch, parts=4, invocation=6)
    assert (link.uploaded, link.now) == ([1], pytest.approx(4))


class LateAnswers(SlowLink):
    """A link on which the answer about a part does not arrive in time."""

    def __init__(self, seconds):
        super().__init__(1000 * PART)
        self.seconds = seconds

    def upload_part(self, **sent):
        with self._lock:
            self.now += self.seconds
        raise ReadTimeoutError(endpoint_url="http://s3")


def test_part_without_an_answer_at_the_deadline_is_a_deadline_error(monkeypatch):
    error = carry_over(LateAnswers(seconds=60), monkeypatch, parts=2, invocation=60, workers=1)
    assert error.stalled
    assert "time ran out with part 1: " in error.reason


def test_part_without_an_answer_before_the_deadline_is_a_server_error(monkeypatch):
    with pytest.raises(ObjectClerkServerInternalException, match="Read timeout"):
        carry_over(LateAnswers(seconds=59), monkeypatch, parts=2, invocation=60, workers=1)


def test_fast_link_does_not_wait_for_a_first_rate(monkeypatch):
    link = SlowLink(100 * PART)
    assert carry_over(link, monkeypatch, parts=40, invocation=60) is None
    assert sorted(link.uploaded) == list(range(1, 41))


def test_link_that_carries_no_part_ends_at_the_deadline(monkeypatch):
    link = SlowLink(PART / 1000)
    error = carry_over(link, monkeypatch, parts=4, invocation=280)
    assert "time ran out after" in str(error)
    assert not link.uploaded
    # Each of the four threads may be reading a piece at the deadline.
    assert 280 <= link.now <= 280 + 4 * (256 << 10) / link.rate


def test_part_that_would_not_arrive_is_not_begun(monkeypatch):
    link = SlowLink(PART / 100)
    error = carry_over(link, monkeypatch, parts=9, invocation=250, workers=1)
    assert f"a part of {PART} bytes would not arrive in the time that is left" in str(error)
    assert link.uploaded == [1, 2]
    assert link.now == pytest.approx(200)


@given(
    rate=st.floats(PART / 400, PART * 10),
    invocation=st.floats(1, 900),
    parts=st.integers(1, 12),
    workers=st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_any_link_ends_within_the_time_of_an_invocation(rate, invocation, parts, workers):
    link = SlowLink(rate)
    with pytest.MonkeyPatch.context() as patched:
        error = carry_over(link, patched, parts=parts, invocation=invocation, workers=workers)
    # Each thread may have been reading one piece.
    assert link.now <= invocation + workers * (256 << 10) / rate
    assert error is not None or sorted(link.uploaded) == list(range(1, parts + 1))
