"""Secrets: whether a text can be sent as a key, and how to replace secrets in a text that is kept."""

import html
import json
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

REPLACEMENT = "(secret)"

# Servers take headers of about 8,000 bytes: Apache's `LimitRequestFieldSize` is 8,190, a buffer of nginx 8 KB.
LONGEST_KEY = 8_000

# Shorter parts of an address are words such as `hook` and `services`. Shorter forms in base64 occur by chance.
SHORTEST_PART = 8


def fault_of_key(key: object) -> str:
    """Return the fault of a key, in words that repeat nothing of it, or "" if it has none.

    A key is sent in a header. RFC 9110, 5.5 allows visible ASCII, and spaces within it; a control character would end
    the header or begin another one.

    Args:
        key: any value, without the spaces around it.
    """
    if not isinstance(key, str):
        return "is no text"
    if key.startswith("{"):
        return "looks like a JSON object: add #field to its name, with the name of the field that holds the key"
    return fault_of_characters(key)


def fault_of_characters(key: str) -> str:
    """Return the fault in the length or the characters of a key, in words that repeat nothing of it, or ""."""
    if not key:
        return "is empty"
    if len(key) > LONGEST_KEY:
        return f"is longer than {LONGEST_KEY:,} characters"
    if not (key.isascii() and key.isprintable()):
        return "holds a character that no header may have: only printable ASCII characters are allowed"
    return ""


class Secrets:
    """The secrets that were read so far, which `hide` replaces in each text that is kept."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        # The longest first, so that a part does not break up the whole.
        self._forms: list[str] = []

    def add(self, *values: str | None) -> None:
        """Remember secrets."""
        new = {value for value in values if value} - self._values
        if new:
            self._values |= new
            forms = {form for value in self._values for form in _forms(value)}
            self._forms = sorted(forms, key=len, reverse=True)

    def add_address(self, url: str) -> None:
        """Remember the parts of an address that may hold a secret: everything after its host."""
        parts = urlsplit(url)
        whole = f"{parts.path}?{parts.query}" if parts.query else parts.path
        values = [pair.partition("=")[2] for pair in parts.query.split("&")]
        words = [*parts.path.split("/"), parts.query, *values, parts.fragment]
        self.add(*(word for word in (whole, parts.path, *words) if len(word) >= SHORTEST_PART))

    def hide(self, text: str) -> str:
        """Return a text with each secret replaced: as it is, in base64, URL-quoted, or as JSON or HTML."""
        for form in self._forms:
            text = text.replace(form, REPLACEMENT)
        return text


def _forms(value: str) -> set[str]:
    plain = {value, unquote(value)}
    escaped = {json.dumps(each)[1:-1] for each in plain} | {html.escape(each) for each in plain}
    # PHP escapes the slash, too.
    escaped |= {form.replace("/", "\\/") for form in escaped}
    quoted = {quote_as(each, safe=safe) for each in plain for quote_as in (quote, quote_plus) for safe in ("", "/")}
    return plain | escaped | quoted | set(_in_base64(value.encode("utf-8", "surrogatepass")))


def _in_base64(value: bytes) -> Iterator[str]:
    """Yield the characters that each base64 text with a value in it holds. They depend on the offset of the value."""
    for before in range(3):
        text = b64encode(bytes(before) + value).decode("ascii")
        # A character is six bits. Only characters without a bit of a neighbour belong to the value.
        own = text[(before * 8 + 5) // 6 : (before + len(value)) * 8 // 6]
        if len(own) >= SHORTEST_PART:
            yield own
            yield own.replace("+", "-").replace("/", "_")
