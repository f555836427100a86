"""S3 with retries and verification: every byte that a task moves goes through here. It knows no task.

`clerk` all of it as `ObjectClerk` · `clerk_settings` its environment · `errors` what can go wrong · `s3_requests` one
S3 request · `pacer` how fast they follow each other · `copies`, `part_copies` an object copied inside S3 · `moves` and
then deleted · `bodies`, `uploads` bytes written · `downloads` bytes read · `streams` bytes from one S3 to another ·
`open_uploads` uploads that a dead process left · `annotations` what goes along · `versions` listings of versions ·
`bucket_owners` whose bucket it must be · `races` conditional writes and lost races · `pinned`
one state of an object · `buffer_pool` the memory of streams · `checksums`, `parts`, `transfers` pure rules · `transport` the AWS clients and
their most common requests by a shorter way.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.object_clerk.clerk import ObjectClerk

__all__ = ["ObjectClerk"]


def __getattr__(name):
    # Loaded on first use: most Lambda functions never use it, and their cold start should not pay for it.
    if name == "ObjectClerk":
        from tasks.object_clerk import clerk  # pylint: disable=import-outside-toplevel  # see above

        return clerk.ObjectClerk
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
