"""The headers of an upload: content type, metadata and storage class.

HTTP and S3 leave them few characters, and libraries refuse other values in many ways, some only after the retries. So
they are checked before the first request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tasks.object_clerk.errors import ObjectSaveException

# The name of a header: RFC 9110, section 5.6.2.
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# S3 signs the bytes of a header, and libraries disagree about those of other characters.
VALUE = re.compile(r"[\t -~]*")


def upload_headers(*, content_type: Any, metadata: Any, storage_class: Any) -> dict[str, Any]:
    """Return boto3's parameters for the headers of an upload.

    Args:
        content_type: a text, or None.
        metadata: a mapping from text to text, or None.
        storage_class: a text, or None.

    Raises:
        ObjectSaveException: one of them is of another type, or has a character that no header can have.
    """
    if metadata is not None and not isinstance(metadata, Mapping):
        raise ObjectSaveException(f"metadata is of type {type(metadata).__name__}: it should be a dict of texts")
    for name in metadata or ():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ObjectSaveException(f"metadata has the name {name!r}: it should be ASCII letters, digits and hyphens")
    optional = {"content_type": content_type, "storage_class": storage_class}
    _check_texts({name: value for name, value in optional.items() if value is not None})
    _check_texts({f"metadata {name}": value for name, value in (metadata or {}).items()})
    return {"ContentType": content_type, "Metadata": metadata and dict(metadata), "StorageClass": storage_class}


def _check_texts(values: dict[str, Any]) -> None:
    for name, value in values.items():
        if not isinstance(value, str):
            raise ObjectSaveException(f"{name} is of type {type(value).__name__}: it should be a text")
        if not VALUE.fullmatch(value):
            raise ObjectSaveException(f"{name} should be ASCII characters without line breaks")
