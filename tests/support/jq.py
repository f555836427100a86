"""A stand-in for the parts of jq that the documentation uses: `python -m tests.support.jq [-r] FILTER [FILE]`.

A filter is a pipe of paths such as `.a.b`, `fromjson`, and alternatives with `//`. It refuses all other filters.
"""

import json
import re
import sys
from pathlib import Path

PATH = re.compile(r"\.|(\.[A-Za-z_]\w*)+")


def evaluate(text, value):
    for stage in text.split("|"):
        found = [_term(term.strip(), value) for term in stage.split("//")]
        value = next((term for term in found if term not in (None, False)), found[-1])
    return value


def _term(text, value):
    if text == "fromjson":
        return json.loads(value)
    if not PATH.fullmatch(text):
        raise ValueError(f"jq: the stand-in does not know {text}")
    for name in text.split(".")[1:]:
        value = value.get(name) if name and value is not None else value
    return value


def main(arguments):
    raw = arguments[0] == "-r"
    filtered, *files = arguments[raw:]
    found = evaluate(filtered, json.loads(Path(files[0]).read_text("utf-8") if files else sys.stdin.read()))
    print(found if raw and isinstance(found, str) else json.dumps(found, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
