"""Which addresses reports, look-ups and errors may go to: over https alone, but for this machine itself."""

import ipaddress
import re
from urllib.parse import urlsplit

# What an address cannot hold; libraries do not agree on where the host ends in one that does.
ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")
LOCALHOST = "localhost"
DEFAULT_PORTS = {"http": 80, "https": 443}


def fault_of(url, *, with_user=False):
    """Returns what is wrong with an address, in words that repeat nothing of it, or "".

    Args:
        url: the address.
        with_user: a user may be named in it, as in a DSN of Sentry's.
    """
    try:
        scheme, host, _ = origin(url)
    except ValueError:
        return "cannot be read as an address"
    if not is_address(url):
        return "is no address"
    if "@" in urlsplit(url).netloc and not with_user:
        return "holds a user or a password, which belongs into an entry of its own"
    return "" if scheme == "https" or _is_loopback(host) else "begins with http://, which anybody on the way can read"


def is_address(url):
    """Returns whether a text is an address of http or https."""
    try:
        scheme, host, _ = origin(url)
    except ValueError:
        return False
    return scheme in DEFAULT_PORTS and bool(host) and not ODD.search(url)


def origin(url):
    """Returns scheme, host and port of an address: what has to be the same for the same server.

    Raises:
        ValueError: it cannot be read.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


def _is_loopback(host):
    try:
        return host == LOCALHOST or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
