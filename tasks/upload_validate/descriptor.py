"""A JSON document that a person writes, read field by field; each problem names its field."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = object()
_NAMES: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


@dataclass
class Descriptor:
    """A JSON object, or the value in the place of one.

    Attributes:
        value: the decoded JSON.
        path: its place in the document, such as `schema.fields[2]`; "" for the document itself.
        problems: a sentence for each problem; shared by all descriptors of a document.
    """

    value: Any
    path: str = ""
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            self.problem("", f"should be an object and is {_kind(self.value)}")
            self.value = {}

    def text(self, name: str, *, default: str = REQUIRED) -> str:
        """Return a text that is not empty."""
        value: str = self._typed(name, str, default)
        if value == "" and default != "":
            self.problem(name, "is empty")
        return value

    def integer(self, name: str, *, default: int = REQUIRED, least: int = 0) -> int:
        """Return a whole number, not below `least`."""
        value: int = self._typed(name, int, default)
        if value < least:
            self.problem(name, f"is {value} and should be at least {least}")
        return value

    def optional_integer(self, name: str) -> int | None:
        """Return a whole number, not below 0, or None if the field is missing."""
        return self.integer(name, default=0) if name in self.value else None

    def flag(self, name: str, *, default: bool = REQUIRED) -> bool:
        """Return True or False."""
        return bool(self._typed(name, bool, default))

    def mapping(self, name: str, *, default: dict[str, Any] = REQUIRED) -> dict[str, Any]:
        """Return an object as a plain dict."""
        found: dict[str, Any] = self._typed(name, dict, default)
        return found

    def texts(self, name: str, *, default: list[str] = REQUIRED) -> list[str]:
        """Return a list of texts; a single text counts as a list of one."""
        value = self.value.get(name)
        if isinstance(value, str):
            return [value]
        found: list[str] = self._typed(name, list, default)
        return [item for at, item in enumerate(found or []) if self._is_text(f"{name}[{at}]", item)]

    def choice(self, name: str, choices: Sequence[str], *, default: str = REQUIRED) -> str:
        """Return one of a few words."""
        value = self.text(name, default=default)
        if value not in choices and value != default:
            self.problem(name, f"is {value!r} and should be one of {', '.join(choices)}")
        return value

    def character(self, name: str, *, default: str | None) -> str | None:
        """Return a text of one ASCII character, or None for null."""
        if name in self.value and self.value[name] is None:
            return None
        value: str | None = self._typed(name, str, default)
        if value is not None and not (len(value) == 1 and value.isascii() and value not in "\r\n\0"):
            self.problem(name, f"is {value!r} and should be one ASCII character")
            return default
        return value

    def child(self, name: str) -> "Descriptor":
        """Return an object as a `Descriptor`."""
        return Descriptor(self._typed(name, dict, REQUIRED), self._path_of(name), self.problems)

    def optional_child(self, name: str) -> "Descriptor | None":
        """Return an object as a `Descriptor`, or None if the field is missing."""
        return self.child(name) if name in self.value else None

    def children(self, name: str, *, default: list[Any] = REQUIRED) -> list["Descriptor"]:
        """Return a list of objects, each as a `Descriptor`."""
        items = self._typed(name, list, default)
        return [Descriptor(item, f"{self._path_of(name)}[{at}]", self.problems) for at, item in enumerate(items or [])]

    def only(self, *names: str) -> None:
        """Add a problem for each field with another name."""
        for name in sorted(set(self.value) - set(names)):
            self.problem(name, f"is not known here; known are {', '.join(names)}")

    def problem(self, name: str, sentence: str) -> None:
        """Add a problem of a field, or of the object itself if `name` is ""."""
        place = self._path_of(name) if name else self.path or "the document"
        self.problems.append(f"{place} {sentence}")

    def _is_text(self, name: str, item: Any) -> bool:
        if not isinstance(item, str):
            self.problem(name, f"should be {_NAMES[str]} and is {_kind(item)}")
        return isinstance(item, str)

    def _path_of(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _typed(self, name: str, kind: type, default: Any) -> Any:
        if name not in self.value:
            if default is not REQUIRED:
                return default
            self.problem(name, f"is missing: it should be {_NAMES[kind]}")
            return kind()
        value = self.value[name]
        # In JSON, true is no number; in Python it is.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.problem(name, f"should be {_NAMES[kind]} and is {_kind(value)}")
            return kind() if default is REQUIRED else default
        return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return _NAMES.get(type(value), "a number")
