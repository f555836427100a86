"""Hostile input: events, keys, headers, files and answers, each drawn by a `random.Random`."""

import copy
import gzip
import json

from tests.support.events import load, s3_event, s3_record
from tests.support.keys import HAND_PICKED

TEXTS = [
    *HAND_PICKED,
    "",
    " ",
    "\0",
    "\x1b[2J\x1b]0;owned\x07",
    "a\r\nX-Injected: yes\r\n\r\n",
    '{"level": "ERROR"}\n{"level": "FATAL"}',
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "](javascript:alert(1))",
    "${jndi:ldap://localhost/a}",
    "%s%n{0.__class__}",
    "\ud800",
    "\uffff",
    "../" * 40,
    "x" * 20_000,
    "arn:aws:s3:::bucket",
    "9" * 5_000,
    "NaN",
    "null",
    "2025-13-45T99:99:99Z",
]
NUMBERS = [0, -1, 1.5, 1e308, 2**63, -(2**64), 10**400, float("nan"), float("inf")]
# Raw texts: deeper than Python's parser goes, numbers that it refuses, duplicate keys, no JSON at all. They have no
# control characters, because SQS accepts only characters of XML 1.0.
RAW = [
    "",
    "null",
    "[]",
    "{",
    "[" * 100_000,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    "9" * 10_000,
    '{"Records": ' + "1" * 5_000 + "}",
    '{"Records": [], "Records": [1]}',
    "\ufeff{}",
    "\t\r\n\x85\u2028" * 200,
    "\\ud800",
    '"' + "\\u0000" * 10_000 + '"',
    "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>",
    "x" * 100_000,
]


def text(dice):
    return dice.choice(TEXTS)


def value(dice, depth=3):
    """Return any JSON value."""
    kind = dice.randrange(6 if depth else 4)
    if kind == 4:
        return [value(dice, depth - 1) for _ in range(dice.randrange(4))]
    if kind == 5:
        return {text(dice): value(dice, depth - 1) for _ in range(dice.randrange(4))}
    return dice.choice([text(dice), dice.choice(NUMBERS), dice.choice([True, False, None]), text(dice)])


def mutated(dice, event):
    """Return an event with some of its parts replaced, removed or added."""
    event = copy.deepcopy(event)
    for _ in range(dice.randint(1, 3)):
        where = dice.choice(_places(event))
        names = list(where) if isinstance(where, dict) else list(range(len(where)))
        change = dice.randrange(4)
        if not names or change == 0:
            if isinstance(where, dict):
                where[text(dice)] = value(dice)
            else:
                where.append(value(dice))
        elif change == 1:
            del where[dice.choice(names)]
        else:
            where[dice.choice(names)] = value(dice)
    return event


def _places(event):
    inside = event.values() if isinstance(event, dict) else event
    return [event, *(place for each in inside if isinstance(each, (dict, list)) for place in _places(each))]


def body(dice, bucket, key):
    """Return the body of a message about a key: a changed event, perhaps in envelopes of SNS, or no event at all."""
    if dice.random() < 0.2:
        return dice.choice(RAW)
    event = dice.choice(
        [
            s3_event(s3_record(bucket, key)),
            s3_event(s3_record(bucket, key, name="ObjectCreated:Put", version_id="null")),
            load("eventbridge_restore_completed"),
            load("eventbridge_deleted"),
            load("sns_s3_created"),
            load("batch_operations_2_0"),
            load("s3_test_event"),
        ]
    )
    event = mutated(dice, event)
    for _ in range(dice.choice([0, 0, 1, 5])):
        event = {"Type": "Notification", "Message": json.dumps(event)}
    return json.dumps(event)


def headers(dice):
    """Return headers that S3 stores with an object."""
    # HTTP removes spaces around the value of a header.
    plain = [each for each in TEXTS if each.isascii() and each.isprintable() and each.strip() == each and each]
    plain = [each for each in plain if len(each) < 600]
    given = {
        "Metadata": {f"name-{number}": dice.choice(plain) for number in range(dice.randrange(1, 4))},
        "ContentType": dice.choice(plain),
        "ContentDisposition": dice.choice(plain),
        "CacheControl": dice.choice(plain),
        "ContentEncoding": dice.choice(["gzip", "aws-chunked", "identity", "x"]),
        "WebsiteRedirectLocation": "/" + dice.choice(plain),
    }
    # S3 itself refuses more than 2 KB of user metadata.
    kept = dice.sample(sorted(given), dice.randint(1, 3))
    return {name: given[name] for name in kept}


