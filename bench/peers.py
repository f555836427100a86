"""The peers that are packages: installed on first use, and again when their pins change."""

import shutil
import subprocess
import sys
from pathlib import Path

PINS = Path("requirements-bench.txt")


def installed(folder: Path) -> Path:
    """Give the folder with the peers' packages, whose programs are in its `bin`.

    Args:
        folder: where it is kept from one run to the next.
    """
    target, pins = folder.resolve() / "peers", PINS.read_text(encoding="utf-8")
    made_from = target / "pins.txt"
    if not made_from.exists() or made_from.read_text(encoding="utf-8") != pins:
        shutil.rmtree(target, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Without what they depend on: boto3 and tenacity are there, and both sides should run on the same ones.
        what = ["--no-deps", "--require-hashes", "--requirement", str(PINS)]
        subprocess.run([*command, *what, "--target", str(target)], check=True)
        made_from.write_text(pins, encoding="utf-8")
    return target
