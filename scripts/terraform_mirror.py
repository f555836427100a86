"""A local mirror of the AWS provider: `python -m scripts.terraform_mirror` prints the flag for `terraform init`.

Terraform searches its standard mirror locations by itself. Machines without network often keep a mirror in a folder of
`/opt` instead. With the flag, `terraform init` does not contact the registry.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.errors import ScriptError, exit_status

# The provider's folder in a mirror, see Terraform's "Provider Installation".
_AWS_PROVIDER = Path("registry.terraform.io", "hashicorp", "aws")


def plugin_dir(environ: Mapping[str, str], *, home: Path, root: Path = Path("/")) -> Path | None:
    """Find the mirror to use.

    Args:
        environ: The environment. `TF_PLUGIN_DIR` in it takes precedence over the search.
        home: The user's home folder.
        root: The root of the file system.

    Returns:
        The mirror's folder; None if there is none and Terraform has to contact the registry.

    Raises:
        ScriptError: `TF_PLUGIN_DIR` is set, but is not a mirror of the AWS provider.
    """
    named = environ.get("TF_PLUGIN_DIR")
    if named:
        if not (Path(named) / _AWS_PROVIDER).is_dir():
            raise ScriptError(f"TF_PLUGIN_DIR={named} holds no {_AWS_PROVIDER}")
        return Path(named)
    return next((folder for folder in _locations(environ, home, root) if (folder / _AWS_PROVIDER).is_dir()), None)


def plugin_flags(environ: Mapping[str, str]) -> list[str]:
    """Return the flag of `terraform init` for this machine: `-plugin-dir=...`, or none without a mirror.

    Raises:
        ScriptError: `TF_PLUGIN_DIR` is set, but is not a mirror of the AWS provider.
    """
    folder = plugin_dir(environ, home=Path.home())
    return [f"-plugin-dir={folder}"] if folder else []


def _locations(environ: Mapping[str, str], home: Path, root: Path) -> Iterator[Path]:
    yield home / ".terraform.d" / "plugins"
    yield Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share", "terraform", "plugins")
    yield root / "usr" / "local" / "share" / "terraform" / "plugins"
    yield root / "usr" / "share" / "terraform" / "plugins"
    yield from sorted(folder for folder in (root / "opt").glob("*") if folder.is_dir())


def main() -> None:
    """Print the flag, if any."""
    print(*plugin_flags(os.environ))


if __name__ == "__main__":
    sys.exit(exit_status(main))
