"""Annotations: up to 1,000 named payloads of an object version, each of 1 byte to 1 MiB of UTF-8.

They are no part of the object's bytes or headers: a write of the object does not carry them, and each has to be listed,
read and put by itself. S3 User Guide, "Annotating your objects".

A server that does not know the sub-resource ignores `?annotation` (SeaweedFS does): then `PUT` would replace the object
by the annotation, `DELETE` would delete the object, and `GET` sends the object itself. So nothing is put or deleted
before the same server has answered a list of annotations for an object of the same bucket. The list is read as a
stream: the answer's headers tell an object from a list, and of a list no more is read than S3 can send.
"""

import base64
import hashlib
import re
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from botocore.response import StreamingBody

from tasks.object_clerk import checksums
from tasks.object_clerk.errors import (
    DeadlineException,
    KeyNotFoundException,
    ObjectClerkException,
    ObjectClerkServerAuthException,
    ObjectClerkServerInternalException,
    ObjectVerificationException,
)
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.races import ObserveAgain, retry_lost_races
from tasks.object_clerk.s3_requests import BODY_ERRORS, S3Requests, request, translated
from tasks.utils.s3_object import S3Object

CARRY, IGNORE = "carry", "ignore"

# How `not_carried` names them.
NAME = "annotations"

MOST_BYTES = MIB
# A page has 1,000 entries, each with a name of up to 512 bytes and less than as much beside it.
MOST_LISTED = 2 * MIB
# Annotations of one object that are carried at once. Each waits for two round trips; more would take more memory.
WORKERS = 4
# Annotations in memory at once, of all objects that this process works on.
_ROOM = threading.BoundedSemaphore(8)

# How often a lost race is looked at again: annotations have no conditions of their own.
ROUNDS = 8

# What a server answers that knows no such sub-resource. The codes of a 400 that say something else, such as
# ExpiredToken, are no such answer.
UNKNOWN_CODES = frozenset(
    {
        "400",
        "405",
        "501",
        "InvalidArgument",
        "InvalidRequest",
        "MethodNotAllowed",
        "NotImplemented",
        "NotSupported",
        "UnsupportedOperation",
    }
)

# An annotation that is not there any more.
GONE = "NoSuchAnnotation"

LIST = "ListObjectAnnotations"
LIST_ROOT = b"<ListObjectAnnotations"
KEY = re.compile(rb"<Key>.*?</Key>", re.DOTALL)

# Which servers know annotations: client -> bucket -> whether. A bucket's region may lack what another's has.
_KNOWN: WeakKeyDictionary = WeakKeyDictionary()

# Held while a client is prepared for lists.
_PREPARING = threading.Lock()


class _NotAList(ObjectClerkException):
    """The server answers a list of annotations with something else."""


@dataclass(frozen=True)
class Annotation:
    """An annotation as a list tells of it.

    Attributes:
        name: its name, unique in its version.
        size: bytes of its payload.
        etag: its ETag. That of two equal payloads may differ where one is encrypted by KMS.
    """

    name: str
    size: int
    etag: str


def annotations_of(requests, address):
    """Lists the annotations of an object version.

    Args:
        requests: an `S3Requests`.
        address: the `S3Object`; without a version the current one is meant.

    Returns:
        A dict of name -> `Annotation`; None where the server does not know annotations.

    Raises:
        ObjectNotFoundException: there is no such object.
        ObjectClerkServerAuthException: the list is not allowed; the text names the permission.
        ObjectClerkException: as `s3_requests.request` says.
    """
    known = _KNOWN.setdefault(requests.client, {})
    if known.get(address.bucket) is False:
        return None
    try:
        found = {one.name: one for one in _listed(requests, address)}
    except _NotAList:
        known[address.bucket] = False
        return None
    except ObjectClerkServerAuthException as error:
        _name_permissions(error, "s3:ListObjectAnnotations and s3:ListObjectVersionAnnotations")
        raise
    except ObjectClerkException as error:
        if error.code not in UNKNOWN_CODES:
            raise
        # Another code may be about this object alone: one that is encrypted by a key of the customer has none.
        if error.code == "NotImplemented":
            known[address.bucket] = False
        return None
    known[address.bucket] = True
    return found


