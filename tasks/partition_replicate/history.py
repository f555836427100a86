"""Every version of a key counts: the destination's history of it reads like the source's.

The source's versions are listed back to the last one that was mirrored, and what is newer is appended, the oldest
first, each on the condition that the destination's newest is still what is remembered. A version never changes, so
that one was made from the other stays true for ever; the table says so, in one transaction with what is newest.

That is all as long as nobody else is at work. Where a race is lost, or what the table remembers is not there, the
destination's versions are listed too: what a killed or concurrent worker has written already is adopted, what is
somebody else's is overwritten. The end is the same as with the newest state alone: after its last write a worker
looks once more, and ends only when the destination's newest was made from the source's newest.
"""

import logging
from dataclasses import dataclass, field, replace

from tasks.object_clerk import checksums
from tasks.object_clerk.annotations import NAME
from tasks.object_clerk.errors import KeyNotFoundException, ObjectArchivedException, ObjectChangedException
from tasks.object_clerk.versions import Version, versions_of
from tasks.partition_replicate.errors import NoProgress, RowChanged
from tasks.partition_replicate.notes import Notes
from tasks.partition_replicate.objects import TAKEN_ALONG, look, look_and_read
from tasks.partition_replicate.outcome import Action, Outcome, Unfinished
from tasks.partition_replicate.settings import KEEP, MIRROR
from tasks.partition_replicate.single_version import SingleVersion
from tasks.partition_replicate.table import Made
from tasks.partition_replicate.writer import LOST_RACES, Writer, there
from tasks.utils.events import Kind, ObjectEvent
from tasks.utils.s3_object import S3Object

LOGGER = logging.getLogger("bucket_brigade")

# How often a lost race is looked at again, or something removed or adopted. More than that in a row is a key that
# others work on as well; the message comes back, and nothing that was done is done again.
ROUNDS = 32

# How often in a row both sides may be seen as they were, though something was done about it. A worker that lost a race,
# or remembered a removal first, sees the same once or twice more.
SAME_VIEWS = 4

NOTHING_THERE = Made("")


