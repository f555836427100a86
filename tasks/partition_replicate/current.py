"""Only the newest state of a key counts: the destination's object is made equal to the source's.

Look at the destination, then at the source, and write only if the destination is still what was seen: so no state of
the source replaces a later one. Then look at the source once more, and begin anew if it is another by now. So whoever
wrote last has seen, after that, that the source was what it wrote; and whatever happens to the source later tells so
by an event of its own. Convergence needs no more: neither the order of events nor the table, which only spares what is
known already.
"""

from dataclasses import dataclass, field, replace

from tasks.object_clerk import checksums
from tasks.object_clerk.errors import ObjectChangedException
from tasks.object_clerk.part_copies import tags_of
from tasks.partition_replicate.notes import Notes
from tasks.partition_replicate.objects import TAKEN_ALONG, look, look_and_read
from tasks.partition_replicate.outcome import Action, Outcome
from tasks.partition_replicate.settings import KEEP
from tasks.partition_replicate.writer import ABSENT, LOST_RACES, Writer, there
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.s3_object import S3Object

# Events after which tags and annotations are asked for even where neither side says that it has any.
ABOUT_TAGS = (Kind.TAGGED, Kind.RECHECK)
ABOUT_ANNOTATIONS = (Kind.ANNOTATED, Kind.REQUESTED, Kind.RECHECK)

# How often a lost race is looked at again. Each loss means that another writer got through in the milliseconds
# between a look and a write, so several in a row mean a key that is being hammered: its next event comes anyway.
ROUNDS = 8


class _Settled(Exception):
    """Nothing is left to be done."""

    def __init__(self, outcome):
        super().__init__()
        self.outcome = outcome


