"""Files that are made to cost as much as possible; the cost of a check is measured in a separate process.

python -m tests.upload_validate.bombs NAME BYTES
"""

import json
import random
import resource
import sys
import time
from itertools import chain, count, islice

from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.profile_reader import load_profile

BLOCK = 1 << 17
DIGITS_AND_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def repeated(unit, *, after=b""):
    """Return endless blocks of one repeated unit."""
    unit = unit * max(1, BLOCK // len(unit))
    return chain([after], iter(lambda: unit, None))


def rows_of(make, *, after=b"a\n", at_once=1_000):
    """Return endless blocks of rows; each row is made from its number."""
    numbers = count()
    return chain([after], iter(lambda: b"".join(map(make, islice(numbers, at_once))), None))


def random_rows(length):
    """Yield endless blocks of rows of one cell, of random letters and digits: forty blocks in random order."""
    draw, blocks = random.Random(length), []
    yield b"a\n"
    for _ in range(40):
        rows = (bytes(draw.choices(DIGITS_AND_LETTERS, k=length)) + b"\n" for _ in range(BLOCK // (length + 1)))
        blocks.append(b"".join(rows))
        yield blocks[-1]
    while True:
        yield draw.choice(blocks)


def noise(alphabet=bytes(range(256))):
    return repeated(bytes(random.Random(1).choices(alphabet, k=BLOCK)))


def field(kind="string", /, *, name="a", **about):
    names = ("required", "unique", "minLength", "maxLength", "pattern", "enum")
    constraints = {one: about.pop(one) for one in names if one in about}
    return {"name": name, "type": kind, **about, **({"constraints": constraints} if constraints else {})}


def table(*fields, **about):
    return {"schema": {"fields": list(fields)}, **about}


THREE = table(field("integer"), field("date", name="b"), field("number", name="c"))
THOUSAND = table(*(field("integer", name=f"c{number}", required=True) for number in range(1000)))
THOUSAND_HEADER = b",".join(b"c%d" % number for number in range(1000)) + b"\n"
INTEGER = table(field("integer"))

# Name -> a schema, or None for the profile polling-stations, and a function that returns endless blocks.
BOMBS = {
    "columns": (None, lambda: repeated(b"a," * 100_000 + b"\n")),
    "columns, fewer in each row": (
        None,
        lambda: rows_of(lambda n: b"a," * (100_000 - 7 * n % 99_000) + b"\n", at_once=1),
    ),
    "columns of two letters": (None, lambda: repeated(b"aa," * 349_000 + b"\n")),
    "columns over lines": (None, lambda: repeated(b'"a\n",' * 390_000 + b"\n")),
    "short rows": (None, lambda: repeated(b"1\n", after=b"a,b,c\n")),
    "short rows that are right": (None, lambda: repeated(b",,\n", after=b"a,b,c\n")),
    "one column": (None, lambda: repeated(b"1\n")),
    "blank lines": (None, lambda: repeated(b"\n", after=b"a,b,c\n")),
    "nothing but blank lines": (None, lambda: repeated(b"\r")),
    "blank lines between": (None, lambda: repeated(b"\n1,2,3\n", after=b"a,b,c\n")),
    "one line": (None, lambda: repeated(b"x", after=b"a,b,c\n")),
    "one quoted cell": (None, lambda: repeated(b"x", after=b'a,b,c\n"')),
    "one quoted cell of lines": (None, lambda: repeated(b"x\n", after=b'a,b,c\n"')),
    "one quoted cell of blank lines": (None, lambda: repeated(b"\n", after=b'a,b,c\n"')),
    "quotes": (None, lambda: repeated(b'"')),
    "quotes and line ends": (None, lambda: repeated(b'"\n', after=b"a,b,c\n")),
    "delimiters": (None, lambda: repeated(b",")),
    "invalid UTF-8": (None, lambda: repeated(b"\xff\xc3\n", after=b"a,b,c\n")),
    "UTF-16": (None, lambda: repeated("a,b,c\n".encode("utf-16-le"))),
    "NULs": (None, lambda: repeated(b"\0")),
    "a ZIP archive": (None, lambda: chain([b"PK\x03\x04"], noise())),
    "noise of CSV": (None, lambda: chain([b"a,b,c\n"], noise('a1,"\n\r\té'.encode()))),
    "three wrong cells": (THREE, lambda: repeated(b"x,y,z\n", after=b"a,b,c\n")),
    "three wrong cells beyond ASCII": (THREE, lambda: repeated("é,ü,z\n".encode(), after=b"a,b,c\n")),
    "surplus columns": (THREE, lambda: repeated("é,".encode() * 100_000 + b"\n")),
    "surplus columns over lines": (THREE, lambda: repeated('"é\n",'.encode() * 340_000 + b"\n")),
    "values missing in each column": (THOUSAND, lambda: repeated(b"," * 999 + b"\n", after=THOUSAND_HEADER)),
    "one wrong cell in a thousand": (THOUSAND, lambda: repeated(b"1," * 999 + b"x\n", after=THOUSAND_HEADER)),
    "digits": (INTEGER, lambda: repeated(b"1\n", after=b"a\n")),
    "integers": (INTEGER, lambda: rows_of(lambda n: b"%d\n" % n)),
    "comments": ({**INTEGER, "dialect": {"commentChar": "#"}}, lambda: repeated(b"#\n", after=b"a\n")),
    "numbers with symbols": (
        table(field("number", bareNumber=False)),
        lambda: rows_of(lambda n: b"$%d%%\n" % n),
    ),
    "dates of a format": (
        table(field("datetime", format="%H%M%S%f")),
        lambda: rows_of(lambda n: b"%02d%02d%02d%d\n" % (n % 24, n % 60, n // 60 % 60, n % 100)),
    ),
    "points": (
        table(field("geopoint"), dialect={"delimiter": ";"}),
        lambda: rows_of(lambda n: b"%d,.%d\n" % (n % 90, n)),
    ),
    "letters beyond ASCII": (table(field(maxLength=9)), lambda: rows_of(lambda n: b"\xc3\xa9%d\n" % (n % 10**6))),
    "cells wrong in one encoding": (table(field(maxLength=1)), lambda: repeated("é\n".encode(), after=b"a\n")),
    "three letters": (table(field(maxLength=9)), lambda: random_rows(3)),
    "four letters and a pattern": (table(field(pattern="[A-Za-z0-9]*")), lambda: random_rows(4)),
    "a pattern of two ways": (table(field(pattern="(a+)+b")), lambda: repeated(b"a" * 40 + b"\n", after=b"a\n")),
    "a pattern on Chinese": (
        table(field(pattern=".*")),
        lambda: rows_of(
            lambda n: "".join(chr(0x4E00 + (37 * n + 101 * m) % 20_000) for m in range(30)).encode() + b"\n"
        ),
    ),
    "unique values": (table(field(unique=True)), lambda: rows_of(lambda n: b"%d\n" % n)),
    "unique values in ten columns": (
        table(*(field(name=name, unique=True) for name in "abcdefghij")),
        lambda: rows_of(lambda n: b"%d," % n * 9 + b"%d\n" % n, after=b"a,b,c,d,e,f,g,h,i,j\n"),
    ),
    "unique values and then columns": (
        table(field(unique=True), field("integer", name="b")),
        lambda: chain(
            [b"a,b\n", b"".join(b"%d,%d\n" % (n, n) for n in range(249_000))], repeated(b"aa," * 349_000 + b"\n")
        ),
    ),
    "a value of many": (
        table(field(enum=[str(n) for n in range(10_000)])),
        lambda: rows_of(lambda n: b"%d\n" % (n % 10_000)),
    ),
}


def blocks_of(name, size):
    """Yield `size` bytes of a bomb."""
    rest = b""
    for piece in BOMBS[name][1]():
        rest += piece
        while len(rest) >= BLOCK:
            block, rest = rest[:BLOCK], rest[BLOCK:]
            yield block[:size]
            size -= len(block)
            if size <= 0:
                return


def checked(name, size):
    """Return the finding on a bomb."""
    schema = BOMBS[name][0]
    profile = load_profile(
        "table-schema" if schema else "polling-stations", "s3://a/b", lambda _: json.dumps(schema).encode()
    )
    return check_file("set/a.csv", size, blocks_of(name, size), profile=profile, limit=50)


def measured(name, size):
    """Return the processor time of the check in seconds, its megabytes above Python's own, and the finding."""
    begun = time.process_time()
    for _ in blocks_of(name, size):
        pass
    making = time.process_time() - begun
    before, begun = _peak(), time.process_time()
    finding = checked(name, size)
    return time.process_time() - begun - making, _peak() - before, finding


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    SECONDS, MEGABYTES, FINDING = measured(sys.argv[1], int(sys.argv[2]))
    print(json.dumps([SECONDS, MEGABYTES, FINDING.rows, FINDING.problem_count]))
