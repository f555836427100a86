"""What a council calls itself."""

import logging
from urllib.parse import quote

from tasks.upload_validate.errors import ReporterError

LOGGER = logging.getLogger("bucket_brigade")


def council_name(http, api_url, code):
    """Returns the name of a council, or its code where the look-up fails: a name is no reason to hold data up.

    Args:
        http: an `Http`.
        api_url: what `/{code}.json` is added to.
        code: the council's GSS code, as the uploader wrote it.
    """
    try:
        found = http.send("GET", f"{api_url.rstrip('/')}/{quote(code, safe='')}.json").json()
        name = found["name"]
    except (ReporterError, ValueError, KeyError, TypeError) as error:
        LOGGER.warning("the council's name was not found", extra={"code": code, "reason": str(error)})
        return code
    return name if isinstance(name, str) and name.strip() else code
