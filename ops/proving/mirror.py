"""The promises of partition_replicate."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ops.proving.canary import Canary
from ops.proving.promises import Promise, Subject
from ops.proving.side import Side, difference, history_difference

TASK = "partition_replicate"

# Endings of keys that S3 allows and that often break programs.
ODD_KEYS = (
    "two words.txt",
    " leading and trailing ",
    "plus+plus.txt",
    "a%2Bb+c é.txt",
    "100%.txt",
    "quotes\"'`.txt",
    "back\\slash.txt",
    "Ελληνικά/日本語.txt",
    "עברית.txt",
    "decomposed-e\u0301.txt",
    "emoji-🪣.txt",
    "zero\u200bwidth\ufeff.txt",
    "/leading.txt",
    "//double//slash//.txt",
    "trailing/",
    ".hidden",
    "dots/../and/./more.txt",
    "?query=1&x=2#fragment",
    "<xml>&amp;</xml>.txt",
    "new\nline.txt",
    "tab\there.txt",
    "control\x01\x1f\x7f.txt",
)
LONGEST_KEY = 1024

PART = 8 * 1024 * 1024
DRESS = {
    "ContentType": "text/x-canary; charset=utf-8",
    "CacheControl": "max-age=60",
    "ContentDisposition": 'attachment; filename="canary.txt"',
    "ContentLanguage": "cy",
    "Metadata": {"mission": "canary", "two-words": "two words", "sign": "a+b=c%"},
    "Tagging": "project=a%2Bb%20c&state=ready",
}


@dataclass(frozen=True)
class MirrorProof:
    """What is put into the source, and what the destination has to hold then.

    Args:
        source: the source bucket.
        destination: the bucket of the mirror.
        settings: the settings of the function that replicates.
        canary: the run.
    """

    source: Side
    destination: Side
    settings: Mapping[str, str]
    canary: Canary

    def promises(self) -> list[Promise]:
        """Return the promises, of which nothing is done yet."""
        keeps = self._mirrors_versions()
        of_versions = "every version is mirrored once, in order" if keeps else "an overwritten object is mirrored"
        return [
            self._promise("keys of every kind are mirrored", self._odd_keys()),
            self._promise(f"{self.canary.objects} small objects are mirrored", self._small_objects()),
            self._promise("an empty object is mirrored", [self._put("empty", b"")]),
            self._promise("a large object in parts is mirrored", [self._large_object()]),
            self._promise("metadata, content headers and tags are mirrored", [self._put("dressed", b"x", **DRESS)]),
            self._promise("changed tags are mirrored", [self._retagged()]),
            self._promise(of_versions, [self._overwritten(keeps)]),
            self._deletions(keeps),
            self._annotations(),
        ]

    def _mirrors_versions(self) -> bool:
        setting = self.settings.get("VERSIONS", "")
        return setting == "all" or (not setting and self.source.keeps_versions and self.destination.keeps_versions)

    @staticmethod
    def _promise(text: str, subjects: list[Subject]) -> Promise:
        return Promise(TASK, text, subjects)

    def _key(self, ending: str) -> str:
        return self.canary.prefix + ending

    def _subject(self, ending: str, *steps: Callable[[str], object], history: bool = False) -> Subject:
        key = self._key(ending)
        look = self._history_difference if history else self._difference
        return Subject(key, [partial(step, key) for step in steps], partial(look, key))

    def _difference(self, key: str) -> str:
        # Where nothing has arrived, the source need not be read.
        there = self.destination.current(key)
        return difference(self.source.current(key), there)

    def _history_difference(self, key: str) -> str:
        return history_difference(self.source.history(key), self.destination.history(key))

    def _put(self, ending: str, body: bytes, **how: Any) -> Subject:
        return self._subject(ending, partial(self.source.put, body=body, **how))

    def _odd_keys(self) -> list[Subject]:
        longest = "x" * (LONGEST_KEY - len(self._key("").encode()))
        return [self._put(ending, ending.encode()) for ending in (*ODD_KEYS, longest)]

    def _small_objects(self) -> list[Subject]:
        return [self._put(f"small/{number:06}", f"object {number}".encode()) for number in range(self.canary.objects)]

    def _large_object(self) -> Subject:
        return self._subject("large", lambda key: self.source.put_in_parts(key, list(_parts(self.canary))))

    def _retagged(self) -> Subject:
        put = partial(self.source.put, body=b"x", Tagging="state=new")
        return self._subject("retagged", put, partial(self.source.tag, state="changed"))

    def _overwritten(self, keeps: bool) -> Subject:
        first, *later = (partial(self.source.put, body=body) for body in (b"one", b"two", b"three"))
        return self._subject("overwritten", first, lambda key: [put(key) for put in later], history=keeps)

    def _deletions(self, keeps: bool) -> Promise:
        if self.settings.get("DELETES", "mirror") != "mirror":
            return Promise(TASK, "a deletion is mirrored", skipped="partition_replicate_deletes is keep")
        put, again = (partial(self.source.put, body=body) for body in (b"deleted", b"written again"))
        gone = self._subject("deleted", put, self.source.delete, history=keeps)
        back = self._subject("deleted and written again", put, self.source.delete, again, history=keeps)
        return self._promise("a deletion is mirrored", [gone, back])

    def _annotations(self) -> Promise:
        text = "annotations are mirrored"
        if self.settings.get("ANNOTATIONS", "carry") != "carry":
            return Promise(TASK, text, skipped="partition_replicate_annotations is ignore")
        if reason := self._without_annotations():
            return Promise(TASK, text, skipped=reason)
        key = self._key("annotated")
        return self._promise(text, [Subject(key, [self._annotate], self._annotation_difference)])

    def _without_annotations(self) -> str:
        for side in (self.source, self.destination):
            try:
                # A server without them takes the request for one about the object, which is not there.
                side.annotations(self._key("no such object"))
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in ("404", "NoSuchKey"):
                    return f"{side.bucket} does not list annotations: {code}"
        return ""

    def _annotate(self) -> None:
        key = self._key("annotated")
        self.source.put(key, b"annotated")
        put = partial(self.source.s3.put_object_annotation, Bucket=self.source.bucket, Key=key)
        put(AnnotationName="canary", AnnotationPayload="a canary's annotation: é".encode())

    def _annotation_difference(self) -> str:
        key = self._key("annotated")
        if found := self._difference(key):
            return found
        return "" if self.source.annotations(key) == self.destination.annotations(key) else "it differs in annotations"


def _parts(canary: Canary) -> Iterator[bytes]:
    # The same bytes for the same run, and no run of zeros.
    chance = random.Random(canary.id)
    for first in range(0, canary.large, PART):
        yield chance.randbytes(min(PART, canary.large - first))


def excluded_by(pattern: Mapping[str, Any], prefix: str) -> str:
    """Return why the rule's filter excludes keys under a prefix, or nothing.

    Args:
        pattern: the event pattern of the rule.
        prefix: the prefix of the run.
    """
    filters = pattern.get("detail", {}).get("object", {}).get("key", [])
    wanted = [each["prefix"] for each in filters if isinstance(each, dict) and "prefix" in each]
    if not wanted or any(prefix.startswith(each) for each in wanted):
        return ""
    return f"the rule takes only keys that begin with {' or '.join(wanted)}: pass --prefix {wanted[0]}brigade-prove/"
