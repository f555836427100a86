"""S3 with retries and verification: every byte that a task moves goes through here. It knows no task.

| module | holds |
|---|---|
| `clerk`, `clerk_settings` | `ObjectClerk`, the public class, and the settings of its environment |
| `errors` | the tree of errors |
| `s3_requests`, `failures`, `pacer` | one request: its retries and deadline; its error; the pace of requests |
| `copies`, `part_copies`, `moves` | copies inside S3, in one request or in parts; copies whose source is then deleted |
| `bodies`, `uploads`, `sent_parts` | bytes written |
| `downloads`, `reading`, `download_targets` | bytes read |
| `streams`, `buffer_pool`, `flow` | bytes from one S3 to another, through bounded memory |
| `open_uploads` | multipart uploads that a killed process left |
| `annotations`, `annotation_lists` | annotations carried from one object version to another |
| `races`, `pinned` | conditional writes and lost races; one state of an object |
| `versions`, `bucket_owners` | listings of versions; the account that each bucket must belong to |
| `checksums`, `parts`, `transfers` | pure rules |
| `transport` | the AWS clients, and direct requests |
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.object_clerk.clerk import ObjectClerk

__all__ = ["ObjectClerk"]


def __getattr__(name: str) -> object:
    # Loaded on first use: most Lambda functions never use it, so their cold start does not pay for it.
    if name == "ObjectClerk":
        from tasks.object_clerk import clerk  # pylint: disable=import-outside-toplevel  # see above

        return clerk.ObjectClerk
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
