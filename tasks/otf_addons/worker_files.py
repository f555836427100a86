"""Files from a bucket to this machine and back.

By this way the framework hands over paths and nothing else. So what belongs to an object that was downloaded is kept
here by the path of its file, for those who upload that file, until the transfer is over.
"""

import os
from pathlib import Path

from tasks.object_clerk import bodies, downloads, streams, uploads
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.transfers import Transfer
from tasks.otf_addons import carried
from tasks.otf_addons.attributes import Attributes
from tasks.otf_addons.bucket_copies import look
from tasks.otf_addons.listing import Found

# A file of at most so many bytes is read in one go, and costs one request.
SMALL = 4 * MIB
# Several files are carried at a time, so each is content with a few parts at a time.
TRANSFER = Transfer(threshold=SMALL, workers=4)
CONTENT_TYPE = "application/octet-stream"

_DOWNLOADED = {}


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
        seen, answer = look(requests, found)
        downloads.save(requests, seen.address, path, transfer=TRANSFER)
    else:
        answer, data = streams.fetch(requests, found.address, most=SMALL, etag=found.etag)
        Path(path).write_bytes(data)
        seen = Found.by(found.address, answer)
    _DOWNLOADED[path] = Attributes(requests, seen, answer)
    return seen


def sources_of(paths):
    """Returns which objects files were downloaded from: path -> `S3Object`, where that is so."""
    return {path: _DOWNLOADED[path].seen.address for path in paths if path in _DOWNLOADED}


def arrived(paths, address):
    """Returns each `Annotation` of an object that has arrived with an upload of one of these files."""
    known = (_DOWNLOADED[path] for path in paths if path in _DOWNLOADED)
    return frozenset().union(*(one.annotations for one in known if one.seen.address == address))


def forget(paths):
    """Forgets what belonged to files; others than downloaded ones may be among them."""
    for path in paths:
        _DOWNLOADED.pop(path, None)


def upload(requests, path, target):
    """Writes a file into an object, which takes the place of one that is there when it is complete.

    A file that was downloaded gets back its metadata, content headers, tags and annotations.

    Args:
        requests: an `S3Requests`.
        path: the file's path.
        target: the `S3Object` to write.

    Raises:
        ObjectClerkException: it cannot be read or written.
    """
    source = _DOWNLOADED.get(path)
    headers = source.headers(with_class=False) if source else {"ContentType": CONTENT_TYPE}
    with bodies.opened(path) as body:
        if body.size:
            uploads.upload(requests, body, target, headers=headers, transfer=TRANSFER)
        else:
            streams.put(requests, b"", target, **headers)
    if source:
        source.put_long_tags(requests, target)
        source.annotations |= carried.carry(source.reading, source.seen.address, requests, target)


def touch(requests, target):
    """Writes an empty object."""
    streams.put(requests, b"", target, ContentType=CONTENT_TYPE)


def files_in(folder):
    """Returns the paths of the files that lie directly in a folder."""
    return sorted(entry.path for entry in os.scandir(folder) if entry.is_file())
