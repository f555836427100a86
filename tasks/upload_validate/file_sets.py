"""Which objects are judged together: those directly under one prefix, as they are now."""

from itertools import islice

from tasks.object_clerk import checksums
from tasks.upload_validate.profile import PAGE, REPORT
from tasks.upload_validate.report import FileSet, UploadedFile


def list_set(requests, bucket, prefix, names, *, limit):
    """Returns the `FileSet` under a prefix; where it has more files than `limit`, one without files that says so.

    Args:
        requests: an `S3Requests`.
        bucket: where it was uploaded to.
        prefix: ends with a slash, so that `.../1/` does not take `.../10/`.
        names: what the layout names in the prefix.
        limit: how many files a set may have. Folders beside them count too, for the listing goes through them, and it
            ends with the first entry that is too many.
    """
    own = (prefix + REPORT, prefix + PAGE)
    entries = (entry for entry in _entries(requests, bucket, prefix) if entry is None or entry.key not in own)
    found = list(islice(entries, limit + 1))
    if len(found) > limit:
        return FileSet(bucket, prefix, names, (), more_than=limit)
    files = [file for file in found if file]
    return FileSet(bucket, prefix, names, tuple(sorted(files, key=lambda file: file.key)))


def list_objects(requests, bucket, prefix):
    """Returns an iterator over an `UploadedFile` for each object directly under a prefix.

    Args:
        requests: an `S3Requests`.
        bucket: the bucket.
        prefix: ends with a slash.
    """
    return filter(None, _entries(requests, bucket, prefix))


def _entries(requests, bucket, prefix):
    """Yields an `UploadedFile` for each object directly under a prefix, and None for each folder."""
    token = None
    while True:
        # What lies in folders below is not of this set; S3 answers with 1,000 keys at most.
        page = requests(
            "list_objects_v2",
            source=f"s3://{bucket}",
            Bucket=bucket,
            Prefix=prefix,
            Delimiter="/",
            ContinuationToken=token,
        )
        # Consoles make folders as empty objects that are named like the prefix.
        yield from (_file(item) for item in page.get("Contents", ()) if item["Key"] != prefix)
        yield from (None for _ in page.get("CommonPrefixes", ()))
        token = page.get("NextContinuationToken")
        if not token:
            return


def _file(item):
    return UploadedFile(item["Key"], checksums.bare(item["ETag"]), item["Size"], item.get("LastModified"))
