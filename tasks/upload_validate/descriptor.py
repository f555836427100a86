"""A JSON document that somebody wrote by hand, read field by field; what is wrong with it names the field."""

from dataclasses import dataclass, field
from typing import Any

REQUIRED = object()
_NAMES = {str: "a text", int: "a whole number", bool: "true or false", dict: "an object", list: "a list"}


@dataclass
class Descriptor:
    """A JSON object, or what was found in the place of one.

    Attributes:
        value: the decoded JSON.
        path: where it stands in its document, such as `schema.fields[2]`; "" for the document itself.
        problems: a sentence for everything that is wrong; shared by all descriptors of a document.
    """

    value: Any
    path: str = ""
    problems: list = field(default_factory=list)

    def __post_init__(self):
        if not isinstance(self.value, dict):
            self.problem("", f"should be an object and is {_kind(self.value)}")
            self.value = {}

    def text(self, name, *, default=REQUIRED):
        """Returns a text that is not empty."""
        value = self._typed(name, str, default)
        if value == "" and default != "":
            self.problem(name, "is empty")
        return value

    def integer(self, name, *, default=REQUIRED, least=0):
        """Returns a whole number, not below `least`."""
        value = self._typed(name, int, default)
        if value is not None and value < least:
            self.problem(name, f"is {value} and should be at least {least}")
        return value

    def flag(self, name, *, default=REQUIRED):
        """Returns True or False."""
        return self._typed(name, bool, default)

    def mapping(self, name, *, default=REQUIRED):
        """Returns an object as a plain dict."""
        return self._typed(name, dict, default)

    def texts(self, name, *, default=REQUIRED):
        """Returns a list of texts; a single text counts as a list of one."""
        value = self.value.get(name)
        if isinstance(value, str):
            return [value]
        found = self._typed(name, list, default)
        if any(not isinstance(item, str) for item in found or []):
            self.problem(name, "should be a list of texts")
            return []
        return found

    def choice(self, name, choices, *, default=REQUIRED):
        """Returns one of a few words."""
        value = self.text(name, default=default)
        if value not in choices and value != default:
            self.problem(name, f"is {value!r} and should be one of {', '.join(choices)}")
        return value

    def character(self, name, *, default):
        """Returns a text of one ASCII character, or None where null is given."""
        if name in self.value and self.value[name] is None:
            return None
        value = self._typed(name, str, default)
        if value is not None and not (len(value) == 1 and value.isascii() and value not in "\r\n\0"):
            self.problem(name, f"is {value!r} and should be one ASCII character")
            return default
        return value

    def child(self, name, *, default=REQUIRED):
        """Returns an object as a `Descriptor`, or `default` where there is none."""
        if name not in self.value and default is not REQUIRED:
            return default
        return Descriptor(self._typed(name, dict, REQUIRED), self._path_of(name), self.problems)

    def children(self, name, *, default=REQUIRED):
        """Returns a list of objects, each as a `Descriptor`."""
        items = self._typed(name, list, default)
        return [Descriptor(item, f"{self._path_of(name)}[{at}]", self.problems) for at, item in enumerate(items or [])]

    def only(self, *names):
        """Says that other fields than these are a mistake."""
        for name in sorted(set(self.value) - set(names)):
            self.problem(name, f"is not known here; known are {', '.join(names)}")

    def problem(self, name, sentence):
        """Adds what is wrong with a field, or with the object itself where `name` is ""."""
        place = self._path_of(name) if name else self.path or "the document"
        self.problems.append(f"{place} {sentence}")

    def _path_of(self, name):
        return f"{self.path}.{name}" if self.path else name

    def _typed(self, name, kind, default):
        if name not in self.value:
            if default is not REQUIRED:
                return default
            self.problem(name, f"is missing: it should be {_NAMES[kind]}")
            return kind()
        value = self.value[name]
        # JSON's true is no number, though Python's is.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.problem(name, f"should be {_NAMES[kind]} and is {_kind(value)}")
            return kind() if default is REQUIRED else default
        return value


def _kind(value):
    if value is None:
        return "null"
    return _NAMES.get(type(value), "a number")
