"""Versions in S3."""

from types import SimpleNamespace
from typing import Any

from moto.s3.models import S3Backend

from local.mends.mending import mend


@mend(S3Backend, "_set_delete_marker")
def mark_absent_keys_as_deleted(original: Any, backend: Any, bucket_name: str, key_name: str) -> Any:
    """A delete of a key that never was gets a delete marker in a versioned bucket; moto makes none."""
    keys = backend.get_bucket(bucket_name).keys
    if key_name in keys:
        return original(backend, bucket_name, key_name)
    # Moto's marker refers to what was there before, and asks it for its name alone.
    keys[key_name] = SimpleNamespace(name=key_name)
    marker = original(backend, bucket_name, key_name)
    keys.setlist(key_name, [marker])
    return marker
