"""Operations of S3 on single objects, as botocore describes them: a request from parameters, an answer from headers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.response import StreamingBody
from botocore.utils import parse_timestamp, percent_encode

if TYPE_CHECKING:
    from botocore.model import OperationModel, StructureShape

    from tasks.object_clerk.transport.responses import Answer

METADATA_PREFIX = "x-amz-meta-"
# The parameters that are times, and are written as HTTP writes them.
TIMES = frozenset({"Expires", "IfModifiedSince", "IfUnmodifiedSince"})
# The characters, besides letters and digits, that RFC 3986 leaves as they are.
UNRESERVED = "-._~"


class Body(StreamingBody):
    """The bytes of an object, which a direct request got."""

    def set_socket_timeout(self, timeout: float) -> None:
        """Do nothing: `connections` ends each read by the deadline of its thread."""


class Operation:
    """One operation: which parameter goes where, and what each header means.

    Attributes:
        method: the name of the client's method.
        name: the operation's name.
        model: botocore's description.
    """

    def __init__(self, method: str, model: OperationModel) -> None:
        self.method = method
        self.name = model.name
        self.model = model
        # No operation here lacks one of the two.
        asked: Any = model.input_shape
        answered: Any = model.output_shape
        self._headers = _members(asked, "header")
        self._query = _members(asked, "querystring")
        self._has_metadata = "Metadata" in answered.members
        self._answered: dict[str, tuple[str, Callable[[str], Any]]] = {
            header.lower(): (name, READ[answered.members[name].type_name])
            for name, header in _members(answered, "header").items()
        }

    def takes(self, given: Mapping[str, Any]) -> bool:
        """Return whether a request with these parameters is plain."""
        others = {name: value for name, value in given.items() if name not in ("Body", "Metadata")}
        metadata = given.get("Metadata", {})
        return bool(
            given.get("Key")
            and others.keys() - {"Bucket", "Key"} <= self._headers.keys() | self._query.keys()
            and all(isinstance(value, (str, int)) or _is_time(name, value) for name, value in others.items())
            and ("Body" not in given or (hasattr(given["Body"], "getbuffer") and "ChecksumCRC32" in given))
            # botocore explains best what is wrong with other metadata.
            and all(f"{name}{value}".isascii() for name, value in metadata.items())
        )

    def request(self, place: str, given: Mapping[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        """Return a request as botocore passes it to its handlers: method, URL, headers, body and context.

        Args:
            place: the URL in front of a key.
            given: the parameters.
            context: gets what the signer goes by.
        """
        body = given["Body"].getbuffer() if "Body" in given else None
        headers = {f"{METADATA_PREFIX}{name}": value for name, value in given.get("Metadata", {}).items()}
        headers |= {self._headers[name]: _text(value) for name, value in given.items() if name in self._headers}
        query = "&".join(
            f"{self._query[name]}={percent_encode(_text(value), safe=UNRESERVED)}"
            for name, value in given.items()
            if name in self._query
        )
        url = f"{place}{quoted(given['Key'])}{'?' if query else ''}{query}"
        # Tells the signer that a checksum stands for the body, so that it need not read the body over TLS.
        checksum = {"request_algorithm": {"in": "header", "name": "x-amz-checksum-crc32"}}
        context |= {"has_streaming_input": body is not None, "checksum": checksum}
        return {"method": self.model.http["method"], "url": url, "headers": headers, "body": body, "context": context}

    def parsed(self, answer: Answer) -> dict[str, Any]:
        """Return a successful answer as botocore parses it. The body is read, unless it is an object."""
        headers = lowered(answer.headers)
        parsed: dict[str, Any] = {
            "ResponseMetadata": {"HTTPStatusCode": answer.status_code, "HTTPHeaders": headers},
        }
        for header in headers.keys() & self._answered.keys():
            name, read = self._answered[header]
            parsed[name] = read(headers[header])
        if "Expires" in parsed:
            # S3 stores any text as this header.
            parsed["ExpiresString"] = headers["expires"]
            parsed = {name: value for name, value in parsed.items() if value is not None}
        if self._has_metadata:
            parsed["Metadata"] = {
                name[len(METADATA_PREFIX) :]: value
                for name, value in _items(answer.headers)
                if name.lower().startswith(METADATA_PREFIX)
            }
        if self.model.has_streaming_output:
            parsed["Body"] = Body(answer.raw, headers.get("content-length"))  # type: ignore[arg-type]  # Answer reads
        else:
            # After the last byte the connection is free again.
            _ = answer.content
        return parsed


def quoted(key: str) -> str:
    """Return a key as it stands in a URL."""
    quoted_key: str = percent_encode(key, safe=f"{UNRESERVED}/")
    return quoted_key


def lowered(headers: Any) -> dict[str, str]:
    """Return headers by their lower-case names."""
    return {name.lower(): value for name, value in _items(headers)}


def _members(shape: StructureShape, location: str) -> dict[str, str]:
    """Return the header, or the part of the query, of each member of a shape: name of the member -> name there."""
    places = {name: member.serialization for name, member in shape.members.items()}
    return {name: place["name"] for name, place in places.items() if place.get("location") == location}


def _is_time(name: str, value: object) -> bool:
    return name in TIMES and isinstance(value, datetime) and value.tzinfo is not None


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return format_datetime(value.astimezone(UTC), usegmt=True)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time(text: str) -> datetime | None:
    """Return the time that a header names, or None if the header is no time."""
    try:
        # Much faster than botocore's parser, and right for the form that HTTP prescribes.
        return parsedate_to_datetime(text) if text.endswith("GMT") else parse_timestamp(text)
    except (ValueError, RuntimeError):
        return None


def _items(headers: Any) -> Iterable[tuple[str, str]]:
    # `items` of http.client's headers formats them for an e-mail, which takes longer than reading them.
    return headers.raw_items() if isinstance(headers, Message) else headers.items()


READ: dict[str, Callable[[str], Any]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": lambda text: text == "true",
    "timestamp": _time,
}
