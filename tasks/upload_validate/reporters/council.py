"""What a council calls itself."""

import logging
from dataclasses import replace
from urllib.parse import quote

from tasks.object_clerk.errors import DeadlineException
from tasks.upload_validate.errors import ReporterError
from tasks.utils.s3_object import printable

LOGGER = logging.getLogger("bucket_brigade")

# Seconds for the look-up with all its tries. A healthy service answers in less than one.
PATIENCE = 20.0
# A longer name is none: the name stands in titles and subjects, which take 250 characters.
NAME_LIMIT = 200


def council_name(http, api_url, code):
    """Returns the name of a council, or its code where the look-up fails: a name is no reason to hold data up.

    Args:
        http: an `Http`.
        api_url: what `/{code}.json` is added to.
        code: the council's GSS code, as the uploader wrote it.

    Returns:
        A text in one line: the code as it is, or a name of at most 200 characters.
    """
    briefly = replace(http, deadline=http.deadline.within(PATIENCE))
    try:
        # A key, and so a code, may hold half a surrogate pair, which has no encoding.
        path = quote(code, safe="", errors="replace")
        found = briefly.send("GET", f"{api_url.rstrip('/')}/{path}.json").json()
    except (ReporterError, DeadlineException) as error:
        return _without_name(code, str(error))
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str) or not name.strip():
        return _without_name(code, "the answer holds no name")
    return printable(name.strip()[:NAME_LIMIT])[:NAME_LIMIT]


def _without_name(code, reason):
    LOGGER.warning("the council's name was not found", extra={"code": printable(code), "reason": reason})
    return code
