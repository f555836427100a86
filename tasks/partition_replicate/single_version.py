"""What an event says about one version of a key, the newest or an older one: its tags or annotations changed, or it was
removed.
"""

from dataclasses import dataclass, replace

from tasks.object_clerk.errors import ObjectChangedException, ObjectNotFoundException
from tasks.object_clerk.part_copies import tags_of
from tasks.object_clerk.s3_requests import head
from tasks.object_clerk.versions import versions_of
from tasks.partition_replicate.notes import Notes
from tasks.partition_replicate.writer import Writer
from tasks.utils.s3_object import S3Object

# How often tags are looked at again that somebody changes all the time.
ROUNDS = 8


@dataclass
class SingleVersion:
    """One version of the source.

    Attributes:
        address: the `S3Object`, with its version.
        notes: the `Notes` of the key.
        writer: the `Writer` of the key.
    """

    address: S3Object
    notes: Notes
    writer: Writer

    def mirror_tags(self):
        """Puts its tags on what was made from it; returns whether any had to be put.

        There is no condition on tags, so the source is looked at again after that.
        """
        made = self.notes.made_from(self.address.version_id)
        if not made or not made.etag:
            return False
        mine = replace(self.writer.address, version_id=made.version)
        put = None
        for _ in range(ROUNDS):
            try:
                tags = tags_of(self.writer.reading, self.address)
                if tags == (tags_of(self.writer.writing, mine) if put is None else put):
                    return put is not None
                self.writer.put_tags(tags, made.version)
            except ObjectNotFoundException:
                # One of the two was removed for good.
                return False
            put = tags
            self.notes.record_tags(self.address.version_id, made, tags)
        places = {"operation": "replicate tags", "source": self.address, "destination": mine}
        raise ObjectChangedException(f"they were changed {ROUNDS} times in a row", **places)

    def mirror_annotations(self):
        """Makes the annotations of what was made from it the same; returns the `AnnotationCopy`, or None."""
        made = self.notes.made_from(self.address.version_id)
        if not made or not made.etag:
            return None
        try:
            return self.writer.carry_annotations(self.address, made.etag, made.version, look_at_ours=True)
        except ObjectNotFoundException:
            # One of the two was removed for good.
            return None

    def forget_if_gone(self, *, mirror):
        """Forgets it if it is gone for good.

        Args:
            mirror: what was made from it is removed too, unless it is locked.

        Returns:
            Whether something was removed at the destination.
        """
        made = self.notes.made_from(self.address.version_id)
        if not made or not self.is_gone(is_marker=not made.etag):
            return False
        removed = mirror and self.writer.remove(made.version)
        self.forget(made, removed=removed)
        return removed

    def forget(self, made, *, removed):
        """Forgets what was made from it.

        Args:
            made: the `Made`.
            removed: whether that was removed too. A server may still hold a write of the same bytes, whose worker was
                killed: such a copy goes as well.
        """
        if removed and made.etag:
            self.notes.record_gone(self.address.version_id, made.etag)
        else:
            self.notes.forget(self.address.version_id)

    def is_gone(self, *, is_marker):
        """Returns whether the source has this version, or this delete marker, no more.

        HeadObject answers 405 for a delete marker on AWS, and 404 on some servers, as for one that is gone. So a
        marker is looked for in the listing. S3 User Guide, "Working with delete markers".

        Args:
            is_marker: whether the version is, or may be, a delete marker.
        """
        if not is_marker:
            return head(self.writer.reading, self.address) is None
        listed = versions_of(self.writer.reading, replace(self.address, version_id=None))
        return all(version.id != self.address.version_id for version in listed)