@dataclass
class History:  # pylint: disable=too-many-instance-attributes  # what it is told, and what it has done so far
    """One event's work on all versions of its key.

    Attributes:
        event: the `ObjectEvent`.
        notes: the `Notes` of the key.
        writer: the `Writer` of the key.
        deletes: what a delete marker at the source does: `mirror` or `keep`.
        version_deletes: what the removal of a version for good does: `mirror` or `keep`.
    """

    event: ObjectEvent
    notes: Notes
    writer: Writer
    deletes: str
    version_deletes: str
    top: Made = NOTHING_THERE
    action: Action = Action.EQUAL
    reason: str = ""
    carried: int = 0
    not_carried: list = field(default_factory=list)
    # Versions of the destination that are one too many and locked.
    staying: set = field(default_factory=set)
    # What was listed last, and how often in a row.
    view: tuple = ()
    views: int = 0

    def run(self):
        """Appends what is new, repairs what is not as it should be, and returns an `Outcome`."""
        self.notes.read()
        if self.notes.row.untagged:
            self._finish_tagging()
        # A removal that is known already, an expiry and a recheck are about what is there, not about what is new.
        row = self.notes.row
        is_about_what_is_there = self.event.kind in (Kind.LIFECYCLE_EXPIRED, Kind.RECHECK)
        self._make_equal(careful=row.removed or bool(row.taken_back) or is_about_what_is_there)
        while self._follow_up():
            self._make_equal(careful=True)
        self.writer.abandon_upload()
        return Outcome(
            self.event,
            self.action,
            replace(self.writer.address, version_id=self.notes.row.dest_version or None),
            size=self.writer.size,
            reason=self.reason,
            not_carried=self.not_carried,
        )

    def _make_equal(self, *, careful):
        sure, new = False, None
        for _ in range(ROUNDS):
            try:
                if careful:
                    if self._is_in_order():
                        return
                    continue
                before, new = new, self._new_versions()
                if new and new != before:
                    sure = self._append_all(new) or sure
                elif new == [] and (sure or self._is_as_remembered()):
                    return
                else:
                    careful = True
            except LOST_RACES:
                self.writer.writing.retries += 1
                careful = True
        places = {"operation": "replicate", "source": self._source(), "destination": self.writer.address}
        raise ObjectChangedException(f"others worked on it {ROUNDS} times in a row", **places)

    # As long as nobody else is at work.

    def _new_versions(self):
        """Returns what is newer than the last version that was mirrored, the oldest first; None where that is no more,
        or where it could not be told whether the first of them was written already.
        """
        row, new = self.notes.row, []
        self.top = Made(row.dest_version, row.dest_etag)
        for version in versions_of(self.writer.reading, self._source()):
            if version.id == row.source_version:
                break
            new.insert(0, version)
        else:
            if row.source_version or not new:
                return None
        return None if new and self._is_indistinct(new[0]) and self.carried == 0 else new

    def _is_as_remembered(self):
        row = self.notes.row
        if row.skipped:
            return True
        address = self.writer.address
        try:
            found = self.writer.writing("head_object", source=address, **address.parameters)
        except KeyNotFoundException as error:
            # A delete marker is named in the headers; where a server does not do that, one is as good as another.
            headers = error.__cause__.response["ResponseMetadata"]["HTTPHeaders"]
            return not row.dest_etag and headers.get("x-amz-version-id", row.dest_version) == row.dest_version
        return found.get("VersionId") == row.dest_version

    def _is_indistinct(self, version):
        """Returns whether the condition of its write would hold after the write as well."""
        if version.is_marker:
            return not self.top.etag
        return bool(self.top.etag) and version.etag in (self.top.etag, self.notes.row.source_etag)

    def _append_all(self, new):
        """Appends versions in order; returns whether the last thing done was to write one."""
        return [self._append(version, is_newest=version is new[-1]) for version in new][-1]

    def _append(self, version, *, is_newest=True):
        if self.writer.writing.deadline.has_passed():
            places = {"operation": "replicate", "source": self._source(), "destination": self.writer.address}
            raise Unfinished("time ran out between two versions", carried=self.carried, **places)
        if version.is_marker:
            if self._is_to_be_skipped(version):
                return self._skip(version)
            condition = {"IfMatch": self.top.etag} if self.top.etag else {}
            made = Made.by(self.writer.delete(condition, once=self._is_indistinct(version)))
            self._record_own(version, made, Action.DELETED)
            return True
        try:
            source = self._look(version)
            if not source.found:
                # Removed for good since it was listed.
                return False
            answer = self.writer.write(source, there(self.top.etag), once=self._is_indistinct(version))
        except Unfinished as error:
            error.carried += self.carried
            raise
        except ObjectArchivedException as error:
            if is_newest:
                raise
            LOGGER.warning("an older version sleeps in an archive and is left out", extra={"reason": str(error)})
            return self._skip(version)
        self._record_own(version, Made.by(answer), Action.REPLICATED, source)
        if source.tags_follow:
            self._finish_tagging()
        return True

    def _finish_tagging(self):
        """Puts the tags that were too long to go with a version; what fails here is tried again by the next event."""
        self._single(self.notes.row.untagged).mirror_tags()
        self.notes.remember(untagged="")

    def _record_own(self, version, made, action, source=None):
        untagged = version.id if source and source.tags_follow else ""
        try:
            self._record(version, made, source, fresh=True, untagged=untagged)
        except RowChanged:
            # Somebody else was faster, and perhaps took this very write for the one of this version, or of the next.
            while made not in self.notes.read_all().values() and not self._take_back(made.version):
                pass
            raise
        self.action = action
        self.carried += 1

    def _record(self, version, made, source=None, *, fresh=False, untagged=""):
        """Records what was made from a version, once it has its annotations."""
        copy = source and self.writer.carry_annotations(
            source.pinned.address, made.etag, made.version, fresh=fresh, look_at_ours=not fresh
        )
        self.notes.record(
            version.id,
            made,
            tags=source.tags if source and not untagged else {},
            untagged=untagged,
            source_etag=version.etag,
            dest_version=made.version,
            dest_etag=made.etag,
            **self._completed_upload(source),
        )
        self.top = made
        self.not_carried = self.writer.not_carried(source, copy) if source else []

    def _completed_upload(self, source):
        """Returns the change of the row that forgets the upload of a state; another one is still to be aborted."""
        upload = self.notes.row.upload
        return {"upload": None} if source and upload and upload.source == source.stamp else {}

    def _is_to_be_skipped(self, version):
        return self.deletes == KEEP or self._has_expired(version)

    def _has_expired(self, version):
        return self.event.kind is Kind.LIFECYCLE_EXPIRED and version.id == self.event.object.version_id

    def _skip(self, version):
        self.notes.record(
            version.id, None, tags={}, source_etag="", dest_version=self.top.version, dest_etag=self.top.etag
        )
        if version.is_marker:
            self.reason = "the source has expired" if self._has_expired(version) else "deletes are not mirrored"
        return False

    # Where somebody else was at work, or a version is gone.

    def _is_in_order(self):
        """Looks at both sides, and does the next thing that has to be done; returns True where there is none."""
        made = self.notes.read_all()
        if self.notes.row.taken_back:
            self._finish_taking_back()
            return False
        known = {one.version: version for version, one in made.items() if one}
        mirrored, strangers = _until_known(versions_of(self.writer.writing, self.writer.address), known)
        self.top = Made(mirrored.id, mirrored.etag) if mirrored else NOTHING_THERE
        newest, new = _until_known(versions_of(self.writer.reading, self._source()), made)
        self._expect_change(mirrored, newest, (*strangers, *new))
        if not newest:
            return self._is_absent(known.get(self.top.version))
        if self._sort_out(strangers, new, made):
            return False
        if new:
            self._append_all(new)
            return False
        return self._is_on_top(newest, made[newest.id], known.get(self.top.version))

    def _expect_change(self, mirrored, newest, unknown):
        """Counts how often in a row the same was listed.

        Args:
            mirrored: the newest `Version` of the destination, or None.
            newest: that of the source, or None.
            unknown: each `Version` that the table does not know.

        Raises:
            NoProgress: it was too often. Where a listing is behind, every round would do the same again.
        """
        view = (mirrored, newest, *unknown)
        self.views = self.views + 1 if view == self.view else 1
        self.view = view
        if self.views > SAME_VIEWS:
            sides = (
                _seen("destination", mirrored, look(self.writer.writing, self.writer.address)),
                _seen("source", newest, look(self.writer.reading, self._source())),
            )
            places = f"{self._source()} -> {self.writer.address}"
            raise NoProgress(f"replicate {places}: {SAME_VIEWS} rounds changed nothing: {'; '.join(sides)}")

    def _sort_out(self, strangers, new, made):
        """Says of each version that nobody wrote down what it is; returns whether that changed anything.

        It may be what one of us made from the next new version, and was killed. It may be one copy too many, of a
        worker that was too late and was killed before it took it back. Or it is somebody else's, and stays.
        """
        changed = False
        for stranger in strangers:
            if new and not (new[0].is_marker and self._is_to_be_skipped(new[0])) and self._adopt(new[0], stranger):
                del new[0]
            elif stranger.id not in self.staying and self._is_one_too_many(stranger, new, made):
                if not self._take_back(stranger.id):
                    return True
            else:
                continue
            changed = True
        return changed

    def _is_one_too_many(self, stranger, new, made):
        """Returns whether nothing is lost with a version: it is a delete marker, the copy of a mirrored one, or that of
        one that was removed for good.
        """
        if stranger.is_marker:
            # What it hides is to be seen again, or is hidden by what is new; but for the one that says that the source
            # had no version any more.
            return not new or bool(self.notes.row.source_version)
        is_gone = self.version_deletes == MIRROR and checksums.bare(stranger.etag) in self.notes.gone
        return is_gone or self._is_copy_of_any(stranger, made.values())

    def _is_copy_of_any(self, stranger, mirrored):
        alike = [one.version for one in mirrored if one and one.etag == stranger.etag]
        mine = look(self.writer.writing, self._mine(stranger.id)) if alike else None
        others = (look(self.writer.writing, self._mine(version)) for version in alike)
        return any(mine.found and other.found and mine.headers == other.headers for other in others)

    def _clear_away(self, version):
        """Takes back what was made from the event's version and not written down before the source had it no more.

        Whoever made it was killed, and with the version gone nothing can be compared but what the event tells. What was
        written again above it, or put there to hide it, goes too. Returns whether there was anything.
        """
        made = self.notes.read_all()
        if version in made or not self._single(version).is_gone(is_marker=not self.event.etag):
            return False
        if self.event.etag:
            # A server may still hold a write of it.
            self.notes.record_gone(version, self.event.etag)
        known = {one.version: one for one in made.values() if one}
        left_over, stays = [], Version("")
        for mine in versions_of(self.writer.writing, self.writer.address):
            if mine.id not in {*known, *self.staying} and self._is_left_over(mine, known.get(stays.id)):
                left_over.append(mine)
            else:
                stays = mine
        if stays.id and stays.is_marker and stays.id not in known:
            # Beneath it is nothing that it could hide.
            left_over.append(stays)
        for mine in left_over:
            LOGGER.info("what nobody wrote down goes with its version", extra={"version_id": mine.id})
            if not self._take_back(mine.id):
                return True
        return bool(left_over)

    def _is_left_over(self, mine, above):
        if mine.is_marker:
            return False
        is_told_of = (checksums.bare(mine.etag), mine.size) == (self.event.etag, self.event.size)
        return is_told_of or self._is_copy_of_any(mine, [above])

    def _take_back(self, version):
        """Removes a version that nobody wrote down; returns whether that still holds.

        Another worker may be about to write down what it is. One of the two changes the row first, and the other one
        looks again; whoever reads the row from then on removes the version before anything else.
        """
        if self.notes.row.taken_back:
            self._finish_taking_back()
        try:
            self.notes.remember(taken_back=version, must=True)
        except RowChanged:
            return False
        self._finish_taking_back()
        return True

    def _finish_taking_back(self):
        version = self.notes.row.taken_back
        if not self.writer.remove(version):
            self.staying.add(version)
        self.notes.remember(taken_back="")

    def _adopt(self, version, stranger):
        if version.is_marker or stranger.is_marker:
            source = None
            same = version.is_marker and stranger.is_marker
        else:
            source, same = self._compare(version, stranger)
        if same:
            self._record(version, Made(stranger.id, stranger.etag), source)
        return same

    def _compare(self, version, stranger):
        if version.size != stranger.size:
            return None, False
        source, mine = self._look(version), look(self.writer.writing, self._mine(stranger.id), tags=True)
        if not source.found or not mine.found or source.headers != mine.headers:
            return source, False
        same = mine.has_content_of(source, self.notes.row)
        if same and source.tags != mine.tags:
            self.writer.put_tags(source.tags, stranger.id)
        return source, same

    def _is_on_top(self, newest, wanted, top_is_of):
        """Makes the destination's newest the one that was made from the source's newest; True where it is."""
        if wanted and self._has_expired(newest):
            self.writer.remove(wanted.version)
            self._skip(newest)
            return False
        if wanted is None:
            return True
        if self.top.version == wanted.version:
            self.notes.remember(
                source_version=newest.id,
                source_etag=newest.etag,
                dest_version=wanted.version,
                dest_etag=wanted.etag,
                skipped=False,
                removed=False,
            )
            return True
        if not self._remove_mirrored(top_is_of):
            self._append(newest)
        return False

    def _is_absent(self, top_is_of):
        """Mirrors that the source has no version any more; returns True where nothing is left to be done."""
        if self.event.kind is Kind.LIFECYCLE_EXPIRED:
            self.reason = "the source has expired, the destination stays"
        elif not self.notes.is_told_to_be_removed():
            self.reason = "the source is gone; the event of its removal says whether it was meant"
        elif self.deletes == KEEP:
            self.reason = "the source was removed, the destination is kept"
        if self.reason:
            self.action = Action.NOTHING
            return True
        if not self.notes.row.removed:
            # Before anything is removed: who writes after this finds it when it looks again.
            self.notes.remember(
                source_etag="", dest_etag="", source_version="", dest_version="", skipped=False, removed=True, must=True
            )
            return False
        if not self.top.etag:
            return True
        if not self._remove_mirrored(top_is_of):
            self.writer.delete(there(self.top.etag))
        self.action = Action.DELETED
        return False

    def _remove_mirrored(self, top_is_of):
        """Removes the destination's newest version for good, if that is mirrored and its source is gone for good.

        Returns whether it is removed; where it is locked, it has to be hidden.
        """
        if self.version_deletes != MIRROR or not top_is_of:
            return False
        if not self._single(top_is_of).is_gone(is_marker=not self.top.etag):
            return False
        removed = self.writer.remove(self.top.version)
        if removed:
            self._single(top_is_of).forget(self.top, removed=True)
        return removed

    def _follow_up(self):
        """Does what the event asks for beyond what is newest; returns whether both sides have to be looked at again."""
        kind, newest = self.event.kind, self.notes.row.source_version
        version = self.event.object.version_id or newest
        if version and (kind in (Kind.TAGGED, Kind.RECHECK) or (kind is Kind.REQUESTED and not self.carried)):
            if self._single(version).mirror_tags():
                self.action = Action.TAGGED
            if kind is not Kind.TAGGED:
                self._mirror_annotations(version)
            if kind is Kind.RECHECK and version != newest and self.version_deletes == MIRROR:
                return self._clear_away(version)
        elif version and (kind is Kind.ANNOTATED or (self.notes.row.annotated and self._made_nothing_new())):
            self._mirror_annotations(version)
        elif version != newest and kind in (Kind.REMOVED, Kind.LIFECYCLE_EXPIRED):
            is_mirrored = self.version_deletes == MIRROR and kind is Kind.REMOVED
            if self._single(version).forget_if_gone(mirror=is_mirrored):
                self.action = Action.DELETED
                return True
        elif version != newest and kind is Kind.CREATED and self.version_deletes == MIRROR:
            return self._clear_away(version)
        return False

    def _made_nothing_new(self):
        # A delivery before this one may have been killed amid annotations.
        return self.event.kind is Kind.CREATED and not self.carried

    def _mirror_annotations(self, version):
        copy = self._single(version).mirror_annotations()
        if copy and copy.writes:
            self.action = Action.ANNOTATED
        if copy and copy.lacking:
            self.not_carried = [NAME]

    def _single(self, version):
        return SingleVersion(replace(self._source(), version_id=version), self.notes, self.writer)

    def _look(self, version):
        address = replace(self._source(), version_id=version.id)
        if version.size > TAKEN_ALONG:
            return look(self.writer.reading, address)
        return look_and_read(self.writer.reading, address, most=TAKEN_ALONG)

    def _source(self):
        return S3Object(self.event.object.bucket, self.event.object.key)

    def _mine(self, version):
        return replace(self.writer.address, version_id=version)


def _seen(side, listed, served):
    """Returns a sentence about the newest version of a side: as it is listed, and as it is served."""

    def version(id_, etag):
        return f"the {'version' if etag else 'delete marker'} {id_}" if id_ else "nothing"

    newest = version(listed.id, listed.etag) if listed else "nothing"
    found = served.found or {}
    return f"the {side} lists {newest} as the newest and serves {version(found.get('VersionId'), found.get('ETag'))}"


def _until_known(versions, known):
    """Returns the newest version or None, and all that are newer than the first known one, the oldest first."""
    newest, unknown = None, []
    for version in versions:
        newest = newest or version
        if version.id in known:
            break
        unknown.insert(0, version)
    return newest, unknown
