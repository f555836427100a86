"""A check of a CSV file of 149 MB, beside reading it into memory and parsing it with the standard library."""

import csv
import random
import sys
from contextlib import contextmanager
from pathlib import Path

from bench.row import Contestant, Contestants, Row

SIZE = 149_000_000
WHOLE = "whole, stdlib csv"

CHECK = """
import sys
from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.profile_reader import load_profile

path, size = sys.argv[1], int(sys.argv[2])
with open(path, "rb") as file:
    blocks = iter(lambda: file.read(1 << 17), b"")
    found = check_file(path, size, blocks, profile=load_profile("polling-stations", "", None), limit=50)
assert found.valid and found.text.encoding == "utf-8", found
"""

READ_WHOLE = """
import csv, io, sys

with open(sys.argv[1], "rb") as file:
    text = file.read().decode("utf-8")
rows = csv.reader(io.StringIO(text, newline=""))
width = len(next(rows))
assert all(len(row) >= width for row in rows)
"""


@contextmanager
def _contestants(folder: Path) -> Contestants:
    path = folder / "stations.csv"
    if not path.exists():
        _write(path)
    size = str(path.stat().st_size)
    yield [
        Contestant("upload_validate", (sys.executable, "-c", CHECK, str(path), size), {}),
        Contestant(WHOLE, (sys.executable, "-c", READ_WHOLE, str(path)), {}),
    ]


def _write(path: Path) -> None:
    """Write a table like a council's: quoted addresses, non-ASCII names, and more than a million rows."""
    draw = random.Random(149)
    names = ("Sir Gâr Café", "Village Hall, North", 'Community "Centre"', "St. Mary Church")
    unfinished = path.with_suffix(".part")
    with open(unfinished, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("houseid", "street", "town", "uprn", "station", "address", "x", "y"))
        while file.tell() < SIZE:
            for _ in range(1000):
                address = f"{draw.randint(1, 300)} Long Road, Lancing"
                place = (draw.randint(10**9, 10**10), draw.choice(names), address, draw.random(), draw.random())
                rows.writerow((draw.randint(1, 10**6), "High Street", "Anytown", *place))
    unfinished.rename(path)


ROW = Row(
    title="CSV of 149 MB checked",
    contestants=_contestants,
    goals={(WHOLE, "seconds"): 1.0},
    peak_mb=64,
)
