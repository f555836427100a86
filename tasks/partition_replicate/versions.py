"""Which buckets keep versions."""

from tasks.object_clerk.errors import ConditionNotSupportedException
from tasks.partition_replicate.errors import VersionsNotKept
from tasks.partition_replicate.settings import ALL, CURRENT
from tasks.utils.s3_object import S3Object


class Versioning:  # pylint: disable=too-few-public-methods  # one question, whose answer it remembers
    """Whether every version is mirrored; found out once.

    Args:
        asked: `all`, `current`, or None for `all` where both buckets keep versions.
    """

    def __init__(self, asked):
        self._asked = asked
        self._found = False if asked == CURRENT else None

    def is_kept(self, reading, source, writing, destination):
        """Returns whether every version is mirrored.

        Args:
            reading: an `S3Requests` for the source.
            source: the source's bucket.
            writing: an `S3Requests` for the destination.
            destination: the destination's bucket.

        Raises:
            VersionsNotKept: it is asked for, and a bucket keeps none.
            ObjectClerkException: as `s3_requests.request` says.
        """
        # Two threads that ask at the same time get the same answer.
        if self._found is None:
            lacking = [
                bucket
                for requests, bucket in ((reading, source), (writing, destination))
                if not _keeps_versions(requests, bucket)
            ]
            if lacking and self._asked == ALL:
                raise VersionsNotKept(
                    f"VERSIONS is all, and {' and '.join(lacking)} does not keep versions: "
                    "enable versioning there, or set VERSIONS to current"
                )
            self._found = not lacking
        return self._found


def _keeps_versions(requests, bucket):
    try:
        answer = requests("get_bucket_versioning", source=S3Object(bucket, ""), Bucket=bucket)
        return answer.get("Status") == "Enabled"
    except ConditionNotSupportedException:
        # 501: a store that has never heard of versions.
        return False
