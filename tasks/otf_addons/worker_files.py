"""Files from a bucket to this machine and back."""

import os
from pathlib import Path

from tasks.otf_addons.bucket_copies import look
from tasks.otf_addons.listing import Found
from tasks.utils import bodies, downloads, streams, uploads
from tasks.utils.parts import MIB
from tasks.utils.transfers import Transfer

# A file of at most so many bytes is read in one go, and costs one request.
SMALL = 4 * MIB
# Several files are carried at a time, so each is content with a few parts at a time.
TRANSFER = Transfer(threshold=SMALL, workers=4)
CONTENT_TYPE = "application/octet-stream"


def download(requests, found, path):
    """Writes an object as it was found into a file.

    Args:
        requests: an `S3Requests`.
        found: a `Found`.
        path: the file's path.

    Returns:
        The `Found` that was read, with its version where the bucket keeps versions.

    Raises:
        SourceReplacedException: another object has taken the place of the one that was found.
        ObjectClerkException: it cannot be read.
        OSError: the file cannot be written.
    """
    if found.size > SMALL:
        seen, _ = look(requests, found)
        downloads.save(requests, seen.address, path, transfer=TRANSFER)
        return seen
    answer, data = streams.fetch(requests, found.address, most=SMALL, etag=found.etag)
    Path(path).write_bytes(data)
    return Found.by(found.address, answer)


def upload(requests, path, target):
    """Writes a file into an object, which takes the place of one that is there when it is complete.

    Args:
        requests: an `S3Requests`.
        path: the file's path.
        target: the `S3Object` to write.

    Raises:
        ObjectClerkException: it cannot be read or written.
    """
    with bodies.opened(path) as body:
        if body.size:
            uploads.upload(requests, body, target, headers={"ContentType": CONTENT_TYPE}, transfer=TRANSFER)
        else:
            touch(requests, target)


def touch(requests, target):
    """Writes an empty object."""
    streams.put(requests, b"", target, ContentType=CONTENT_TYPE)


def files_in(folder):
    """Returns the paths of the files that lie directly in a folder."""
    return sorted(entry.path for entry in os.scandir(folder) if entry.is_file())
