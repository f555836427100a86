"""The people of a run: they change objects, restore archived ones, upload files, and send poison."""

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from tests.chaos.changes import ARCHIVE, MIRROR, POISON, UPLOADS, body_of

WRITERS = 4


class Writers:
    """Make the changes of a plan.

    Args:
        stage: the `Stage`.

    """

    def __init__(self, stage):
        self._uploaded = {}
        self._s3, self._sqs = stage.aws.client("s3"), stage.aws.client("sqs")
        self._stage = stage
        # Of each mirrored object the versions, each as its id and its bytes; those of a delete marker are None.
        self._versions = defaultdict(list)
        self._make = {MIRROR: self._mirror, ARCHIVE: self._restore, UPLOADS: self._upload, POISON: self._poison}

    def make(self, changes):
        """Make changes side by side, those of one key in order."""
        by_key = defaultdict(list)
        for change in changes:
            by_key[change.of, change.key].append(change)
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(self._make_all, by_key.values()))

    def mirrored(self):
        """Return the keys of the mirrored objects that have versions."""
        return [key for key, versions in self._versions.items() if versions]

    def sets(self):
        """Return the uploaded sets: prefix -> key -> its last change."""
        found = defaultdict(dict)
        for key, change in self._uploaded.items():
            found[key[: key.rfind("/") + 1]][key] = change
        return found

    def _make_all(self, changes):
        for change in changes:
            self._make[change.of](change)

    def _mirror(self, change):
        versions = self._versions[change.key]
        at = {"Bucket": self._stage.outputs(MIRROR)["source_bucket"], "Key": change.key}
        if change.action == "tag":
            tags = [{"Key": "number", "Value": str(change.number)}]
            self._s3.put_object_tagging(**at, Tagging={"TagSet": tags})
        elif change.action == "remove newest":
            version, _ = versions.pop()
            self._s3.delete_object(**at, VersionId=version)
        elif change.action == "delete":
            versions.append((self._s3.delete_object(**at)["VersionId"], None))
        else:
            body = versions[-1][1] if change.action == "put again" else body_of(change)
            about = {"Metadata": {"number": str(change.number)}, "ContentType": "text/x-chaos"}
            versions.append((self._s3.put_object(**at, Body=body, **about)["VersionId"], body))

    def _restore(self, change):
        at = {"Bucket": self._stage.outputs(ARCHIVE)["source_bucket"], "Key": change.key}
        tags = urlencode({"number": str(change.number)})
        self._s3.put_object(**at, Body=body_of(change), StorageClass="GLACIER", Tagging=tags)
        self._s3.restore_object(**at, RestoreRequest={"Days": 1})

    def _upload(self, change):
        bucket = self._stage.outputs(UPLOADS)["upload_bucket"]
        self._s3.put_object(Bucket=bucket, Key=change.key, Body=body_of(change))
        self._uploaded[change.key] = change

    def _poison(self, change):
        # A FIFO queue takes a message only with a group and an id.
        mark = f"{change.action}-{change.number}"
        fifo = {"MessageGroupId": mark, "MessageDeduplicationId": mark}
        url = self._stage.queue(change.key)
        self._sqs.send_message(
            QueueUrl=url, MessageBody=poison(change), **(fifo if url.endswith(".fifo") else {"DelaySeconds": 0})
        )


def poison(change):
    """Return the text of a poisonous message; no two are equal."""
    mark = f"poison {change.key} {change.number}"
    if change.action == "half":
        return f'{{"mark": "{mark}", "Records": [{{'
    if change.action == "text":
        return f"{mark} \U0001faa3"
    event = {"detail-type": "Object Created", "source": "aws.s3", "mark": mark}
    return json.dumps({**event, "detail": {"bucket": {"name": "another-bucket"}, "object": {"key": mark}}})
