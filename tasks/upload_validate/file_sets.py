"""Which objects are judged together: those directly under one prefix, as they are now."""

from tasks.upload_validate.profile import PAGE, REPORT
from tasks.upload_validate.report import FileSet, UploadedFile
from tasks.utils import checksums


def list_set(requests, bucket, prefix, names):
    """Returns the `FileSet` under a prefix, whatever the number of its files.

    Args:
        requests: an `S3Requests`.
        bucket: where it was uploaded to.
        prefix: ends with a slash, so that `.../1/` does not take `.../10/`.
        names: what the layout names in the prefix.
    """
    own = (prefix + REPORT, prefix + PAGE)
    files = [file for file in list_objects(requests, bucket, prefix) if file.key not in own]
    return FileSet(bucket, prefix, names, tuple(sorted(files, key=lambda file: file.key)))


def list_objects(requests, bucket, prefix):
    """Yields an `UploadedFile` for each object directly under a prefix.

    Args:
        requests: an `S3Requests`.
        bucket: the bucket.
        prefix: ends with a slash.
    """
    token = None
    while True:
        # What lies in folders below is not of this set; S3 answers with 1,000 keys at most.
        page = requests(
            "list_objects_v2", source=f"s3://{bucket}", Bucket=bucket, Prefix=prefix, Delimiter="/",
            ContinuationToken=token,
        )
        # Consoles make folders as empty objects that are named like the prefix.
        yield from (_file(item) for item in page.get("Contents", ()) if item["Key"] != prefix)
        token = page.get("NextContinuationToken")
        if not token:
            return


def _file(item):
    return UploadedFile(item["Key"], checksums.bare(item["ETag"]), item["Size"], item.get("LastModified"))
