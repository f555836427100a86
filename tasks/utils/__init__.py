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
- `telemetry`: log lines and metrics
- `outcome_log`: failures in the log and in the metrics
- `one_line`: log messages of one line
"""

import logging

from tasks.utils.one_line import escape_message

# The work modules' logger, which all of them ask for by this name.
logging.getLogger("bucket_brigade").addFilter(escape_message)
