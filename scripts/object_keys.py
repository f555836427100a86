"""The names that packages have in S3."""

from collections.abc import Mapping

from scripts.dist_index import Index
from scripts.errors import ScriptError


def package_prefix(environ: Mapping[str, str]) -> str:
    """Read `PACKAGE_PREFIX`, "" where it is not set.

    Raises:
        ScriptError: it begins with "/" or does not end with "/".
    """
    prefix = environ.get("PACKAGE_PREFIX", "")
    if prefix and (prefix.startswith("/") or not prefix.endswith("/")):
        raise ScriptError(f'PACKAGE_PREFIX "{prefix}" must not begin with "/" and must end with "/", as in "builds/"')
    return prefix


def zip_key(prefix: str, task: str, label: str) -> str:
    """Name a task's zip by its hash or by an environment."""
    return f"{prefix}{task}/{label}.zip"


def manifest_key(prefix: str, label: str) -> str:
    """Name the list of all zips of one build by its hash or by an environment."""
    return f"{prefix}manifest/{label}.json"


def build_key(prefix: str, index: Index) -> str:
    """Name a build by its hash: the zip where there is one, else the manifest of them all."""
    if len(index.packages) == 1:
        return zip_key(prefix, index.packages[0].task, index.hash)
    return manifest_key(prefix, index.hash)
