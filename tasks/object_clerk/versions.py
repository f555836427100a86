"""The versions and delete markers of a key, in the order in which they were made.

S3 lists them from the newest, but boto3 hands out versions and markers as two lists, and LastModified has whole
seconds: a put, a delete and a put within one second have the same time. So their order is taken from the XML.
"""

import re
from dataclasses import dataclass

# The first page: as a rule what is new of a key is one version, and the next one is known. Later pages are full.
FIRST_PAGE, PAGE = 10, 1000

ELEMENT = re.compile(rb"<(Version|DeleteMarker)[\s>]")


@dataclass(frozen=True)
class Version:
    """A version or a delete marker, as a listing tells of it.

    Attributes:
        id: its version id; "null" for one from before the bucket kept versions.
        etag: its ETag, or "" for a delete marker.
        size: bytes.
    """

    id: str
    etag: str = ""
    size: int = 0

    @property
    def is_marker(self):
        """Whether this is a delete marker."""
        return not self.etag


def in_order(client):
    """Returns a boto3 S3 client whose listings of versions can be read by `versions_of`."""
    client.meta.events.register("before-parse.s3.ListObjectVersions", _keep_order)
    return client


def versions_of(requests, address):
    """Yields each `Version` of exactly this key, the newest first; pages are asked for as they are needed.

    Args:
        requests: an `S3Requests`, whose client is one of `in_order`'s.
        address: the `S3Object`.

    Raises:
        ObjectClerkException: as `s3_requests.request` says.
    """
    after = {"MaxKeys": FIRST_PAGE}
    while after:
        page = requests("list_object_versions", source=address, Bucket=address.bucket, Prefix=address.key, **after)
        for listed in _in_order(page):
            # Keys come in order, and a key before all that it begins.
            if listed["Key"] != address.key:
                return
            yield Version(listed["VersionId"], listed.get("ETag", ""), listed.get("Size", 0))
        after = page.get("IsTruncated") and {
            "MaxKeys": PAGE,
            "KeyMarker": page["NextKeyMarker"],
            "VersionIdMarker": page["NextVersionIdMarker"],
        }


def _keep_order(response_dict, customized_response_dict, **_):
    customized_response_dict["Order"] = ELEMENT.findall(response_dict["body"])


def _in_order(page):
    versions, markers = iter(page.get("Versions", [])), iter(page.get("DeleteMarkers", []))
    return [next(versions if element == b"Version" else markers) for element in page["Order"]]
