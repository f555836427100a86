"""Ranges of numbers: a fact that varies has a low and a high end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`."""

    low: float
    high: float

    @classmethod
    def of(cls, number: float) -> Range:
        """Return the range of one number."""
        return cls(number, number)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def under(self, amount: float) -> Range:
        """Return `amount` divided by the range."""
        return Range(amount / self.high, amount / self.low)

    def at_most(self, other: Range) -> Range:
        """Return the smaller of both, end by end."""
        return Range(min(self.low, other.low), min(self.high, other.high))
