"""The price table: `ops/prices.toml`, or a file of the same form."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import OpsError

OWN = Path(__file__).parent.parent / "prices.toml"


@dataclass(frozen=True)
class Prices:
    """Prices in dollars.

    Attributes:
        region: the region that they are of.
        date: the day on which they were looked up.
    """

    region: str
    date: str
    _table: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path = OWN) -> Prices:
        """Return the prices of a file.

        Raises:
            OpsError: it cannot be read, or lacks a price.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            missing = sorted(set(_numbers(_known())) - set(_numbers(table)))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise OpsError(f"the price table {path} cannot be read: {error}") from error
        if missing or not {"region", "date"} <= table.keys():
            lacking = ", ".join(missing or ["region or date"])
            raise OpsError(f"the price table {path} lacks {lacking} as numbers: ops/prices.toml shows its form")
        return cls(str(table["region"]), str(table["date"]), table)

    def of(self, service: str, name: str) -> float:
        """Return a price."""
        return float(self._table[service][name])

    def gb_second(self, architecture: str) -> float:
        """Return the price of a GB-second of Lambda."""
        return float(self._table["lambda"]["gb_second"][architecture])

    def egress(self, gigabytes: float) -> float:
        """Return the price of the gigabytes that leave for the internet within a month."""
        total = 0.0
        for size, price in self._table["egress"]["tiers"]:
            total += min(gigabytes, size) * price
            gigabytes = max(0.0, gigabytes - size)
        return total

    @property
    def sources(self) -> tuple[str, ...]:
        """The pages of the prices."""
        return tuple(each["source"] for each in self._table.values() if isinstance(each, dict) and "source" in each)


def _known() -> dict[str, Any]:
    return tomllib.loads(OWN.read_text(encoding="utf-8"))


def _numbers(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of each price: numbers of at least 0, and tiers of pairs of them."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{path}{name}.")
        elif _is_price(value) or (isinstance(value, list) and value and all(map(_is_tier, value))):
            yield path + name


def _is_tier(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_price, value))


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
