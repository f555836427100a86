"""The requests that compare two objects when their listings do not suffice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from tasks.mirror_check.comparison import by_details, by_heads, by_listing, is_recorded
from tasks.mirror_check.findings import EQUAL, Aspect, Finding, Pair, Sign, Verdict
from tasks.mirror_check.listings import Side
from tasks.mirror_check.pages import Listed
from tasks.mirror_check.records import Records
from tasks.object_clerk.annotation_lists import Annotation, annotations_of
from tasks.object_clerk.checksums import has_opaque_etag
from tasks.object_clerk.errors import ObjectArchivedException, ObjectClerkException
from tasks.object_clerk.failures import BODY_ERRORS, translated
from tasks.object_clerk.part_copies import content_headers, tags_of
from tasks.object_clerk.s3_requests import S3Requests, head, request
from tasks.utils.key_state import KeyState
from tasks.utils.s3_object import S3Object

# Bytes of a body that are read at once.
PIECE = 1024 * 1024

CHANGED = Verdict(Sign.UNKNOWN, "not compared: it changed while it was checked")


@dataclass(frozen=True)
class Depth:
    """What is compared beyond sizes, ETags, records and checksums.

    Attributes:
        downloads: the bytes of both sides are read.
        details: metadata, content headers, tags and annotations are compared.
    """

    downloads: bool = False
    details: bool = False


class Comparer(Protocol):
    """Compares pairs; its sides are listed."""

    @property
    def source(self) -> Side:
        """The source."""

    @property
    def destination(self) -> Side:
        """The destination."""

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Sends requests about several pairs side by side."""

    def settles(self, pair: Pair) -> bool:
        """Return whether the listings alone show that a pair is equal, and no more is asked for."""

    def compare(self, pairs: Sequence[Pair]) -> list[Finding]:
        """Compare pairs that the listings do not settle."""


@dataclass(frozen=True)
class Evidence:
    """Compares pairs of objects.

    Attributes:
        source: the source.
        destination: the destination.
        records: the mirror's table, or None.
        depth: what is compared.
        pool: sends requests about several pairs side by side.
    """

    source: Side
    destination: Side
    records: Records | None
    depth: Depth
    pool: ThreadPoolExecutor

    def settles(self, pair: Pair) -> bool:
        """Return whether the listings alone show that a pair is equal, and no more is asked for."""
        source, destination = pair
        is_same = source is not None and destination is not None and source[1:3] == destination[1:3] and source.etag
        return bool(is_same) and not (self.depth.downloads or self.depth.details)

    def compare(self, pairs: Sequence[Pair]) -> list[Finding]:
        """Compare pairs that the listings do not settle.

        Raises:
            ClientError, BotoCoreError, TableBusy: the table cannot be read.
        """
        states = self.records.states([pair.key for pair in pairs]) if self.records and pairs else {}
        verdicts = self.pool.map(lambda pair: self._verdict(pair, states.get(pair.key)), pairs)
        return [Finding(pair, verdict, states.get(pair.key)) for pair, verdict in zip(pairs, verdicts, strict=True)]

    def _verdict(self, pair: Pair, state: KeyState | None) -> Verdict:
        listed = by_listing(pair)
        if listed and listed != EQUAL:
            return listed
        assert pair.source and pair.destination
        try:
            return self._closely(pair.source, pair.destination, listed, state)
        except ObjectArchivedException as error:
            return Verdict(Sign.UNKNOWN, f"not compared: {error.reason}")
        except ObjectClerkException as error:
            return Verdict(Sign.UNKNOWN, f"not compared: {error}", is_error=True)

    def _closely(self, source: Listed, destination: Listed, listed: Verdict | None, state: KeyState | None) -> Verdict:
        """Compare two objects of the same size."""
        left, right = self.source.address(source), self.destination.address(destination)
        is_known = listed == EQUAL or is_recorded(source, destination, state)
        if is_known and self.depth == Depth():
            return EQUAL
        heads = head(self.source.requests, left), head(self.destination.requests, right)
        if heads[0] is None or heads[1] is None:
            return CHANGED
        bytes_differ = self._bytes(left, right) if self.depth.downloads else by_heads(heads[0], heads[1])
        if bytes_differ != EQUAL and (self.depth.downloads or not is_known):
            return bytes_differ
        return (self._details(left, right, (heads[0], heads[1])) if self.depth.details else None) or EQUAL

    def _bytes(self, left: S3Object, right: S3Object) -> Verdict:
        """Compare the bytes, which are read and not kept."""
        reads = [(self.source.requests, left), (self.destination.requests, right)]
        digests = [_digest(requests, address) for requests, address in reads]
        is_same = digests[0] == digests[1]
        return EQUAL if is_same else Verdict(Sign.DIFFERENT, "other bytes of the same size", aspect=Aspect.BYTES)

    def _details(
        self, left: S3Object, right: S3Object, heads: tuple[Mapping[str, Any], Mapping[str, Any]]
    ) -> Verdict | None:
        """Compare what goes with the bytes; return None if it is equal."""
        reading, writing = self.source.requests, self.destination.requests
        ours, theirs = (_flat(content_headers(answer)) for answer in heads)
        if found := by_details(ours, theirs, "metadata"):
            return found
        if found := by_details(tags_of(reading, left), tags_of(writing, right), "tags"):
            return found
        opaque = any(has_opaque_etag(answer) for answer in heads)
        ours = _values(annotations_of(reading, left), opaque=opaque)
        theirs = _values(annotations_of(writing, right), opaque=opaque)
        found = by_details(ours, theirs, "annotations")
        return found._replace(aspect=Aspect.ANNOTATIONS) if found else None


def _digest(requests: S3Requests, address: S3Object) -> bytes:
    def read() -> bytes:
        digest = hashlib.sha256()
        body = request(requests.client, "get_object", source=address, **address.parameters)["Body"]
        try:
            while piece := body.read(PIECE):
                digest.update(piece)
        except BODY_ERRORS as error:
            raise translated(error, operation="get_object", source=address) from error
        return digest.digest()

    return requests.run(read)


def _flat(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return content headers and metadata under one level of names."""
    flat = {name: value for name, value in headers.items() if name != "Metadata"}
    return flat | {f"x-amz-meta-{name}": value for name, value in headers.get("Metadata", {}).items()}


def _values(annotations: Mapping[str, Annotation] | None, *, opaque: bool) -> dict[str, Any]:
    """Return what can be compared of annotations: with KMS the ETags of two equal payloads differ."""
    found = (annotations or {}).items()
    return {name: annotation.size if opaque else (annotation.size, annotation.etag) for name, annotation in found}
