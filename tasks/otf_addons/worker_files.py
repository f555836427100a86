"""Files from a bucket to this machine and back.

The framework passes only paths from the download to the upload. So this module keeps the attributes of each downloaded
object by the path of its file until the transfer is over.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from tasks.object_clerk import bodies, downloads, streams, uploads
from tasks.object_clerk.annotation_lists import Annotation
from tasks.object_clerk.parts import MIB
from tasks.object_clerk.s3_requests import S3Requests
from tasks.object_clerk.transfers import Transfer
from tasks.otf_addons.annotations import copy_annotations
from tasks.otf_addons.attributes import Attributes
from tasks.otf_addons.bucket_copies import observe
from tasks.otf_addons.listing import SourceObject
from tasks.utils.s3_object import S3Object

# A file of at most this many bytes is read in one request.
SMALL = 4 * MIB
# Several files are transferred at a time, so a few parts at a time are enough for each.
TRANSFER = Transfer(threshold=SMALL, workers=4)
CONTENT_TYPE = "application/octet-stream"

_DOWNLOADED: dict[str, Attributes] = {}


def download(requests: S3Requests, source: SourceObject, path: str) -> SourceObject:
    """Write a source into a file.

    Args:
        requests: requests that may read the source.
        source: the source as it was found.
        path: the file's path.

    Returns:
        The source that was read, with its version if the bucket keeps versions.

    Raises:
        SourceReplacedException: another object has replaced the source.
        ObjectClerkException: it cannot be read.
        OSError: the file cannot be written.
    """
    if source.size > SMALL:
        observed, answer = observe(requests, source)
        downloads.save(requests, observed.address, path, transfer=TRANSFER)
    else:
        answer, data = streams.fetch(requests, source.address, most=SMALL, etag=source.etag)
        assert data is not None  # the ETag pins the size
        Path(path).write_bytes(data)
        observed = SourceObject.from_answer(source.address, answer)
    _DOWNLOADED[path] = Attributes(requests, observed, answer)
    return observed


def sources_of(paths: Iterable[str]) -> dict[str, S3Object]:
    """Return the sources of those files that were downloaded, by their paths."""
    return {path: _DOWNLOADED[path].source.address for path in paths if path in _DOWNLOADED}


def copied_annotations(paths: Iterable[str], source: S3Object) -> frozenset[Annotation]:
    """Return the annotations of a source that the upload of one of these files has copied."""
    downloaded = (_DOWNLOADED[path] for path in paths if path in _DOWNLOADED)
    return frozenset().union(*(each.annotations for each in downloaded if each.source.address == source))


def forget(paths: Iterable[str]) -> None:
    """Forget the attributes of files. The paths may include files that were not downloaded."""
    for path in paths:
        _DOWNLOADED.pop(path, None)


def upload(requests: S3Requests, path: str, target: S3Object) -> None:
    """Write a file into an object, which replaces the object there once it is complete.

    The object gets the metadata, content headers, tags and annotations of the source, if the file was downloaded.

    Args:
        requests: requests that may write the object.
        path: the file's path.
        target: the object.

    Raises:
        ObjectClerkException: it cannot be read or written.
    """
    attributes = _DOWNLOADED.get(path)
    headers = attributes.headers(with_class=False) if attributes else {"ContentType": CONTENT_TYPE}
    with bodies.opened(path) as body:
        if body.size:
            uploads.upload(requests, body, target, uploads.Manner(headers, TRANSFER))
        else:
            streams.put(requests, b"", target, **headers)
    if attributes:
        attributes.put_long_tags(requests, target)
        copied = copy_annotations(attributes.reading, attributes.source.address, requests, target)
        attributes.annotations |= copied


def touch(requests: S3Requests, target: S3Object) -> None:
    """Write an empty object."""
    streams.put(requests, b"", target, ContentType=CONTENT_TYPE)


def files_in(folder: str) -> list[str]:
    """Return the paths of the files that lie directly in a folder."""
    return sorted(entry.path for entry in os.scandir(folder) if entry.is_file())
