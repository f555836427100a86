"""The explanation in a response that refuses a request."""

import json
from collections.abc import Iterator
from typing import Any


def explanation(body: bytes) -> str:
    """Return the texts of a JSON body such as GitHub's, or else the body itself."""
    text = body.decode("utf-8", "replace")
    try:
        return "; ".join(_texts(json.loads(text))) or text
    except (ValueError, RecursionError):
        return text


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, without their names and without the address of GitHub's documentation."""
    if isinstance(value, dict):
        value = [each for name, each in value.items() if name != "documentation_url"]
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str) and value:
        yield value
