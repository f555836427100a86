"""The arguments of an `ObjectClerk`: the shape of each, and a sentence for each value of another shape.

No request is sent with a wrong one: botocore refuses some only when they are used, and others as a failed request that
would be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from botocore.config import Config

from tasks.object_clerk.errors import ObjectClerkException
from tasks.utils.retry import RetryPolicy
from tasks.utils.s3_object import S3Object

# Seconds added to each wait: a number, or (least, most) to draw from.
Jitter = float | tuple[float, float]

# Seconds. No wait needs to be longer, and `time.sleep` overflows at much more.
DAY = 24 * 60 * 60
# 64 waits in a row grow by this factor, and a float holds the product.
MAX_BACKOFF = 1000
# The most keys in the answer to a ListObjectsV2.
MAX_PAGE = 1000
MAX_PORT = 65_535

# A name, an IPv4 address, or an IPv6 address in brackets, as in a URL.
HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
PORT = re.compile("[0-9]{1,5}")
# Keys go into a header.
KEY = re.compile(r"[!-~]+")


class Retries(NamedTuple):
    """The arguments that say when a request is repeated; the constructor of `ObjectClerk` explains them."""

    retry_delay: float
    retry_backoff: float
    retry_jitter: Jitter
    retry_max_delay: float
    retry_tries: int

    def policy(self) -> RetryPolicy:
        """Return the policy of arguments that have no problems."""
        jitter = self.retry_jitter
        least, most = jitter if isinstance(jitter, (tuple, list)) else (jitter, jitter)
        return RetryPolicy(
            tries=self.retry_tries,
            delay=self.retry_delay,
            backoff=self.retry_backoff,
            jitter=(least, most),
            max_delay=self.retry_max_delay,
        )


class Shape(NamedTuple):
    """What an argument should be.

    Attributes:
        fits: returns whether a value has the shape.
        words: the shape, for a message.
    """

    fits: Callable[[Any], bool]
    words: str


def _is_number(value: object, least: float, most: float) -> bool:
    # In Python a truth value is a number. NaN is not in any range.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and _is_number(value, least, most)


def _is_port(value: object) -> bool:
    # An environment variable gives a text.
    return _is_whole(int(str(value)) if _matches(PORT, value) else value, 1, MAX_PORT)


def _is_seconds(value: object) -> bool:
    return _is_number(value, 0, DAY)


def _is_jitter(value: object) -> bool:
    if isinstance(value, (tuple, list)):
        return len(value) == 2 and all(map(_is_seconds, value)) and value[0] <= value[1]
    return _is_seconds(value)


def _is_tries(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (value == -1 or value >= 1)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _is_client_config(value: object) -> bool:
    return value is None or isinstance(value, (Mapping, Config))


def _is_transfer_config(value: object) -> bool:
    # By an attribute: a clerk itself does not import boto3.
    return value is None or isinstance(value, Mapping) or hasattr(value, "multipart_threshold")


SECONDS = Shape(_is_seconds, f"a number of seconds from 0 to {DAY}")
SHAPES: dict[str, Shape] = {
    "s3_client": Shape(lambda value: hasattr(value, "list_objects_v2"), "a boto3 S3 client"),
    "host": Shape(partial(_matches, HOST), "a name or an IP address (IPv6: in brackets) without scheme, port and path"),
    "port": Shape(_is_port, f"a whole number from 1 to {MAX_PORT}"),
    **dict.fromkeys(
        ("access_key", "secret_key"),
        Shape(partial(_matches, KEY), "a text without spaces (`from_client` takes a client with other credentials)"),
    ),
    "retry_delay": SECONDS,
    "retry_backoff": Shape(lambda value: _is_number(value, 0, MAX_BACKOFF), f"a number from 0 to {MAX_BACKOFF}"),
    "retry_jitter": Shape(_is_jitter, f"{SECONDS.words}, or a pair of them, the smaller first"),
    "retry_max_delay": SECONDS,
    "retry_tries": Shape(_is_tries, "a whole number of attempts from 1, or -1 for ever"),
    "use_ssl": Shape(lambda value: isinstance(value, bool), "True or False"),
    "list_objects_page_size": Shape(
        lambda value: _is_whole(value, 1, MAX_PAGE), f"a whole number of keys from 1 to {MAX_PAGE}"
    ),
    "client_config": Shape(_is_client_config, "a dict of options or a botocore Config"),
    "transfer_config": Shape(_is_transfer_config, "a dict of options or a boto3 TransferConfig"),
}


def problems_of(arguments: Mapping[str, object]) -> Iterator[str]:
    """Yield a sentence for each argument of a wrong shape.

    Args:
        arguments: the values by their names in the constructors of `ObjectClerk`.
    """
    for name, value in arguments.items():
        if not SHAPES[name].fits(value):
            yield f"{name} is {_shown(value)}: it should be {SHAPES[name].words}"


def object_address(bucket: str, key: str) -> S3Object:
    """Return the address of an object.

    Raises:
        ObjectClerkException: the bucket or the key is no text, or is empty.
    """
    for name, value in (("bucket", bucket), ("key", key)):
        try:
            is_valid = bool(str.encode(value))
        except (TypeError, UnicodeError):
            is_valid = False
        if not is_valid:
            raise ObjectClerkException(
                f"the {name} is {value!r}: it should be a text of one or more Unicode characters"
            )
    return S3Object(bucket, key)


def _shown(value: object) -> str:
    # No text is quoted: arguments in a wrong order would show a secret.
    return repr(value) if value is None or isinstance(value, (int, float)) else f"of type {type(value).__name__}"
