"""The environment, read once and judged as a whole.

A task's own `settings.py` reads its names through an `Environment` and calls `finish()`, which raises one error that
names every problem, so that a deployment is patched in one go and not in five.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.utils.errors import SettingsError

REQUIRED = object()
SSM = "ssm:"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ACCOUNT = re.compile(r"[0-9]{12}")
OWNERS_EXAMPLE = '{"*": "123456789012", "shared-archive": "210987654321"}'


@dataclass
class Environment:
    """Reads settings from a mapping and collects what is wrong with them.

    Attributes:
        values: the mapping, as a rule `os.environ`.
        names: every name asked for so far.
        problems: one sentence for each setting that is missing or wrong.
    """

    # Not shown: among them are keys, those of the function's own role too.
    values: Mapping = field(repr=False)
    names: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    def text(self, name, *, default=REQUIRED, example=""):
        """Returns a text; where the lower-case name is the documented one, the upper-case one is read as well.

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

    def integer(self, name, *, default=REQUIRED, least=None, most=None):
        """Returns a whole number within bounds."""
        return self._number(name, int, default, (least, most))

    def number(self, name, *, default=REQUIRED, least=None, most=None):
        """Returns a number, whole or not, within bounds."""
        return self._number(name, float, default, (least, most))

    def json_object(self, name, *, default=REQUIRED, example="", parameter=None):
        """Returns a dict from a JSON object.

        Args:
            name: the setting's name.
            default: what to return where it is not set.
            example: what it should be, for messages.
            parameter: returns the value of a parameter in SSM's Parameter Store by its name, for a setting that is
                `ssm:NAME` because the JSON is too long for the environment; raises `SettingsError`.
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

    def choice(self, name, choices, *, default=REQUIRED):
        """Returns one of a few words, in upper or lower case as `choices` writes it."""
        text = self.text(name, default=default, example=f"one of {', '.join(choices)}")
        found = next((choice for choice in choices if choice.lower() == text.lower()), None)
        if found is None and text:
            self.problems.append(f"{name} is {text!r}: it should be one of {', '.join(choices)}")
        return found

    def switch(self, name, *, default):
        """Return whether a setting is `on`, and not `off`."""
        return self.choice(name, ("on", "off"), default="on" if default else "off") == "on"

    def logging_level(self):
        """Returns the least level that is logged, `LOGGING_LEVEL`."""
        return self.choice("LOGGING_LEVEL", LEVELS, default="INFO")

    def of_the_queue(self):
        """Returns what a function that works on a queue is told of it, by the names of its settings.

        `dead_letter_queue`: the URL of the queue for what can never succeed, or "". `max_receives`: how often the queue
        hands out a message before it gives up, or None.
        """
        return {
            "dead_letter_queue": self.text("DEAD_LETTER_QUEUE", default=""),
            "max_receives": self.integer("MAX_RECEIVES", default=None, least=1, most=1000),
        }

    def bucket_owners(self):
        """Returns the account that each bucket must belong to, `BUCKET_OWNERS`: bucket -> 12 digits, `*` for others.

        {} if it is not set: then no owner is expected.
        """
        owners = self.json_object("BUCKET_OWNERS", default={}, example=f"a JSON object such as {OWNERS_EXAMPLE}")
        if not all(isinstance(owner, str) and ACCOUNT.fullmatch(owner) for owner in owners.values()):
            self.problem(f"BUCKET_OWNERS should name accounts by their 12 digits; an example: {OWNERS_EXAMPLE}")
            return {}
        return owners

    def problem(self, sentence):
        """Adds what a task itself finds wrong with a value."""
        self.problems.append(sentence)

    def finish(self):
        """Raises everything that was found wrong.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        if self.problems:
            raise SettingsError("; ".join(self.problems))

    def _number(self, name, kind, default, bounds):
        least, most = bounds
        limits = [f"from {least}" if least is not None else "", f"to {most}" if most is not None else ""]
        shape = " ".join(filter(None, ["a whole number" if kind is int else "a number", *limits]))
        text = self.text(name, default=REQUIRED if default is REQUIRED else "", example=shape)
        fallback = 0 if default is REQUIRED else default
        if not text:
            return fallback
        try:
            value = kind(text)
            # NaN compares false with everything, so the test is for being inside.
            inside = (least is None or value >= least) and (most is None or value <= most)
        except ValueError:
            inside = False
        if not inside:
            self.problems.append(f"{name} is {text!r}: it should be {shape}")
            return fallback
        return value
