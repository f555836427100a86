"""What the tasks share; it knows no task.

`errors` what can go wrong and whether to retry · `s3_object` an address · `retry`, `deadline`, `parts`, `transfers`,
`checksums` pure rules · `clients` AWS clients · `direct`, `connections` their commonest requests by a shorter way ·
`s3_requests` one S3 request · `copies`, `part_copies` an object copied inside S3 · `moves` and then deleted ·
`bodies`, `uploads` bytes written · `downloads` bytes read · `streams` bytes from one S3 to another · `clerk` all of
these as `ObjectClerk` · `clerk_settings`, `settings` the environment · `events` AWS envelopes in, plain events out ·
`batches` SQS messages in, partial answers out · `telemetry` logs and metrics · `journal` what failed, in both ·
`one_line` log messages of one line.
"""

import logging
from typing import TYPE_CHECKING

from tasks.utils.one_line import ONE_LINE

if TYPE_CHECKING:
    from tasks.utils.clerk import ObjectClerk

# The work modules' logger, which all of them ask for by this name.
logging.getLogger("bucket_brigade").addFilter(ONE_LINE)


def __getattr__(name):
    # Loaded when it is asked for: most Lambda functions never do, and their cold start should not pay for it.
    if name == "ObjectClerk":
        from tasks.utils import clerk  # pylint: disable=import-outside-toplevel

        return clerk.ObjectClerk
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
