"""What the tasks share besides S3; it knows no task and no S3 request.

`errors` what can go wrong and whether to retry · `s3_object` an address · `retry`, `deadline` pure rules · `settings`
the environment · `secret_values` what no text may quote · `events` AWS envelopes in, plain events out · `batches` SQS
messages in, partial answers out · `work_queue` the queue they came from · `telemetry` logs and metrics · `outcome_log`
what failed, in both · `one_line` log messages of one line.
"""

import logging

from tasks.utils.one_line import ONE_LINE

# The work modules' logger, which all of them ask for by this name.
logging.getLogger("bucket_brigade").addFilter(ONE_LINE)
