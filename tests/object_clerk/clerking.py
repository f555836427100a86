"""A state machine that calls the clerk while faults and other writers lie in its way."""

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass

from botocore.exceptions import ConnectionClosedError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from moto.s3.models import FakeKey, FakeMultipart

from tasks.object_clerk.errors import ObjectClerkException
from tests.object_clerk.conftest import PART

KEYS = st.sampled_from(["a", "b", "c"])
# By name, because hypothesis prints the drawn values.
BODIES = {"1": b"1", "22": b"22", "333": b"333", "4444": b"4444", "55555": b"55555", "large": bytes(PART + 1)}
BODY_NAMES = st.sampled_from(list(BODIES))


@dataclass(frozen=True)
class Fault:
    """Requests of a call fail, so many `times` from number `at` on, before or after they were done."""

    at: int
    done: bool
    times: int

    def hits(self, number):
        return self.at <= number < self.at + self.times


ONCE, AS_OFTEN_AS_IT_IS_TRIED, FOR_EVER = 1, 2, 1000

# A move takes three requests, six where something lies at its destination; an upload in parts five or more.
FAULTS = st.just(()) | st.lists(
    st.builds(
        Fault,
        at=st.integers(0, 7),
        done=st.booleans(),
        times=st.sampled_from([ONCE, AS_OFTEN_AS_IT_IS_TRIED, FOR_EVER]),
    ),
    min_size=1,
    max_size=2,
)
# Before which request another writer writes, and whether it is the same bytes with other metadata.
INTERFERENCE = st.none() | st.tuples(st.integers(0, 5), st.booleans())


class Way:  # pylint: disable=too-few-public-methods  # it makes requests fail and counts them
    """Counts the requests of a client and makes some of them fail."""

    def __init__(self, client):
        self.reset()
        client.meta.events.register_first("before-call.s3", self._before)
        client.meta.events.register_last("after-call.s3", self._after)

    def reset(self, faults=(), interference=None, interfere=None):
        self.numbers = itertools.count()
        self.faults = faults
        self.interference = interference
        self.interfere = interfere

    def _before(self, context, model, **_):
        number = context["number"] = next(self.numbers)
        # S3 has no condition that tells two writes of the same bytes apart, so nothing helps against one right before
        # the delete.
        if self.interference and number >= self.interference[0] and model.name != "DeleteObject":
            is_same = self.interference[1]
            self.interference = None
            self.interfere(is_same)
        if any(fault.hits(number) and not fault.done for fault in self.faults):
            raise ConnectionClosedError(endpoint_url="the test")

    def _after(self, context, **_):
        if any(fault.hits(context["number"]) and fault.done for fault in self.faults):
            raise ConnectionClosedError(endpoint_url="the test")


