import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from scripts.errors import ScriptError
from scripts.pins import normalized, pinned, pins
from tests.scripts.conftest import ROOT, write

LOCKS = sorted(ROOT.glob("requirements*.txt"))


def test_lock_files_of_the_project_are_all_known():
    assert {lock.stem for lock in LOCKS} == {
        f"requirements{kind}" for kind in ("", "-bench", "-checkov", "-demo", "-dev", "-ops")
    }


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


@pytest.mark.parametrize("kind", ["", "-demo", "-ops"])
def test_tests_run_with_the_versions_of_the_zips_of_the_demo_and_of_brigade(kind):
    assert versions(ROOT / f"requirements{kind}.txt").items() <= versions(ROOT / "requirements-dev.txt").items()


def test_demo_imports_only_packages_that_are_installed_for_it():
    """A fresh clone that runs `make demo` has no others."""
    script = "import sys, local.demo.__main__; print(*(getattr(m, '__file__', '') for m in sys.modules.values()))"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    modules = [Path(file) for file in loaded.split() if Path(file).is_relative_to(ROOT) and ".venv" not in file]
    assert ROOT / "local" / "stack.py" in modules
    installed = packages_distributions()
    used = {normalized(name) for file in modules for top in imported(file) for name in installed.get(top, [])}
    assert "moto" in used
    # `make brigade` installs the project itself.
    used.discard("bucket-brigade")
    assert used <= pins(ROOT / "requirements-demo.txt").keys()


def imported(file):
    """The top-level names that a module imports when it runs."""
    for node in ast.walk(NotForTypes().visit(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


class NotForTypes(ast.NodeTransformer):
    def visit_If(self, node):  # pylint: disable=invalid-name  # the name that `ast` calls
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


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
