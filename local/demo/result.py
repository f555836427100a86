"""How a part of the demo ended."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """How a part of the demo ended.

    Attributes:
        summary: the numbers for summary.json.
        sentence: the same for a person.
        sound: whether everything went as it should.
    """

    summary: dict[str, int]
    sentence: str
    sound: bool
