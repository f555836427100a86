"""The result of one part of the demo."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """The result of one part of the demo.

    Attributes:
        summary: The numbers for summary.json.
        sentence: The same numbers as a sentence.
        passed: Whether everything went as expected.
    """

    summary: dict[str, int]
    sentence: str
    passed: bool
