"""Pictures of `report.html` for the docs, made with headless Chromium: `python -m local.screenshots`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local.demo.external_services import COUNCILS
from local.demo.upload_validate import STEPS, Step
from tasks.upload_validate.file_check import check_file
from tasks.upload_validate.file_sets import FileSet, UploadedFile
from tasks.upload_validate.page import page_of
from tasks.upload_validate.profile_reader import load_profile
from tasks.upload_validate.verdict import Verdict

IMAGES = Path(__file__).parent.parent / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Name of the picture -> width and height of the window; the height is that of the page at this width.
WINDOWS = {"report-desktop": (1000, 980), "report-phone": (390, 1200)}
TIMEOUT_SECONDS = 60


def main() -> int:
    """Make the pictures.

    Returns:
        The exit status: 1 without a browser.
    """
    browser = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *BROWSERS))), None)
    if browser is None:
        print("error: Chromium is not on the PATH; set CHROMIUM to its path", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        page.write_text(page_of(_verdict(STEPS[1])), encoding="utf-8")
        for name, size in WINDOWS.items():
            _take(browser, page, IMAGES / f"{name}.png", size)
            print(f"docs/images/{name}.png")
    return 0


def _verdict(step: Step) -> Verdict:
    """Check the files of a step of the demo as the task does."""
    profile = load_profile("polling-stations", "", None)
    files = {f"{step.prefix}{name}": content for name, content in sorted(step.files.items())}
    findings = [check_file(key, len(body), [body], profile=profile, limit=50) for key, body in files.items()]
    place = profile.layout.place_of(next(iter(files)))
    assert place, "the keys of the demo have the layout of the profile"
    _, names = place
    file_set = FileSet("uploads", step.prefix, names, tuple(UploadedFile(key, "", len(files[key])) for key in files))
    return Verdict(profile, file_set, tuple(profile.check_set(findings)), COUNCILS[names["gss"]])


def _take(browser: str, page: Path, picture: Path, size: tuple[int, int]) -> None:
    # Chromium refuses to run its sandbox as root, the user in most containers.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={page.parent / 'profile'}"]
    window = f"--window-size={size[0]},{size[1]}"
    subprocess.run(
        [browser, *options, *sandbox, window, f"--screenshot={picture}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
