"""Tags of objects in S3."""

from collections.abc import Callable
from typing import Any

import xmltodict
from moto.s3.responses import S3Response

from local.patches.patching import patch


@patch(S3Response, "_tagging_from_xml")
def accept_empty_tag_sets(original: Callable[..., dict[str, str]], response: Any) -> dict[str, str]:
    """PutObjectTagging without tags removes all tags; moto fails with status 500."""
    if xmltodict.parse(response.body)["Tagging"]["TagSet"] is None:
        return {}
    return original(response)
