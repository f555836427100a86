"""How two objects compare, as far as listings, records, HEAD answers and digests say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.mirror_check.findings import EQUAL, Pair, Sign, Verdict
from tasks.mirror_check.pages import Listed
from tasks.object_clerk import checksums
from tasks.utils.key_state import KeyState

NOT_COMPARED = "not compared: neither ETags nor checksums of the two can be compared; --download compares the bytes"


def by_listing(pair: Pair) -> Verdict | None:
    """Compare two entries; None if that takes more than the listings say.

    Equal ETags mean equal bytes. Different ETags mean nothing by themselves: parts, or encryption with KMS.
    """
    source, destination = pair
    if source is None:
        return Verdict(Sign.EXTRA, "the source does not have it")
    if destination is None:
        return Verdict(Sign.MISSING, "the destination does not have it")
    if source.size != destination.size:
        return Verdict(Sign.DIFFERENT, f"{source.size} bytes at the source, {destination.size} at the destination")
    return EQUAL if source.etag and source.etag == destination.etag else None


def is_recorded(source: Listed, destination: Listed, state: KeyState | None) -> bool:
    """Return whether the mirror recorded that it made the one from the other."""
    if state is None or not state.origin.etag:
        return False
    recorded = checksums.bare(state.origin.etag), checksums.bare(state.replica.etag)
    return recorded == (source.etag, destination.etag)


def by_heads(source: Mapping[str, Any], destination: Mapping[str, Any]) -> Verdict:
    """Compare the bytes of two objects by their HEAD answers."""
    is_same = checksums.same_content(source, destination)
    if is_same is None and all(_is_md5(answer) for answer in (source, destination)):
        is_same = False
    if is_same is None:
        return Verdict(Sign.UNKNOWN, NOT_COMPARED)
    return EQUAL if is_same else Verdict(Sign.DIFFERENT, "other bytes of the same size")


def _is_md5(answer: Mapping[str, Any]) -> bool:
    return checksums.looks_like_md5(answer.get("ETag")) and not checksums.has_opaque_etag(answer)


def by_details(source: Mapping[str, Any], destination: Mapping[str, Any], what: str) -> Verdict | None:
    """Compare what goes with the bytes, name by name; None if it is equal.

    Args:
        source: name -> value at the source.
        destination: the same at the destination.
        what: what the names are, for the reason.
    """
    differing = sorted(name for name in {*source, *destination} if source.get(name) != destination.get(name))
    return Verdict(Sign.DIFFERENT, f"other {what}: {', '.join(differing)}") if differing else None