@dataclass
class AnnotationCopy:  # pylint: disable=too-many-instance-attributes  # two sides, and what sets a copy apart
    """Makes the annotations of one object version those of another; may be run again where it was interrupted.

    Attributes:
        reading: an `S3Requests` that may read the source.
        source: the source's `S3Object`, with its version where the bucket keeps versions.
        writing: an `S3Requests` that may write the destination.
        destination: the destination's `S3Object`, with its version where the bucket keeps versions.
        etag: the destination's ETag: nothing is put on another object that takes its place.
        fresh: the destination was written just now, so it has no annotations yet.
        exact: what the source does not have is deleted at the destination.
        look: the destination may have annotations though the source has none.
        before_writes: called once before the first write.
        writes: annotations put or deleted so far.
        carried: what both had when they were last found equal, name -> `Annotation` of the source.
        lacking: the source has annotations, and the destination's server does not know any.
    """

    reading: S3Requests
    source: S3Object
    writing: S3Requests
    destination: S3Object
    etag: str
    fresh: bool = False
    exact: bool = False
    look: bool = False
    before_writes: object = None
    writes: int = 0
    lacking: bool = False
    carried: dict = field(default_factory=dict)
    _equal: set = field(default_factory=set)
    # Held while the first write is announced.
    _first: threading.Lock = field(default_factory=threading.Lock)

    def run(self):
        """Lists, compares, puts what is missing, and looks again until nothing is left to be done.

        Raises:
            ObjectChangedException: the destination was replaced, or annotations were changed all the time.
            ObjectNotFoundException: one of the two is gone.
            DeadlineException: time ran out between two annotations; what was put stays.
            ObjectClerkException: as `s3_requests.request` says.
        """
        theirs = annotations_of(self.reading, self.source)
        if theirs is None or not (theirs or self.look):
            return
        ours = {} if self._is_bare() else annotations_of(self.writing, self.destination)
        observed = [(theirs, ours)]

        def attempt():
            self._settle(*(observed.pop() if observed else self._observe()))

        reason = "annotations were changed"
        retry_lost_races(attempt, requests=self.writing, rounds=ROUNDS, lost=(), reason=reason, **self._places())

    def _observe(self):
        return annotations_of(self.reading, self.source), annotations_of(self.writing, self.destination)

    def _settle(self, theirs, ours):
        if ours is None:
            self.lacking = bool(theirs)
        elif theirs is not None and self._make_equal(theirs, ours):
            # S3 has no condition on annotations.
            raise ObserveAgain
        else:
            self.carried = theirs or {}

    def _is_bare(self):
        """Returns whether the destination has no annotations, and its server is known to take some."""
        return self.fresh and _KNOWN.get(self.writing.client, {}).get(self.destination.bucket) is True

    def _make_equal(self, theirs, ours):
        """Puts and deletes what differs; returns whether anything did."""
        missing = [one for name, one in theirs.items() if not self._is_equal(one, ours.get(name))]
        too_many = [one for name, one in ours.items() if self.exact and name not in theirs]
        work = [(self._carry, one, ours.get(one.name)) for one in missing]
        work += [(self._delete, one, None) for one in too_many]
        if not work:
            return False
        with ThreadPoolExecutor(min(WORKERS, len(work))) as pool:
            done = [pool.submit(call, one, mine) for call, one, mine in work]
            try:
                results = [each.result() for each in done]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return any(results)

    def _is_equal(self, theirs, mine):
        if mine is None or mine.size != theirs.size:
            return False
        return mine.etag == theirs.etag or (theirs, mine) in self._equal

    def _carry(self, theirs, mine):
        """Reads one annotation and puts it; returns whether that, or another look, was needed."""
        self._check_time()
        with _ROOM:
            try:
                payload = self._read(self.reading, self.source, theirs)
            except KeyNotFoundException as error:
                if error.code != GONE:
                    raise
                # Deleted since it was listed.
                return True
            if mine and self._has_payload(mine, payload):
                self._equal.add((theirs, mine))
                return False
            etag = self._put(theirs.name, payload)
        self._equal.add((theirs, Annotation(theirs.name, len(payload), etag)))
        return True

    def _has_payload(self, mine, payload):
        """Returns whether an annotation at the destination, whose ETag is another, has a payload nevertheless."""
        if mine.size != len(payload):
            return False
        if checksums.bare(mine.etag) == hashlib.md5(payload, usedforsecurity=False).hexdigest():
            return True
        try:
            return self._read(self.writing, self.destination, mine) == payload
        except KeyNotFoundException as error:
            if error.code != GONE:
                raise
            return False

    def _read(self, requests, address, annotation):
        try:
            return requests.run(lambda: _payload(requests.client, address, annotation))
        except ObjectClerkServerAuthException as error:
            _name_permissions(error, "s3:GetObjectAnnotation and s3:GetObjectVersionAnnotation")
            raise

    def _put(self, name, payload):
        crc = base64.b64encode(zlib.crc32(payload).to_bytes(4, "big")).decode()
        try:
            answer = self._write("put_object_annotation", name, AnnotationPayload=payload, ChecksumCRC32=crc)
        except ObjectClerkServerAuthException as error:
            _name_permissions(error, "s3:PutObjectAnnotation and s3:PutObjectVersionAnnotation")
            raise
        return answer["ETag"]

    def _delete(self, annotation, _):
        self._check_time()
        try:
            self._write("delete_object_annotation", annotation.name)
        except ObjectClerkServerAuthException as error:
            _name_permissions(error, "s3:DeleteObjectAnnotation and s3:DeleteObjectVersionAnnotation")
            raise
        except KeyNotFoundException as error:
            if error.code != GONE:
                raise
        return True

    def _write(self, operation, name, **parameters):
        """Writes to a server that is known to know annotations: another one would take this for the object itself."""
        if _KNOWN.get(self.writing.client, {}).get(self.destination.bucket) is not True:
            raise ObjectClerkException("this server has not shown that it knows annotations", **self._places())
        with self._first:
            if self.before_writes and not self.writes:
                self.before_writes()
            self.writes += 1
        return self.writing(
            operation,
            source=self.source,
            destination=self.destination,
            AnnotationName=name,
            ObjectIfMatch=self.etag,
            **self.destination.parameters,
            **parameters,
        )

    def _check_time(self):
        if self.writing.deadline.has_passed():
            raise DeadlineException("time ran out before all annotations were carried", **self._places())

    def _places(self):
        return {"operation": "carry annotations", "source": self.source, "destination": self.destination}


