"""What the queues and the destination say of a mirror as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.mirror_check.listings import Side

# The counts of a queue that make it busy.
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")

# A bucket with more open uploads than this has them from another writer, and they tell nothing.
MOST_UPLOADS = 10_000


def messages_in(sqs: Any, url: str) -> int:
    """Return about how many messages a queue holds, those in flight included."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
    return sum(int(found[name]) for name in COUNTS)


def open_uploads(side: Side) -> Iterator[str]:
    """Yield the keys with an open multipart upload.

    Raises:
        ObjectClerkException: the uploads cannot be listed.
    """
    position: dict[str, str] = {}
    for _ in range(MOST_UPLOADS // 1000):
        answer = side.requests("list_multipart_uploads", source=f"s3://{side.bucket}", Bucket=side.bucket, **position)
        yield from (upload["Key"] for upload in answer.get("Uploads", []))
        if not answer.get("IsTruncated"):
            return
        position = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}
