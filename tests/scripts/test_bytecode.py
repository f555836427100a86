import marshal

import pytest

from scripts.bytecode import RUNTIME_VERSION, compile_tree, runtime_python
from scripts.compile_tree import compile_tree as compile_here
from scripts.errors import ScriptError
from tests.scripts.conftest import ROOT, write

# PEP 552: the flags of a pyc are bytes 4 to 8. Bit 0 means a hash; without bit 1 it is never checked.
UNCHECKED_HASH = (1).to_bytes(4, "little")


@pytest.fixture(name="package")
def small_package(tmp_path):
    write(tmp_path / "package" / "library" / "module.py", "NAMES = {'a', 'b', 'c'}\n\n\ndef f():\n    return NAMES\n")
    write(tmp_path / "package" / "top.py", "from library.module import f\n")
    return tmp_path / "package"


@pytest.fixture(name="python")
def real_runtime():
    found = runtime_python()
    if not found:
        pytest.skip(f"no Python {RUNTIME_VERSION} on this machine")
    return found


def bytecode(package):
    return {file.relative_to(package).as_posix(): file.read_bytes() for file in package.rglob("*.pyc")}


def add_python(folder, script):
    folder.mkdir(exist_ok=True)
    python = folder / f"python{RUNTIME_VERSION}"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


@pytest.fixture(name="empty_path")
def path_without_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "first") + ":" + str(tmp_path / "second"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_runtime_version_is_the_default_of_terraform():
    variables = (ROOT / "terraform" / "variables.tf").read_text()
    assert f'"python{RUNTIME_VERSION}"' in variables.split('variable "runtime"')[1].split("\n}\n")[0]


@pytest.mark.usefixtures("empty_path")
def test_runtime_python_is_none_if_it_is_not_installed():
    assert runtime_python() is None


def test_runtime_python_that_does_not_run_is_skipped(empty_path):
    add_python(empty_path / "first", "echo 'not selected' >&2; exit 127")
    works = add_python(empty_path / "second", "echo cpython-313")
    assert runtime_python() == works


def test_runtime_python_of_another_implementation_is_skipped(empty_path):
    add_python(empty_path / "first", "echo pypy313")
    assert runtime_python() is None


def test_runtime_python_that_pyenv_has_not_selected_is_found(empty_path):
    versions = empty_path / "pyenv" / "versions" / f"{RUNTIME_VERSION}.0"
    versions.mkdir(parents=True)
    held = add_python(versions / "bin", "echo cpython-313")
    assert runtime_python() == held


def test_bytecode_is_beside_each_module_and_never_checked(package, python):
    compile_tree(python, package)
    compiled = bytecode(package)
    assert set(compiled) == {"__pycache__/top.cpython-313.pyc", "library/__pycache__/module.cpython-313.pyc"}
    assert {content[4:8] for content in compiled.values()} == {UNCHECKED_HASH}


def test_bytecode_is_written_only_to_the_given_folder(package, python):
    compile_tree(python, package, "library")
    assert set(bytecode(package)) == {"library/__pycache__/module.cpython-313.pyc"}


def test_bytecode_in_another_folder_is_identical_and_has_no_path_of_this_machine(package, python, tmp_path):
    compile_tree(python, package)
    first = bytecode(package)
    for file in package.rglob("*.pyc"):
        file.unlink()
    elsewhere = package.rename(tmp_path / "elsewhere")
    compile_tree(python, elsewhere)
    assert bytecode(elsewhere) == first
    assert all(str(tmp_path).encode() not in content for content in first.values())


def test_bytecode_of_a_module_with_an_error_is_refused(package, python):
    write(package / "broken.py", "def :\n")
    with pytest.raises(ScriptError, match="cannot compile the package") as refused:
        compile_tree(python, package)
    assert 'File "/var/task/broken.py", line 1' in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_compiled_module_has_its_path_in_lambda(package):
    """Compile with this Python, which can also read the result."""
    compile_here(package, ".")
    names = {marshal.loads(content[16:]).co_filename for content in bytecode(package).values()}
    assert names == {"/var/task/top.py", "/var/task/library/module.py"}
