import os
from zipfile import ZipFile

import pytest

from scripts.archive import content_hash, write_zip
from tests.scripts.conftest import write


@pytest.fixture(name="folder")
def small_folder(tmp_path):
    folder = tmp_path / "package"
    write(folder / "b.py", "b = 1\n")
    write(folder / "a" / "z.py", "z = 1\n")
    write(folder / "a.py", "a = 1\n")
    return folder


def hash_of(folder, runtime_version="3.13"):
    return content_hash(folder, runtime_version=runtime_version)


def test_content_hash_does_not_depend_on_the_folder(folder, tmp_path):
    before = hash_of(folder)
    assert hash_of(folder.rename(tmp_path / "elsewhere")) == before


def test_content_hash_changes_with_one_byte(folder):
    before = hash_of(folder)
    write(folder / "a" / "z.py", "z = 2\n")
    assert hash_of(folder) != before


def test_content_hash_differs_when_a_file_is_renamed(folder):
    before = hash_of(folder)
    (folder / "b.py").rename(folder / "c.py")
    assert hash_of(folder) != before


def test_content_hash_differs_when_a_file_is_added(folder):
    before = hash_of(folder)
    write(folder / "empty.py", "")
    assert hash_of(folder) != before


def test_content_hash_differs_for_another_python(folder):
    assert hash_of(folder, "3.13") != hash_of(folder, "3.14")


def test_content_hash_is_the_same_with_and_without_bytecode(folder):
    before = hash_of(folder)
    write(folder / "__pycache__" / "b.cpython-313.pyc", "compiled")
    assert hash_of(folder) == before


def test_zip_holds_the_files_sorted_with_fixed_dates_and_modes(folder, tmp_path):
    write_zip(folder, tmp_path / "package.zip")
    with ZipFile(tmp_path / "package.zip") as archive:
        entries = archive.infolist()
        assert archive.read("a/z.py") == b"z = 1\n"
    assert [entry.filename for entry in entries] == ["a.py", "a/z.py", "b.py"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {oct(entry.external_attr >> 16) for entry in entries} == {"0o100644"}


def test_zip_of_files_with_other_dates_and_modes_is_byte_identical(folder, tmp_path):
    write_zip(folder, tmp_path / "one.zip")
    for file in folder.rglob("*.py"):
        os.utime(file, (0, 0))
        file.chmod(0o755)
    write_zip(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_zip_replaces_an_older_one(folder, tmp_path):
    dist = tmp_path / "dist"
    write(dist / "package.zip", "an older build")
    write_zip(folder, dist / "package.zip")
    assert [file.name for file in dist.iterdir()] == ["package.zip"]
    with ZipFile(dist / "package.zip") as archive:
        assert archive.testzip() is None
