"""The end of a history: the mirror equals the source as the settings ask, and no work is left."""

import itertools

from tasks.partition_replicate.settings import ALL, KEEP, MIRROR
from tests.partition_replicate.processes.draws import KEYS
from tests.partition_replicate.processes.sides import DELETED


class Failure(AssertionError):
    """A history with a wrong end."""


def is_repeated(source, mirror):
    """Return whether the mirror's history is the source's, except that some entries occur again.

    It has every entry of the source in its order, and the same newest entry. A copy may have tags that its version had
    for a moment.
    """
    rest = iter(mirror)
    contents = [_without_tags(entry) for entry in source]
    return (
        mirror[-1:] == source[-1:]
        and all(entry in rest for entry in source)
        and all(_without_tags(entry) in contents for entry in mirror)
    )


def _without_tags(entry):
    return entry if entry == DELETED else entry[:2]


class Checks:
    """The checks of one history.

    Attributes:
        may_repeat: whether entries may occur again at the destination: a worker failed amid the work of another one, or
            a write landed late. The conditions of S3 distinguish neither a delete marker from the one before it nor a
            version from one with the same bytes.
        repeated: how many keys have such entries.
    """

    def __init__(self, stage, sides, setting, removed_for_good):
        self.may_repeat = False
        self.repeated = 0
        self._stage = stage
        self._sides = sides
        self._setting = setting
        self._removed_for_good = removed_for_good

    def check_keys(self):
        """Raise a `Failure` unless the mirror equals the source."""
        for key in KEYS:
            if self._setting.versions == ALL:
                self._check_versions(key)
            else:
                self._check_newest(key)

    def check_nothing_is_left(self):
        """Raise a `Failure` if there are dead letters, open uploads, or rows that name open work."""
        if dead := self._stage.take(self._stage.dead_queue, self._sides.prefix):
            reasons = [message.message_attributes["Reason"]["StringValue"] for message in dead]
            raise Failure(f"dead letters: {reasons}")
        where = {"Bucket": self._sides.mirror, "Prefix": self._sides.prefix}
        if uploads := self._sides.s3.list_multipart_uploads(**where).get("Uploads", []):
            raise Failure(f"uploads are open: {[(one['Key'], one['UploadId']) for one in uploads]}")
        for key, rows in self._stage.rows(self._sides.prefix).items():
            state = rows["$null"].to_json()["Attributes"] if "$null" in rows else {}
            if {"UploadId", "UploadSource", "TakenBackVersionId", "UntaggedVersionId"} & set(state):
                raise Failure(f"the row of {key!r} names open work: {state}")

    def server_contradicts_itself(self):
        """Return whether the server lists one version as the newest and serves another.

        SeaweedFS names a version when its request begins, lists versions by these names, and serves the version that
        was written last. So if another request overtakes a PUT, the PUT is listed below the version that it replaced,
        until the next write. A mirror cannot follow that: the worker reports it and tries again later.
        """
        for bucket, key in itertools.product((self._sides.source, self._sides.mirror), KEYS):
            if bucket.endswith("versions") and (versions := self._sides.versions(bucket, key)):
                found = self._sides.get(bucket, key)
                if (found and found["VersionId"]) != (None if versions[0].is_marker else versions[0].id):
                    return True
        return False

    def _check_newest(self, key):
        source, mirror = (self._sides.state(bucket, key) for bucket in (self._sides.source, self._sides.mirror))
        if source != mirror and (source or self._setting.deletes == MIRROR):
            raise Failure(f"{key!r} is {mirror} and should be {source}")

    def _check_versions(self, key):
        source, mirror = (self._sides.history(bucket, key) for bucket in (self._sides.source, self._sides.mirror))
        # Then the destination has entries that the source no longer has.
        keeps_removed = self._setting.version_deletes == KEEP and key in self._removed_for_good
        if self._setting.deletes == KEEP:
            if keeps_removed and source[-1:] == [DELETED]:
                # The deleted object stays the newest at the destination, even if its version is then removed for good.
                return
            source = [entry for entry in source if entry != DELETED]
        self._check_top(key, source, mirror)
        if not keeps_removed and source != mirror:
            if not self.may_repeat or not is_repeated(source, mirror):
                raise Failure(f"the history of {key!r} is {mirror} and should be {source}")
            self.repeated += 1

    def _check_top(self, key, source, mirror):
        top = source[-1:] if source or self._setting.deletes == MIRROR else mirror[-1:]
        if [one for one in mirror[-1:] if one != DELETED] != [one for one in top if one != DELETED]:
            raise Failure(f"the newest entry of {key!r} is {mirror[-1:]} and should be {top}")
