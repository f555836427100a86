"""The JSON log lines of functions."""

import json
from typing import Any


def fields(line: str) -> dict[str, Any]:
    """Return the fields of a JSON log line; a line in another format has none."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