@dataclass
class Current:
    """One event's work on the newest state of its key.

    Attributes:
        event: the `ObjectEvent`.
        notes: the `Notes` of the key.
        writer: the `Writer` of the key.
        deletes: what a removal at the source does: `mirror` or `keep`.
    """

    event: ObjectEvent
    notes: Notes
    writer: Writer
    deletes: str
    action: Action = Action.EQUAL
    made: dict | None = None
    not_carried: list = field(default_factory=list)

    def run(self):
        """Looks, makes equal, looks again; as often as somebody else was faster. Returns an `Outcome`."""
        self.notes.read()
        destination, source = self._first_looks()
        for _ in range(ROUNDS):
            try:
                written = self._make_equal(source, destination)
            except LOST_RACES:
                written = self._lose()
            except _Settled as settled:
                return settled.outcome
            if written and source.is_still(self._look_at_source()):
                return self._finish(source)
            destination, source = self._looks_anew(source)
        places = {"operation": "replicate", "source": self._source_address(), "destination": self.writer.address}
        raise ObjectChangedException(f"other writers got in between {ROUNDS} times in a row", **places)

    def _lose(self):
        self.writer.writing.retries += 1
        self.notes.read()
        return False

    def _first_looks(self):
        """Spares the look at the destination where what the table remembers is most likely still there.

        A small object comes along with its bytes.
        """
        event, row = self.event, self.notes.row
        if event.kind is Kind.CREATED and checksums.bare(row.source_etag) != event.etag and not row.upload:
            if event.size is not None and event.size <= TAKEN_ALONG:
                return None, look_and_read(self.writer.reading, self._source_address(), most=event.size)
            return None, self._look_at_source()
        if event.kind is Kind.REMOVED and not row.removed:
            return None, self._look_at_source()
        return self._look_at_destination(), self._look_at_source()

    def _looks_anew(self, source):
        destination, now = self._look_at_destination(), self._look_at_source()
        if not now.found:
            # Whether it was removed by somebody is known by the table only, and may have been told just now.
            self.notes.read()
        return destination, source if source.is_still(now) else now

    def _look_at_source(self):
        return look(self.writer.reading, self._source_address())

    def _look_at_destination(self):
        return look(self.writer.writing, self.writer.address, tags=self.event.kind in ABOUT_TAGS)

    # Each of these returns True when the destination is now what the source was when it was looked at; returns False
    # when both have to be looked at once more; and raises _Settled when nothing is to be done.

    def _make_equal(self, source, destination):
        self.writer.abandon_upload(but_of=source.stamp)
        if not source.found:
            return self._mirror_absence(destination)
        if destination is None:
            # An event that is late is about a state that was mirrored already.
            is_new = source.found["ETag"] != self.notes.row.source_etag
            return is_new and self._write(source, there(self.notes.row.dest_etag))
        if not destination.found:
            return self._write(source, ABSENT)
        if source.headers != destination.headers or not destination.has_content_of(source, self.notes.row):
            return self._write(source, there(destination.found["ETag"]))
        self.made = destination.found
        if self._put_what_belongs_to_it(source, destination):
            return True
        # Of an object that was found to be there when all parts had been carried.
        self.writer.abandon_upload()
        raise _Settled(self._finish(source))

    def _put_what_belongs_to_it(self, source, destination):
        """Makes tags and annotations equal; returns whether any had to be put or deleted.

        There is no condition on tags, and none is needed: like a write, this is followed by a look at the source.
        """
        is_tagged = source.tags != self._tags_of(destination, source)
        if is_tagged:
            self.writer.put_tags(source.tags, destination.pinned.address.version_id)
            self._did(Action.TAGGED)
        copy = self._carry_annotations(source)
        if copy and copy.writes:
            self._did(Action.ANNOTATED)
        return is_tagged or bool(copy and copy.writes)

    def _did(self, action):
        self.action = action if self.action is not Action.REPLICATED else self.action

    def _carry_annotations(self, source, *, fresh=False):
        is_told = self.event.kind in ABOUT_ANNOTATIONS
        copy = self.writer.carry_annotations(
            source.pinned.address, self.made["ETag"], self.made.get("VersionId"), fresh=fresh, look_at_ours=is_told
        )
        self.not_carried = self.writer.not_carried(source, copy)
        return copy

    def _tags_of(self, destination, source):
        # Some servers do not count an object's tags, so none are believed only where none are expected, or where they
        # were asked for.
        is_unsure = source.tags and not destination.tags and self.event.kind not in ABOUT_TAGS
        return tags_of(self.writer.writing, self.writer.address) if is_unsure else destination.tags

    def _write(self, source, condition):
        self.made = self.writer.write(source, condition)
        self.action = Action.REPLICATED
        if source.tags_follow:
            # Remembered first: whatever becomes of the tags, the bytes are not sent again.
            self.notes.remember(source_etag=source.found["ETag"], dest_etag=self.made["ETag"])
        self._carry_annotations(source, fresh=True)
        return not source.tags_follow

    def _mirror_absence(self, destination):
        if self.event.kind is Kind.LIFECYCLE_EXPIRED:
            self.notes.forget()
            raise self._nothing("the source has expired, the destination stays")
        if not self.notes.is_told_to_be_removed():
            raise self._nothing("the source is gone; the event of its removal says whether it was meant")
        if self.deletes == KEEP:
            raise self._nothing("the source was removed, the destination is kept")
        if not self.notes.row.removed:
            known = self.notes.row.dest_etag
            # Before the destination is looked at, or deleted if it is what the table remembers: who writes there after
            # that will find this when it looks again.
            self.notes.remember(
                source_etag="", dest_etag="", source_version="", dest_version="", removed=True, must=True
            )
            return destination is None and bool(known) and self._delete(known)
        if destination is None:
            return False
        if not destination.found:
            raise self._nothing("the source is gone, and so is the destination")
        return self._delete(destination.found["ETag"])

    def _delete(self, etag):
        self.writer.delete(there(etag))
        self.action = Action.DELETED
        return True

    def _finish(self, source):
        if not source.found:
            return Outcome(self.event, self.action, self.writer.address)
        self.notes.remember(
            source_etag=source.found["ETag"],
            dest_etag=self.made["ETag"],
            source_version=source.found.get("VersionId") or "",
            dest_version=self.made.get("VersionId") or "",
            skipped=False,
            removed=False,
            upload=None,
        )
        return Outcome(
            self.event,
            self.action,
            replace(self.writer.address, version_id=self.made.get("VersionId")),
            size=self.writer.size,
            not_carried=self.not_carried if self._tells_what_is_lacking() else [],
        )

    def _tells_what_is_lacking(self):
        return self.action is Action.REPLICATED or self.event.kind is Kind.ANNOTATED

    def _nothing(self, reason):
        return _Settled(Outcome(self.event, Action.NOTHING, self.writer.address, reason=reason))

    def _source_address(self):
        return S3Object(self.event.object.bucket, self.event.object.key)
