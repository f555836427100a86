"""Counts with their nouns."""


def number_of(count: int, noun: str) -> str:
    """Return a count with its noun: `1 problem`, `2,000 problems`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
