"""Sizes, counts, times and dollars as people write and read them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ops.errors import OpsError
from ops.estimating.ranges import Range

DECIMAL = {unit: 1000**power for power, unit in enumerate(("", "k", "M", "G", "T", "P"))}
BINARY = {f"{unit}i": 1024**power for power, unit in enumerate(("", "K", "M", "G", "T", "P")) if unit}
COUNTS = {**DECIMAL, "K": 1000, "B": 1000**3}
SIZES = {f"{unit}B": factor for unit, factor in {**DECIMAL, "K": 1000, **BINARY}.items()} | {"": 1}
NUMBER = re.compile(r"(\d[\d,_]*(?:\.\d+)?) *([A-Za-z]*)")

Steps = Sequence[tuple[float, str]]
SECONDS: Steps = ((365 * 86400, "years"), (86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
AMOUNTS: Steps = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
LENGTHS: Steps = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))


def count(text: str, option: str) -> int:
    """Return the number that an option gives, such as `1000`, `1,000`, `1M` or `1B`.

    Raises:
        OpsError: it is no such number.
    """
    return _parsed(text, COUNTS, f"{option} should be a whole number above 0, such as 1000, 5M or 1B")


def size(text: str, option: str) -> int:
    """Return the bytes that an option gives, such as `1048576`, `64KiB` or `1TB`.

    Raises:
        OpsError: it is no such size.
    """
    return _parsed(text, SIZES, f"{option} should be a size above 0, such as 1048576, 64KiB or 1TB")


def _parsed(text: str, units: dict[str, int], rule: str) -> int:
    found = NUMBER.fullmatch(text.strip())
    number = float(re.sub("[,_]", "", found[1])) * units.get(found[2], 0) if found else 0
    if number < 1 or number != int(number):
        raise OpsError(f"{rule}; it is {text}")
    return int(number)


def rounded(number: float) -> str:
    """Return a number with two significant digits, or a whole number below 100."""
    if number == 0:
        return "0"
    digits = 1 - math.floor(math.log10(abs(number)))
    value = round(number, digits)
    return f"{value:,.0f}" if digits <= 0 else f"{value:.{digits}f}".rstrip("0").rstrip(".")


def duration(seconds: Range) -> str:
    """Return a range of seconds, such as `4.1 to 14 days`."""
    return _in_steps(seconds, SECONDS)


def amount(number: Range) -> str:
    """Return a range of numbers, such as `1.2 to 3 million`."""
    return _in_steps(number, AMOUNTS)


def length(number: float) -> str:
    """Return a number of bytes, such as `1 TB`."""
    return _in_steps(Range.of(number), LENGTHS)


def dollars(number: Range) -> str:
    """Return a range of dollars, such as `$95 to $140`."""
    return " to ".join(dict.fromkeys("under $0.01" if 0 < end < 0.01 else f"${rounded(end)}" for end in _ends(number)))


def between(number: Range) -> str:
    """Return a range of plain numbers, such as `39 to 140`."""
    return " to ".join(dict.fromkeys(rounded(end) for end in _ends(number)))


def _in_steps(number: Range, steps: Steps) -> str:
    # The unit that suits both ends.
    middle = math.sqrt(number.low * number.high)
    factor, unit = next((step for step in steps if middle >= step[0]), (1, "" if steps is AMOUNTS else steps[-1][1]))
    return f"{between(number * (1 / factor))} {unit}".rstrip()


def _ends(number: Range) -> tuple[float, float]:
    return number.low, number.high
