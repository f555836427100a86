"""The packages of peers, installed on first use and after each change of their pins."""

import shutil
import subprocess
import sys
from pathlib import Path

PINS = Path("requirements-bench.txt")


def installed(folder: Path) -> Path:
    """Install the peers' packages if need be, and return their folder; programs are in its `bin`.

    Args:
        folder: The parent folder, kept between runs.
    """
    target, pins = folder.resolve() / "peers", PINS.read_text(encoding="utf-8")
    installed_pins = target / "pins.txt"
    if not installed_pins.exists() or installed_pins.read_text(encoding="utf-8") != pins:
        shutil.rmtree(target, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Without dependencies, so that both sides use the same boto3 and tenacity.
        packages = ["--no-deps", "--require-hashes", "--requirement", str(PINS)]
        subprocess.run([*command, *packages, "--target", str(target)], check=True)
        installed_pins.write_text(pins, encoding="utf-8")
    return target
