"""The log lines of functions, as the demo reads them."""

import json
from typing import Any


def fields(line: str) -> dict[str, Any]:
    """Returns the fields of a JSON log line; a line that is none has no fields."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
