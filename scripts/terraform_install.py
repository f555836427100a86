"""Install the pinned Terraform in a folder: `python -m scripts.terraform_install FOLDER`, in the checkout's folder.

Nothing is installed if the Terraform on the PATH has the pinned version.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from zipfile import ZipFile

from scripts.errors import ScriptError, exit_status

VERSION = "1.11.4"

# SHA-256 of the release's zip for each platform, from its file terraform_1.11.4_SHA256SUMS.
SHA256 = {
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}

# The names of processors in Python's terms -> in those of the releases.
_PROCESSORS = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}

RELEASES = "https://releases.hashicorp.com/terraform"

# Seconds without a byte from the server.
_TIMEOUT = 60


def release_zip(environ: Mapping[str, str], *, cache: Path, system: str, machine: str) -> Path:
    """Return the checked zip of the release for a platform, downloaded unless it is in the cache.

    Args:
        environ: The environment. `TERRAFORM_RELEASES_URL` in it names a mirror of HashiCorp's releases.
        cache: The folder that keeps the zip.
        system: The operating system, as `platform.system` names it.
        machine: The processor, as `platform.machine` names it.

    Raises:
        ScriptError: The platform has no pinned release, the download fails, or its SHA-256 is wrong.
    """
    target = f"{system.lower()}_{_PROCESSORS.get(machine.lower(), machine)}"
    if target not in SHA256:
        pinned = ", ".join(SHA256)
        raise ScriptError(f"Terraform {VERSION} is not pinned for {target}, only for {pinned}: install it by hand")
    file = cache / f"terraform_{VERSION}_{target}.zip"
    if not file.is_file() or _sha256(file) != SHA256[target]:
        releases = environ.get("TERRAFORM_RELEASES_URL") or RELEASES
        _download(f"{releases.rstrip('/')}/{VERSION}/{file.name}", file, sha256=SHA256[target])
    return file


def install(archive: Path, folder: Path) -> Path:
    """Unpack the program of a release into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / ".terraform.unfinished"
    with ZipFile(archive) as release, release.open("terraform") as packed, unfinished.open("wb") as program:
        shutil.copyfileobj(packed, program)
    unfinished.chmod(0o755)
    return unfinished.replace(folder / "terraform")


def _download(url: str, file: Path, *, sha256: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        _fetch(url, unfinished)
        found = _sha256(unfinished)
        if found != sha256:
            raise ScriptError(f"{url} has the SHA-256 {found} instead of the pinned {sha256}: nothing is installed")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _fetch(url: str, file: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, file.open("wb") as output:
            shutil.copyfileobj(answer, output)
    except (OSError, HTTPException, ValueError) as error:
        advice = "install it by hand, or name a mirror of the releases in TERRAFORM_RELEASES_URL"
        raise ScriptError(f"Terraform {VERSION} cannot be downloaded from {url} ({error}): {advice}") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _version_on_path() -> str:
    terraform = shutil.which("terraform")
    if not terraform:
        return ""
    # Otherwise Terraform asks HashiCorp for its newest version.
    environ = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    finished = subprocess.run([terraform, "version", "-json"], env=environ, capture_output=True, text=True, check=False)
    try:
        return str(json.loads(finished.stdout)["terraform_version"])
    except (ValueError, KeyError, TypeError):
        return ""


def main() -> None:
    """Install Terraform, unless it is installed, and print one line.

    Raises:
        ScriptError: It cannot be installed.
    """
    folder = Path(sys.argv[1])
    if _version_on_path() == VERSION:
        print(f"Terraform {VERSION} is installed: {shutil.which('terraform')}")
        return
    cache = Path("build", ".cache")
    archive = release_zip(os.environ, cache=cache, system=platform.system(), machine=platform.machine())
    print(f"Terraform {VERSION} is installed: {install(archive, folder)}")


if __name__ == "__main__":
    sys.exit(exit_status(main))
