"""S3 with retries and verification: every byte that a task moves goes through here. It knows no task.

| module | holds |
|---|---|
| `clerk`, `clerk_arguments`, `clerk_settings` | `ObjectClerk`, the public class, its arguments and environment |
| `errors` | the tree of errors |
| `s3_requests`, `failures`, `pacer` | one request: its retries and deadline; its error; the pace of requests |
| `copies`, `part_copies`, `moves` | copies inside S3, in one request or in parts; copies whose source is then deleted |
| `bodies`, `headers`, `uploads`, `sent_parts` | bytes written |
| `downloads`, `reading`, `download_targets` | bytes read |
| `streams`, `buffer_pool`, `flow` | bytes from one S3 to another, through bounded memory |
| `open_uploads` | multipart uploads that a killed process left |
| `annotations`, `annotation_lists` | annotations carried from one object version to another |
| `races`, `pinned` | conditional writes and lost races; one state of an object |
| `listings`, `versions` | listings of objects and of versions |
| `bucket_owners` | the account that each bucket must belong to |
| `checksums`, `parts`, `transfers` | pure rules |
| `transport` | the AWS clients, and direct requests |
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.object_clerk.clerk import ObjectClerk
    from tasks.object_clerk.errors import (
        BucketNotFoundException,
        ConditionNotSupportedException,
        CredentialsExpiredException,
        DeadlineException,
        KeyNotFoundException,
        NotBegunException,
        ObjectArchivedException,
        ObjectChangedException,
        ObjectClerkException,
        ObjectClerkServerAuthException,
        ObjectClerkServerInternalException,
        ObjectNotFoundException,
        ObjectSaveException,
        ObjectVerificationException,
        SourceReplacedException,
    )
    from tasks.utils.errors import SettingsError

__all__ = [
    "BucketNotFoundException",
    "ConditionNotSupportedException",
    "CredentialsExpiredException",
    "DeadlineException",
    "KeyNotFoundException",
    "NotBegunException",
    "ObjectArchivedException",
    "ObjectChangedException",
    "ObjectClerk",
    "ObjectClerkException",
    "ObjectClerkServerAuthException",
    "ObjectClerkServerInternalException",
    "ObjectNotFoundException",
    "ObjectSaveException",
    "ObjectVerificationException",
    "SettingsError",
    "SourceReplacedException",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: most Lambda functions never use it, so their cold start does not pay for it.
    # pylint: disable=import-outside-toplevel  # see above
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tasks.object_clerk import clerk, errors
    from tasks.utils.errors import SettingsError

    public = {"ObjectClerk": clerk.ObjectClerk, "SettingsError": SettingsError}
    return public.get(name) or getattr(errors, name)
