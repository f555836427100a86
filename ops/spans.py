"""Spans of time as people read them."""

from datetime import UTC, datetime

UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def span(seconds: float) -> str:
    """Return a span of time in its two largest units, such as `3 d 2 h`."""
    left, texts = round(seconds), []
    for name, length in UNITS:
        number, left = divmod(left, length)
        if number:
            texts.append(f"{number} {name}")
    return " ".join(texts[:2]) or "0 s"


def age_of(moment: datetime) -> int:
    """Return the seconds since a moment."""
    return max(0, round((datetime.now(UTC) - moment).total_seconds()))