class Clerking(RuleBasedStateMachine):  # pylint: disable=too-many-instance-attributes  # who writes what and where
    """A bucket whose objects are put, copied, moved and deleted."""

    keeps_versions = False

    def __init__(self, look, clerk, way, bucket):
        super().__init__()
        self.look = look
        self.clerk = clerk
        self.way = way
        self.bucket = bucket
        self.written = itertools.count()
        self.newer = self.newer_metadata = None
        self.read = {}

    @initialize(names=st.lists(BODY_NAMES, min_size=2, max_size=2))
    def begin(self, names):
        for key, name in zip("ab", names):
            self.look.put_object(Bucket=self.bucket, Key=key, Body=BODIES[name])

    @rule(key=KEYS, name=BODY_NAMES, faults=FAULTS)
    def put(self, key, name, faults):
        before, body = self.objects(), BODIES[name]
        passed = self.call(lambda: self.clerk.upload_object(body, self.bucket, key), faults)
        after = self.objects()
        assert after in ([{**before, key: body}] if passed else [before, {**before, key: body}])

    @rule(source=KEYS, destination=KEYS, faults=FAULTS, interference=INTERFERENCE)
    def copy(self, source, destination, faults, interference):
        before = self.objects()
        interfere = self.somebody_else(source)
        passed = self.call(
            lambda: self.clerk.copy_object(self.bucket, source, self.bucket, destination),
            faults,
            interference,
            interfere,
        )
        after = self.objects()
        current = self.newer or before.get(source)
        assert after.get(source) == current
        if source != destination:
            copies = {before.get(source), current} - {None}
            assert after.get(destination) in (copies if passed else copies | {before.get(destination)})
        self.assert_others_untouched(before, after, source, destination)

    @rule(source=KEYS, destination=KEYS, faults=FAULTS, interference=INTERFERENCE)
    def move(self, source, destination, faults, interference):
        before, versions = self.objects(), self.versions()
        interfere = self.somebody_else(source)
        passed = self.call(
            lambda: self.clerk.move_object(self.bucket, source, self.bucket, destination),
            faults,
            interference,
            interfere,
        )
        after = self.objects()
        if source == destination:
            assert after == ({**before, source: self.newer} if self.newer else before)
        elif self.newer:
            # An object of another writer is where it was written, or is the one that was moved.
            assert self.newer in (after.get(source), after.get(destination))
            assert self.newer_metadata in [self.metadata(key) for key in {source, destination} & after.keys()]
            assert after.get(destination) in {self.newer, before.get(source), before.get(destination)}
        else:
            self.assert_moved(before, after, source, destination, passed)
        self.assert_others_untouched(before, after, source, destination)
        self.assert_only_the_moved_version_is_gone(versions, source, destination)

    @rule(key=KEYS, faults=FAULTS)
    def delete(self, key, faults):
        before, versions = self.objects(), self.versions()
        passed = self.call(lambda: self.clerk.delete_object(self.bucket, key), faults)
        without = {name: body for name, body in before.items() if name != key}
        assert self.objects() in ([without] if passed else [before, without])
        assert not self.keeps_versions or self.versions() == versions

    def assert_moved(self, before, after, source, destination, passed):
        body = before.get(source)
        if passed:
            assert after[destination] == body
            assert self.keeps_versions or source not in after
        else:
            # I1: at the source or at the destination. I2: the old one stays until the new one is whole.
            assert body is None or body in (after.get(source), after.get(destination))
            assert after.get(destination) in {before.get(destination), body}

    def assert_others_untouched(self, before, after, *keys):
        assert {k: v for k, v in before.items() if k not in keys} == {k: v for k, v in after.items() if k not in keys}

    def assert_only_the_moved_version_is_gone(self, versions, source, destination):
        gone = versions - self.versions()
        if self.keeps_versions and gone:
            assert [key for key, _ in gone.elements()] == [source]
            assert self.versions()[destination, next(iter(gone))[1]]

    def call(self, call, faults, interference=None, interfere=None):
        self.way.reset(faults, interference, interfere)
        try:
            call()
            return True
        except ObjectClerkException:
            return False
        finally:
            self.way.reset()

    def somebody_else(self, key):
        """A call that writes bytes or metadata which were never there before, as another writer does."""

        def write(is_same):
            self.newer_metadata = {"n": str(next(self.written))}
            there = self.objects().get(key) if is_same else None
            self.newer = there or f"another writer: {self.newer_metadata}".encode()
            self.look.put_object(Bucket=self.bucket, Key=key, Body=self.newer, Metadata=self.newer_metadata)

        self.newer = self.newer_metadata = None
        return write

    def objects(self):
        listed = self.look.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {one["Key"]: self.body(one["Key"]) for one in listed}

    def versions(self):
        if not self.keeps_versions:
            return Counter()
        listed = self.look.list_object_versions(Bucket=self.bucket).get("Versions", [])
        return Counter((one["Key"], self.digest_of_version(one["Key"], one["VersionId"])) for one in listed)

    def digest_of_version(self, key, version_id):
        # A version never changes while it is there, so each is read once.
        if (key, version_id) not in self.read:
            self.read[key, version_id] = hashlib.sha256(self.body(key, VersionId=version_id)).hexdigest()
        return self.read[key, version_id]

    def metadata(self, key):
        return self.look.head_object(Bucket=self.bucket, Key=key)["Metadata"]

    def body(self, key, **version):
        return self.look.get_object(Bucket=self.bucket, Key=key, **version)["Body"].read()

    def teardown(self):
        for upload in self.look.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []):
            where = {"Bucket": self.bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            self.look.abort_multipart_upload(**where)
        for version in self.look.list_object_versions(Bucket=self.bucket).get("Versions", []):
            where = {"Bucket": self.bucket, "Key": version["Key"]}
            self.look.delete_object(**where, **({"VersionId": version["VersionId"]} if self.keeps_versions else {}))
        for marker in self.look.list_object_versions(Bucket=self.bucket).get("DeleteMarkers", []):
            self.look.delete_object(Bucket=self.bucket, Key=marker["Key"], VersionId=marker["VersionId"])
        # Moto keeps the bytes of all objects for a page of its own. After hundreds of examples these are gigabytes.
        # A metaclass of moto adds the attribute, which pylint cannot see.
        for kept in (FakeKey.instances_tracked, FakeMultipart.instances_tracked):  # pylint: disable=no-member
            while kept:
                kept.pop().dispose()


class ClerkingWithVersions(Clerking):
    keeps_versions = True
