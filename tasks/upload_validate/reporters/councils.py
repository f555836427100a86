"""The look-up of a council's name."""

import logging
from dataclasses import replace
from urllib.parse import quote

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.errors import ReporterError
from tasks.upload_validate.reporters.http import HttpClient
from tasks.utils.s3_object import printable

LOGGER = logging.getLogger("bucket_brigade")

# Seconds for the look-up with all its tries. A healthy service answers in less than one.
LOOKUP_SECONDS = 20.0
# Titles and subjects contain the name, and have 250 characters.
NAME_LIMIT = 200


def council_name(http: HttpClient, api_url: str, code: str) -> str:
    """Look up the name of a council; if that fails, its code is the name, because a set does not wait for a name.

    Args:
        http: an `HttpClient`.
        api_url: the address of the service; `/{code}.json` is added.
        code: the council's GSS code, as the uploader wrote it.

    Returns:
        The code, or a name of at most 200 characters in one line.
    """
    briefly = replace(http, deadline=http.deadline.within(LOOKUP_SECONDS))
    try:
        # A key, and so a code, may contain half a surrogate pair, which has no encoding.
        path = quote(code, safe="", errors="replace")
        found = briefly.send("GET", f"{api_url.rstrip('/')}/{path}.json").json()
    except (ReporterError, DeadlineException) as error:
        return _without_name(code, str(error))
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str) or not name.strip():
        return _without_name(code, "the answer holds no name")
    return printable(name.strip()[:NAME_LIMIT])[:NAME_LIMIT]


def _without_name(code: str, reason: str) -> str:
    LOGGER.warning("the council's name was not found", extra={"code": printable(code), "reason": reason})
    return code