def require_carried(requests, source, destination, *, etag):
    """Makes sure that a copy has every annotation of its source, before the source is deleted.

    Args:
        requests: an `S3Requests` that may read the source and write the copy.
        source: the `S3Object` that was copied, with its version where the bucket keeps versions.
        destination: the copy's `S3Object`, with its version where the bucket keeps versions.
        etag: the copy's ETag.

    Raises:
        ObjectClerkException: it has not, or that cannot be known; the source has to stay.
    """
    work = AnnotationCopy(requests, source, requests, destination, etag)
    try:
        work.run()
    except ObjectClerkException as error:
        error.reason = f"the source stays, for its annotations could not be carried: {error.reason}"
        raise
    if work.lacking:
        reason = "the source stays, for it has annotations and the destination does not take any"
        raise ObjectClerkException(reason, operation="move_object", source=source, destination=destination)


def _listed(requests, address):
    _read_lists_as_streams(requests.client)
    token = None
    while True:
        page = requests("list_object_annotations", source=address, ContinuationToken=token, **address.parameters)
        for each in page.get("Annotations", []):
            yield Annotation(each["AnnotationName"], each["Size"], each.get("ETag", ""))
        token = page.get("NextContinuationToken")
        if not token:
            return


def _read_lists_as_streams(client):
    """Has botocore hand over the answer to a list before it reads it; once for each client."""
    # Two threads that ask for the description at the same time would get one each, and botocore would keep the later.
    with _PREPARING:
        # botocore leaves the body of such an operation unread, and looks for no error in it.
        client.meta.service_model.operation_model(LIST).has_event_stream_output = True
        client.meta.events.register(f"before-parse.s3.{LIST}", _bounded, unique_id=f"{__name__}.bounded")


def _bounded(response_dict, **_):
    if response_dict["status_code"] >= 300:
        return
    headers = {name.lower(): value for name, value in response_dict["headers"].items()}
    body = StreamingBody(response_dict["body"], headers.get("content-length"))
    text = b""
    try:
        # Every server gives an object's ETag with its bytes; the answer to a list has none.
        if "etag" not in headers:
            # The second read is at the end, where a body that was cut short is noticed.
            text = body.read(MOST_LISTED) + body.read(1)
    except BODY_ERRORS as error:
        raise translated(error, operation="list_object_annotations") from error
    finally:
        # What was not read is not waited for: the connection goes.
        body.close()
    if LIST_ROOT in text[:1024] and len(text) <= MOST_LISTED:
        # A key may hold characters that XML forbids, and the key is not needed.
        response_dict["body"] = KEY.sub(b"", text)
    elif "etag" not in headers and (not text or b"<Error" in text[:1024]):
        raise ObjectClerkServerInternalException("the answer to a list of annotations is none")
    else:
        raise _NotAList("this server does not know annotations")


def _payload(client, address, annotation):
    where = {"AnnotationName": annotation.name, **address.parameters}
    answer = request(client, "get_object_annotation", source=address, ChecksumMode="ENABLED", **where)
    body = answer["AnnotationPayload"]
    try:
        payload = body.read(MOST_BYTES + 1)
        # The next read is at the end, where botocore compares the checksum.
        rest = body.read(1)
    except BODY_ERRORS as error:
        raise translated(error, operation="get_object_annotation", source=address) from error
    finally:
        body.close()
    if rest or len(payload) > MOST_BYTES or len(payload) != answer.get("ContentLength", len(payload)):
        reason = f"annotation {annotation.name!r} has other bytes than S3 says"
        raise ObjectVerificationException(reason, operation="get_object_annotation", source=address)
    return payload


def _name_permissions(error, actions):
    error.reason = f"{error.reason}; annotations need {actions}"
