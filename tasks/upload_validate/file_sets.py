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
    files = []
    token = None
    while True:
        # What lies in folders below is not of this set; S3 answers with 1,000 keys at most.
        page = requests(
            "list_objects_v2", source=f"s3://{bucket}", Bucket=bucket, Prefix=prefix, Delimiter="/",
            ContinuationToken=token,
        )
        files += [_file(item) for item in page.get("Contents", ()) if _belongs(item["Key"], prefix)]
        token = page.get("NextContinuationToken")
        if not token:
            return FileSet(bucket, prefix, names, tuple(sorted(files, key=lambda file: file.key)))


def _belongs(key, prefix):
    # Consoles make folders as empty objects that are named like the prefix.
    return key.removeprefix(prefix) not in ("", REPORT, PAGE)


def _file(item):
    return UploadedFile(item["Key"], checksums.bare(item["ETag"]), item["Size"], item.get("LastModified"))
