"""Answers of S3 with keys that XML cannot hold, such as a key with a control character.

S3 sends a reference to such a character, other servers send the character. Both are errors in XML 1.0, so botocore
takes the answer for one that was cut off, and repeats the request: each CreateMultipartUpload would leave an upload
behind. Here each such character is escaped before botocore reads the answer. Only in listings does anything read the
keys. botocore asks for URL-encoded ones in all listings but ListMultipartUploads, whose keys are restored here.
`encoding-type=url` would not do there: SeaweedFS confirms it and encodes nothing.

Sources: Extensible Markup Language (XML) 1.0, section 2.2; issues 3047 and 3496 of botocore.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import OperationModel

# Begins an escape, and is escaped itself: a character for private use.
_MARK = "\uf8ff"
_ESCAPE = re.compile(_MARK + "([0-9a-f]{4})")

# The characters that XML excludes and the mark, in UTF-8, and the references to them, decimal and hexadecimal.
_EXCLUDED = re.compile(
    rb"([\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]|\xef\xa3\xbf)"
    rb"|&#0*([0-8]|1[124-9]|2[0-9]|3[01]|63743|6553[45]);"
    rb"|&#x0*([0-8bcef]|1[0-9a-f]|f8ff|fff[ef]);",
    re.IGNORECASE,
)

# Their pages are long, so they are not searched.
_URL_ENCODED = ("ListObjects", "ListObjectsV2", "ListObjectVersions")
_LIST = "ListMultipartUploads"


def read_all_keys(client: BaseClient) -> None:
    """Make an S3 client accept answers about all keys.

    Args:
        client: a client of botocore or boto3.
    """
    # botocore's handler for errors with status 200 runs before all others whose pattern names S3.
    client.meta.events.register_first("before-parse.*.*", _escape_excluded)
    client.meta.events.register(f"after-call.s3.{_LIST}", _restore)


def _escape_excluded(operation_model: OperationModel, response_dict: dict[str, Any], **_: object) -> None:
    body = response_dict["body"]
    is_error = response_dict["status_code"] >= 300
    if isinstance(body, bytes) and (is_error or _has_plain_keys(operation_model)):
        response_dict["body"] = _EXCLUDED.sub(_escaped, body)


def _has_plain_keys(operation_model: OperationModel) -> bool:
    """Return whether a successful answer is XML whose keys, if any, are not URL-encoded."""
    if operation_model.name in _URL_ENCODED:
        return False
    shape: Any = operation_model.output_shape
    payload = shape and shape.serialization.get("payload")
    return not payload or bool(shape.members[payload].type_name == "structure")


def _escaped(found: re.Match[bytes]) -> bytes:
    character, decimal, hexadecimal = found.groups()
    code = ord(character.decode()) if character else int(decimal or hexadecimal, 10 if decimal else 16)
    return f"{_MARK}{code:04x}".encode()


def _restore(parsed: dict[str, Any], **_: object) -> None:
    for entry in (parsed, *parsed.get("Uploads", [])):
        for name in ("Key", "KeyMarker", "NextKeyMarker", "Prefix"):
            if name in entry:
                entry[name] = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), entry[name])
