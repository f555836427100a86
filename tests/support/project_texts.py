"""The files that people write: code, documentation and Terraform, without the files of tools beside them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "docs", "local", "scripts", "tasks", "terraform", "tests")


def texts(*endings):
    """Return the paths of all files with these endings, in order."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    found += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix in endings and not _is_hidden(path.relative_to(ROOT)))


def _is_hidden(path):
    return any(part.startswith(".") for part in path.parts)