LONG_CELLS = ["x" * 3_000, "-" * 3_000 + "!", "1" * 3_000 + "x"]
CELLS = ["a", "1", '"', '""', ",", "\t", ";", "=1+1", "\0", "é", "\u202e", *LONG_CELLS]
BYTES = [b"\n", b"\r", b"\r\n", b",", b'"', b"\0", b"\xff", b"\xfe\xff", b"\x81", b"PK\x03\x04"]
PIECES = [*BYTES, b"," * 2_000, b'"' * 999]


def file_of(dice):
    """Return the bytes of an uploaded file: a table with faults, or no table."""
    if dice.random() < 0.2:
        return dice.randbytes(dice.choice([1, 10, 2_000, 70_000]))
    width = dice.choice([1, 2, 3, 3, 50, 2_000])
    rows = dice.choice([0, 1, 40, 400])
    lines = [["houseid", "street", "postcode"][:width] or ["a"]]
    # A file that is too small is refused at once.
    lines += [[dice.choice(CELLS) for _ in range(min(width, 20))] + ["y"] * (width - 20) for _ in range(rows)]
    content = bytearray("\n".join(dice.choice(",\t;,").join(line) for line in lines)[:300_000].encode())
    for _ in range(dice.randrange(4)):
        at = dice.randint(0, len(content))
        content[at:at] = dice.choice(PIECES) * dice.choice([1, 1, 50])
    return bytes(content)


def set_name(dice):
    """Return the prefix of a file set: three parts, some of them invalid."""
    parts = ["E07000223", "2025-05-01", f"2025-03-02T10:00:{dice.randrange(60):02}Z"]
    if dice.random() < 0.5:
        # A key is at most 1,024 bytes long.
        parts[dice.randrange(3)] = text(dice)[:60].replace("\ud800", "?")
    return "/".join(parts) + "/"


BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[1, 2, 3]",
    b'{"name": ["a"], "html_url": 7}',
    b'[{"title": null, "number": "1", "comments": 1}]',
    b'{"name": "' + b"n" * 2_000_000 + b'"}',
    b"[" * 200_000,
    b"9" * 10_000,
    b"\xff\xfe\x00",
    b"<html>" * 1_000,
    b'{"html_url": "javascript:alert(1)", "number": 1e999}',
]
STATUSES = [100, 200, 200, 201, 204, 301, 302, 400, 401, 403, 404, 408, 422, 429, 500, 502, 503, 599, 999]
HEADERS = [
    b"Location: http://127.0.0.1:1/elsewhere",
    b"Location: file:///etc/passwd",
    b"Location: //[",
    b'Link: <http://127.0.0.1:1/?page=2>; rel="next"',
    b"Link: <<>>;;; rel=next",
    b"Retry-After: " + b"9" * 400,
    b"Retry-After: -1",
    b"X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: NaN",
    b"Set-Cookie: " + b"c" * 9_000,
    b"X: " + b"\xff\x00\x1b",
    b"Content-Type: text/html; charset=\xff",
    b"Transfer-Encoding: chunked",
]


def answer(dice):
    """Return the bytes of a valid or invalid HTTP answer, after which the server closes the connection."""
    if dice.random() < 0.05:
        return dice.choice([b"", b"\0\0\0\0", b"HTTP/1.1 OK\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/9.9 200 OK\r\n\r\n{}"])
    content, lines = dice.choice(BODIES), []
    if dice.random() < 0.1:
        content = gzip.compress(bytes(20_000_000), 9)
        lines.append(b"Content-Encoding: gzip")
    lines += dice.sample(HEADERS, dice.randrange(3))
    length = b"Content-Length: %d" % len(content)
    lines.append(dice.choice([length, length, length, length, b"Content-Length: -1", b"Connection: close"]))
    return b"HTTP/1.1 %d x\r\n" % dice.choice(STATUSES) + b"\r\n".join(lines) + b"\r\n\r\n" + content
