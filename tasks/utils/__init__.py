"""The code that tasks share, apart from S3. It knows no task and no S3 request.

- `errors`: the tree of errors, and whether to retry
- `s3_object`: the address of an object
- `retry`, `deadline`: pure rules about time
- `settings`: the environment
- `secret_values`: secrets, and how to replace them in a text
- `events`: from the envelopes of AWS to plain events
- `batches`: from SQS messages to a partial batch response
- `batch_operations`: the answer to S3 Batch Operations
- `work_queue`: the queue of the messages
- `key_messages`: the messages of a mirror's FIFO queue
- `key_state`, `mirror_items`: what a mirror's table remembers, as values and as DynamoDB items
- `mirror_settings`, `mirror_credentials`: where a mirror's destination is, and the client for it
- `telemetry`: log lines and metrics
- `outcome_log`: failures in the log and in the metrics
- `one_line`: log messages of one line

The names of `tasks.object_clerk` can be imported from here too, as in earlier versions.
"""

import logging
from typing import Any

from tasks.utils.one_line import escape_message

# The work modules' logger, which all of them ask for by this name.
logging.getLogger("bucket_brigade").addFilter(escape_message)


def __getattr__(name: str) -> Any:
    # On first use: `utils` itself knows no S3, and a cold start does not pay for it.
    import tasks.object_clerk  # pylint: disable=import-outside-toplevel  # see above

    if name in tasks.object_clerk.__all__:
        return getattr(tasks.object_clerk, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
