"""Which addresses the task may call: https addresses, and http addresses of this machine."""

import ipaddress
import re
from urllib.parse import urlsplit

# Characters that an address cannot contain. Libraries disagree on the end of the host in an address with one of them.
ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")
LOCALHOST = "localhost"
DEFAULT_PORTS = {"http": 80, "https": 443}


def fault_of(url: str, *, with_user: bool = False) -> str:
    """Return what is wrong with an address, in words that repeat nothing of it, or "".

    Args:
        url: the address.
        with_user: whether the address may name a user, as a DSN of Sentry does.
    """
    try:
        scheme, host, _ = origin(url)
    except ValueError:
        return "cannot be read as an address"
    if not is_address(url):
        return "is no address"
    if "@" in urlsplit(url).netloc and not with_user:
        return "holds a user or a password, which belongs into an entry of its own"
    is_safe = scheme == "https" or _is_loopback(host or "")
    return "" if is_safe else "begins with http://, which anybody on the way can read"


def is_address(url: str) -> bool:
    """Return whether a text is an http or https address."""
    try:
        scheme, host, _ = origin(url)
    except ValueError:
        return False
    return scheme in DEFAULT_PORTS and bool(host) and not ODD.search(url)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of an address; two addresses of one server have the same.

    Raises:
        ValueError: the text cannot be read as an address.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


def _is_loopback(host: str) -> bool:
    try:
        return host == LOCALHOST or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
