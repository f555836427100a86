"""Which buckets keep versions."""

from tasks.object_clerk.errors import ConditionNotSupportedException
from tasks.object_clerk.s3_requests import S3Requests
from tasks.partition_replicate.errors import VersionsNotKept
from tasks.partition_replicate.settings import ALL, CURRENT
from tasks.utils.s3_object import S3Object


class Versioning:  # pylint: disable=too-few-public-methods  # one question, whose answer it keeps
    """Whether every version is mirrored; the buckets are asked once.

    Args:
        asked: `all`, `current`, or None for `all` if both buckets keep versions.
    """

    def __init__(self, asked: str | None) -> None:
        self._asked = asked
        self._kept = False if asked == CURRENT else None

    def is_kept(self, reading: S3Requests, source: str, writing: S3Requests, destination: str) -> bool:
        """Return whether every version is mirrored.

        Args:
            reading: requests to the source.
            source: the source's bucket.
            writing: requests to the destination.
            destination: the destination's bucket.

        Raises:
            VersionsNotKept: the settings ask for every version, and a bucket keeps none.
            ObjectClerkException: as `s3_requests.request` says.
        """
        # Two threads that ask at the same time get the same answer.
        if self._kept is None:
            sides = ((reading, source), (writing, destination))
            lacking = [bucket for requests, bucket in sides if not _keeps_versions(requests, bucket)]
            if lacking and self._asked == ALL:
                raise VersionsNotKept(
                    f"VERSIONS is all, and {' and '.join(lacking)} does not keep versions: "
                    "enable versioning there, or set VERSIONS to current"
                )
            self._kept = not lacking
        return self._kept


def _keeps_versions(requests: S3Requests, bucket: str) -> bool:
    try:
        answer = requests("get_bucket_versioning", source=S3Object(bucket, ""), Bucket=bucket)
    except ConditionNotSupportedException:
        # 501: a store that does not know versions.
        return False
    return bool(answer.get("Status") == "Enabled")
