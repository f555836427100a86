"""The S3 keys of packages."""

from collections.abc import Mapping

from scripts.dist_index import Index
from scripts.errors import ScriptError


def package_prefix(environ: Mapping[str, str]) -> str:
    """Read `PACKAGE_PREFIX`, "" by default.

    Raises:
        ScriptError: It begins with "/" or does not end with "/".
    """
    prefix = environ.get("PACKAGE_PREFIX", "")
    if prefix and (prefix.startswith("/") or not prefix.endswith("/")):
        raise ScriptError(f'PACKAGE_PREFIX "{prefix}" must not begin with "/" and must end with "/", such as "builds/"')
    return prefix


def zip_key(prefix: str, task: str, label: str) -> str:
    """Return the key of a task's zip, with its hash or an environment as label."""
    return f"{prefix}{task}/{label}.zip"


def manifest_key(prefix: str, label: str) -> str:
    """Return the key of a build's manifest, with its hash or an environment as label."""
    return f"{prefix}manifest/{label}.json"


def build_key(prefix: str, index: Index) -> str:
    """Return the key of a build by its hash: the key of a single zip, or else of the manifest."""
    if len(index.packages) == 1:
        return zip_key(prefix, index.packages[0].task, index.hash)
    return manifest_key(prefix, index.hash)
