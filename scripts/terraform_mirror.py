"""Where Terraform finds its AWS provider without the network: `python -m scripts.terraform_mirror` prints init's flag.

Terraform searches its standard mirror locations by itself, but only offline machines fill them, and those often keep
the mirror in a folder of `/opt`; naming the folder keeps `terraform init` from asking the registry at all.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.errors import ScriptError, exit_status

# How a mirror lays its providers out, see Terraform's "Provider Installation".
_AWS_PROVIDER = Path("registry.terraform.io", "hashicorp", "aws")


def plugin_dir(environ: Mapping[str, str], *, home: Path, root: Path = Path("/")) -> Path | None:
    """Find the mirror to use.

    Args:
        environ: the environment; `TF_PLUGIN_DIR` in it comes before any search.
        home: the user's home folder.
        root: the file system's root.

    Returns:
        The mirror's folder; None where there is none and the registry has to be asked.

    Raises:
        ScriptError: `TF_PLUGIN_DIR` is set and is no mirror of the AWS provider.
    """
    named = environ.get("TF_PLUGIN_DIR")
    if named:
        if not (Path(named) / _AWS_PROVIDER).is_dir():
            raise ScriptError(f"TF_PLUGIN_DIR={named} holds no {_AWS_PROVIDER}")
        return Path(named)
    return next((folder for folder in _locations(environ, home, root) if (folder / _AWS_PROVIDER).is_dir()), None)


def plugin_flags(environ: Mapping[str, str]) -> list[str]:
    """Give `terraform init` its flag for this machine: `-plugin-dir=...`, or none where the registry has to be asked.

    Raises:
        ScriptError: as `plugin_dir`.
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
    """Print the flag, or nothing."""
    print(*plugin_flags(os.environ))


if __name__ == "__main__":
    sys.exit(exit_status(main))
