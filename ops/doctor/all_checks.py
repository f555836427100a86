"""All checks, in the order in which they run."""

from ops.doctor.checks import account, buckets, destination, events, functions, keys, permissions, queues, uploads
from ops.doctor.checkup import Check

CHECKS: tuple[Check, ...] = (
    *account.CHECKS,
    *functions.CHECKS,
    *permissions.CHECKS,
    *queues.CHECKS,
    *buckets.CHECKS,
    *events.CHECKS,
    *destination.CHECKS,
    *uploads.CHECKS,
    *keys.CHECKS,
)
