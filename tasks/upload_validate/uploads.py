"""From the events of uploaded objects to the sets that have to be looked at, each once an invocation."""

from tasks.utils.errors import EventError
from tasks.utils.events import Kind, Unreadable

# An event without a name, and a task of S3 Batch Operations, mean the object they name as it is.
ASKED_FOR = (Kind.CREATED, Kind.UNNAMED, Kind.REQUESTED)


class Uploads:  # pylint: disable=too-few-public-methods
    """Handles the events of one invocation.

    Args:
        bucket: the upload bucket.
        layout: the `Layout` of its keys.
        validator: a `Validator`.
        outcome_log: a `OutcomeLog`.
    """

    def __init__(self, bucket, layout, validator, outcome_log):
        self.outcome_log = outcome_log
        self._bucket = bucket
        self._layout = layout
        self._validator = validator
        self._seen = {}

    def handle_all(self, events):
        """Has the set of each event's object judged; a failure does not keep the next one from being judged.

        Args:
            events: a list of `ObjectEvent` and `Unreadable`.

        Returns:
            What came of each set, as dicts that fit into JSON.

        Raises:
            Exception: the first failure; one that may pass comes before one that cannot.
        """
        results, errors = {}, []
        for event in events:
            try:
                result = self._handle(event)
                if result:
                    results[result.prefix] = result
            except Exception as error:  # pylint: disable=broad-exception-caught  # it is raised when all were handled
                errors.append(error)
        if errors:
            raise min(errors, key=lambda error: not getattr(error, "transient", True))
        return [
            {
                "set": each.prefix,
                "outcome": each.outcome,
                "files": each.files,
                "errors": each.errors,
                "digest": each.digest,
            }
            for each in results.values()
        ]

    def _handle(self, event):
        if isinstance(event, Unreadable):
            raise EventError(event.reason)
        if event.kind not in ASKED_FOR:
            self.outcome_log.ignored(event, "this event tells of no upload")
            return None
        if event.object.bucket != self._bucket:
            raise EventError(f"the event is of the bucket {event.object.bucket}, uploads are in {self._bucket}")
        place = self._layout.place_of(event.object.key)
        if place is None:
            self.outcome_log.ignored(event, f"its key is not of the form {self._layout.form}")
            return None
        prefix, names = place
        if prefix not in self._seen:
            # Whatever else this invocation was told of the set had been uploaded before it was looked at.
            self._seen[prefix] = self._validator.validate(prefix, names)
            self.outcome_log.result(self._seen[prefix])
        return self._seen[prefix]
