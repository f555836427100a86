"""The key row while one step is performed, which may write it several times."""

from __future__ import annotations

from typing import Any

from tasks.partition_replicate.errors import RowChanged
from tasks.partition_replicate.table import Table
from tasks.utils.events import ObjectEvent
from tasks.utils.key_state import KeyState, VersionRow, latest_sequencer


class KeyRow:
    """The row of one key, of which the state is known.

    Args:
        table: the table.
        event: the event that is worked on, whose sequencer is recorded by each write.
        state: the state as it was last read or written.

    Attributes:
        state: the state as it was last read or written.
    """

    def __init__(self, table: Table, event: ObjectEvent, state: KeyState) -> None:
        self.state = state
        self._table = table
        self._event = event

    def write(self, state: KeyState, *, required: bool) -> None:
        """Write a new state, unless it is the known one.

        Raises:
            RowChanged: another worker wrote the row, and the write is required. If it is not, the other worker's row
                says as much, and the next required write fails.
        """
        if state == self.state:
            return
        new = state._replace(sequencer=latest_sequencer(self._event, self.state))
        try:
            self.state = self._table.write_state(self._event.object.key, self.state, new)
        except RowChanged:
            if required:
                raise
            self.state = state

    def write_open(self, *, required: bool = True, **changes: Any) -> None:
        """Write changes of the work that is begun and not ended."""
        self.write(self.state.with_open(**changes), required=required)

    def write_annotated(self) -> None:
        """Record that the destination gets annotations, so that the next worker compares them if this one is killed."""
        self.write(self.state._replace(annotated=True), required=True)

    def write_version(self, state: KeyState, row: VersionRow) -> None:
        """Write a new state and a version row in one transaction.

        Raises:
            RowChanged: another worker wrote the key row.
        """
        new = state._replace(sequencer=latest_sequencer(self._event, self.state))
        self.state = self._table.write_version(self._event.object.key, self.state, new, row)
