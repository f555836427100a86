"""The environment, read once and checked as a whole.

The `settings.py` of a task reads its names through an `Environment` and then calls `finish()`, which raises one error
for all problems. So one change corrects a deployment.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeVar

from tasks.utils.errors import SettingsError


class Required(Enum):
    """Stands for the default of a setting that has none."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED
SSM = "ssm:"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ACCOUNT = re.compile(r"[0-9]{12}")
OWNERS_EXAMPLE = '{"*": "123456789012", "shared-archive": "210987654321"}'

D = TypeVar("D")
N = TypeVar("N", bound=float)
# The least and the most, each of them None if there is no limit.
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class QueueSettings:
    """The settings of a function that works on a queue.

    Attributes:
        url: the URL of the queue from which the function takes its messages, or "".
        dead_letter_queue: the URL of the queue for messages that can never succeed, or "".
        max_receives: how often the queue hands out a message before it moves it to the dead-letter queue, or None.
    """

    url: str
    dead_letter_queue: str
    max_receives: int | None


@dataclass(frozen=True)
class TelemetrySettings:
    """The settings of log lines and metrics.

    Attributes:
        level: the least level that is logged.
        deployment: the name of the deployment, a dimension of each metric, or "" for metrics without it.
    """

    level: str = "INFO"
    deployment: str = ""


@dataclass
class Environment:
    """Reads settings from a mapping and collects their problems.

    Attributes:
        values: the mapping, as a rule `os.environ`.
        names: each name that was asked for so far.
        problems: one sentence for each setting that is missing or wrong.
    """

    # Not shown: it holds keys, among them those of the function's own role.
    values: Mapping[str, str] = field(repr=False)
    names: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def text(self, name: str, *, default: D | Required = REQUIRED, example: str = "") -> str | D:
        """Return a text. If the documented name is in lower case, its upper-case spelling is read as well.

        An empty or blank value counts as not set.
        """
        self.names.append(name)
        found = {spelling: self.values.get(spelling, "").strip() for spelling in (name, name.upper())}
        given = {spelling: value for spelling, value in found.items() if value}
        if len(set(given.values())) > 1:
            self.problems.append(f"{name} and {name.upper()} are both set and differ: set one of them")
        if given:
            return next(iter(given.values()))
        if default is REQUIRED:
            self.problems.append(f"{name} is not set: {example}")
            return ""
        return default

    def integer(
        self, name: str, *, default: D | Required = REQUIRED, least: int | None = None, most: int | None = None
    ) -> int | D:
        """Return a whole number within bounds."""
        return self._number(name, int, default, (least, most))

    def number(
        self, name: str, *, default: D | Required = REQUIRED, least: float | None = None, most: float | None = None
    ) -> float | D:
        """Return a number, whole or not, within bounds."""
        return self._number(name, float, default, (least, most))

    def json_object(
        self,
        name: str,
        *,
        default: dict[str, Any] | Required = REQUIRED,
        example: str = "",
        parameter: Callable[[str], str] | None = None,
    ) -> dict[str, Any]:
        """Return a dict from a JSON object.

        Args:
            name: the setting's name.
            default: the value of a setting that is not set.
            example: the shape of the value, for messages.
            parameter: returns the value of a parameter in SSM's Parameter Store by its name, or raises `SettingsError`.
                It reads a setting that is `ssm:NAME`, because its JSON is too long for the environment.
        """
        text = self.text(name, default=REQUIRED if default is REQUIRED else "", example=example)
        if not text:
            return {} if default is REQUIRED else default
        try:
            if parameter and text.startswith(SSM):
                text = parameter(text.removeprefix(SSM))
            value = json.loads(text)
        except SettingsError as error:
            self.problems.append(f"{name}: {error}")
            return {}
        except ValueError as error:
            self.problems.append(f"{name} is not JSON ({error}): {example}")
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"{name} is a JSON {type(value).__name__} and should be an object: {example}")
            return {}
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a JSON list; () if it is not set."""
        text = self.text(name, default="[]")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return tuple(found)
        self.problem(f'{name} should be a JSON list of texts such as ["a", "b"]')
        return ()

    def choice(self, name: str, choices: Sequence[str], *, default: D | Required = REQUIRED) -> str | D:
        """Return one of a few words, in upper or lower case as `choices` writes it; "" for any other word."""
        text = self.text(name, default=default, example=f"one of {', '.join(choices)}")
        if not isinstance(text, str) or not text:
            return text
        found = next((choice for choice in choices if choice.lower() == text.lower()), "")
        if not found:
            self.problems.append(f"{name} is {text!r}: it should be one of {', '.join(choices)}")
        return found

    def switch(self, name: str, *, default: bool) -> bool:
        """Return whether a setting is `on`, and not `off`."""
        return self.choice(name, ("on", "off"), default="on" if default else "off") == "on"

    def telemetry(self) -> TelemetrySettings:
        """Return the settings of log lines and metrics."""
        return TelemetrySettings(
            level=self.choice("LOGGING_LEVEL", LEVELS, default="INFO"),
            deployment=self.text("DEPLOYMENT", default=""),
        )

    def queue_settings(self, url: str) -> QueueSettings:
        """Return the settings of a function that takes its messages from the queue with this URL."""
        return QueueSettings(
            url,
            dead_letter_queue=self.text("DEAD_LETTER_QUEUE", default=""),
            max_receives=self.integer("MAX_RECEIVES", default=None, least=1, most=1000),
        )

    def bucket_owners(self) -> dict[str, str]:
        """Return the account that each bucket must belong to, `BUCKET_OWNERS`: bucket -> 12 digits, `*` for others.

        {} if it is not set: then no owner is expected.
        """
        owners = self.json_object("BUCKET_OWNERS", default={}, example=f"a JSON object such as {OWNERS_EXAMPLE}")
        for bucket, owner in owners.items():
            if not (isinstance(owner, str) and ACCOUNT.fullmatch(owner)):
                self.problem(
                    f'BUCKET_OWNERS has {json.dumps(owner)} for "{bucket}": an account is a text of 12 digits; '
                    f"an example: {OWNERS_EXAMPLE}"
                )
        return owners

    def problem(self, sentence: str) -> None:
        """Add a problem that a task itself finds with a value."""
        self.problems.append(sentence)

    def finish(self) -> None:
        """Raise all problems as one error.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        if self.problems:
            raise SettingsError("; ".join(self.problems))

    def _number(self, name: str, kind: Callable[[str], N], default: D | Required, bounds: Bounds) -> N | D:
        shape = _shape("a whole number" if kind is int else "a number", bounds)
        text = self.text(name, default=REQUIRED if default is REQUIRED else "", example=shape)
        fallback = kind("0") if default is REQUIRED else default
        if not text:
            return fallback
        try:
            value = kind(text)
            inside = _is_inside(value, bounds)
        except ValueError:
            inside = False
        if not inside:
            self.problems.append(f"{name} is {text!r}: it should be {shape}")
            return fallback
        return value


def _shape(noun: str, bounds: Bounds) -> str:
    words = [noun, *(f"{word} {bound}" for word, bound in zip(("from", "to"), bounds) if bound is not None)]
    return " ".join(words)


def _is_inside(value: float, bounds: Bounds) -> bool:
    least, most = bounds
    # NaN compares false with everything, so it is not inside.
    return (least is None or value >= least) and (most is None or value <= most)
