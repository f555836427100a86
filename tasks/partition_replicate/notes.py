"""What one event's work knows of its key: the row as it was last read or written."""

from tasks.partition_replicate.errors import RowChanged
from tasks.partition_replicate.table import Made, Row
from tasks.utils.events import Kind


class Notes:
    """The row of one key.

    Args:
        table: a `Table`.
        event: the `ObjectEvent` that is worked on.

    Attributes:
        key: the key.
        row: the `Row`; `read` has to come before it is believed.
        gone: the ETags of versions that were removed for good, as `read_all` found them.
    """

    def __init__(self, table, event):
        self.key = event.object.key
        self.row = Row()
        self.gone = set()
        self._table = table
        self._event = event

    def read(self):
        """Reads the row."""
        self.row = self._table.get(self.key)

    def read_all(self):
        """Reads the row, and returns what was made from each version: version -> `Made`, None where it was skipped."""
        self.row, made, self.gone = self._table.get_all(self.key)
        if self.row.source_version and not self.row.skipped:
            # What was mirrored while only the newest version counted has no row of its own.
            made.setdefault(self.row.source_version, Made(self.row.dest_version, self.row.dest_etag))
        return made

    def remember(self, *, must=False, **changes):
        """Writes what is new into the row.

        Whoever wrote it meanwhile knows as much, unless this one `must` be kept.

        Raises:
            RowChanged: it must be kept, and somebody else wrote the row.
        """
        if all(getattr(self.row, name) == value for name, value in changes.items()):
            return
        try:
            self.row = self._table.put(self.key, self.row, sequencer=self._latest_sequencer(), **changes)
        except RowChanged:
            if must:
                raise

    def record(self, version, made, *, tags, **changes):
        """Writes down what was made from a version of the source, together with what is new in the row.

        Raises:
            RowChanged: somebody else wrote the row.
        """
        changes = {"skipped": made is None, "sequencer": self._latest_sequencer(), "removed": False, **changes}
        self.row = self._table.put_made(self.key, self.row, version, made, tags, source_version=version, **changes)

    def made_from(self, version):
        """Returns the `Made` of a version, or None."""
        return self._table.get_made(self.key, version)

    def record_tags(self, version, made, tags):
        """Writes down the tags that a mirrored version has now."""
        self._table.put_tags(self.key, version, made, tags)

    def record_gone(self, version, etag):
        """Writes down that a version was removed for good, and the ETag of a copy that may still arrive."""
        self._table.put_gone(self.key, version, etag)

    def forget(self, *version):
        """Removes the row, or that of one version."""
        self._table.forget(self.key, *version)

    def is_told_to_be_removed(self):
        """Returns whether this event or one before it told that the source was removed, and not by its life cycle."""
        if self.row.removed:
            return True
        # An event older than what was handled tells of another removal than the one that emptied the key.
        late = self._event.sequencer and _order(self._event.sequencer) < _order(self.row.sequencer)
        return self._event.kind is Kind.REMOVED and not late

    def _latest_sequencer(self):
        return max(self.row.sequencer, self._event.sequencer or "", key=_order)


def _order(sequencer):
    """Returns a sequencer as something that compares: hexadecimal, filled up with zeros on the right."""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    return (sequencer or "").upper().ljust(64, "0")
