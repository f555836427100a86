import re

import pytest

from scripts.errors import ScriptError
from scripts.pins import normalized, pinned, pins
from tests.scripts.conftest import ROOT, write

LOCKS = sorted(ROOT.glob("requirements*.txt"))


def test_lock_files_of_the_project_are_all_known():
    assert {lock.stem for lock in LOCKS} == {f"requirements{kind}" for kind in ("", "-bench", "-checkov", "-dev")}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_file_pins_each_package_of_its_source(lock):
    named = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)$", lock.with_suffix(".in").read_text(), re.MULTILINE)
    assert named
    for package, version in named:
        assert re.match(rf"[\w.-]+(\[.*\])?=={re.escape(version)}[ ;]", pins(lock)[normalized(package)]), package


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_file_has_only_packages_with_hashes(lock):
    found = pins(lock)
    assert all(re.search("--hash=sha256:[0-9a-f]{64}", lines) for lines in found.values())
    other = [line for line in lock.read_text().splitlines() if not line.startswith((" ", "#"))]
    assert len(other) >= len(found)
    assert all(normalized(re.match(r"[\w.-]+", line)[0]) in found for line in other)


def test_tests_run_with_the_versions_of_the_zips():
    run_time, dev = (versions(ROOT / f"requirements{kind}.txt") for kind in ("", "-dev"))
    assert run_time.items() <= dev.items()


def versions(lock):
    return {package: re.search(r"==([^ ;]+)", lines)[1] for package, lines in pins(lock).items()}


def test_pins_of_a_package_are_its_line_and_its_hashes(tmp_path):
    lock = tmp_path / "requirements.txt"
    six = "six==1.17.0 ; python_version > '3' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via dateutil\n"
    write(lock, f"# made\nidna==3.20 \\\n    --hash=sha256:cc\n{six}zope.interface==8 \\\n    --hash=sha256:dd\n")
    assert pinned(lock, ["six"]) == six
    assert pinned(lock, ["Zope_Interface"]).startswith("zope.interface==8")
    with pytest.raises(ScriptError, match="requirements.txt does not pin seven: add it to requirements.in and run"):
        pinned(lock, ["six", "seven"])
