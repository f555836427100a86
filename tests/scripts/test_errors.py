import errno
import os
import sys

import pytest

from scripts import otf_wheel, package, upload
from scripts.errors import exit_status
from tests.scripts.conftest import write


@pytest.fixture(name="said")
def command_in_the_checkout(checkout, monkeypatch, capsys):
    """Return what a failing command says."""
    monkeypatch.chdir(checkout)
    for name in ("ENVIRONMENT", "PACKAGE_BUCKET"):
        monkeypatch.setenv(name, "packages")

    def run(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        assert exit_status(main) == 1
        return capsys.readouterr().err

    return run


COMMANDS = [
    pytest.param(package.main, ("hash",), "dist", id="package-hash"),
    pytest.param(package.main, ("build",), "build", id="build"),
    pytest.param(package.main, ("dist",), "build/.cache", id="dist"),
    pytest.param(upload.main, (), "dist", id="upload"),
]


@pytest.mark.parametrize("main, arguments, folder", [*COMMANDS, pytest.param(otf_wheel.main, (), "dist", id="wheel")])
def test_file_in_the_place_of_a_folder_is_one_sentence(said, checkout, main, arguments, folder):
    write(checkout / folder, "a file")
    assert said(main, *arguments) == f"error: {folder} is not a folder and should be one: move it away\n"
    assert (checkout / folder).read_text() == "a file"


def test_broken_link_in_the_place_of_a_folder_is_one_sentence(said, checkout):
    (checkout / "dist").symlink_to("nowhere")
    assert said(otf_wheel.main) == "error: dist is not a folder and should be one: move it away\n"


def test_folder_in_the_place_of_a_file_is_one_sentence(said, checkout):
    (checkout / "dist" / "packages.json").mkdir(parents=True)
    said_of_it = said(package.main, "hash")
    assert said_of_it == "error: dist/packages.json is a folder and should be a file: move it away\n"


def test_other_error_of_the_file_system_names_the_file(said, checkout):
    def write_to_a_full_disk():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(checkout / "dist" / "greet.zip"))

    assert said(write_to_a_full_disk) == "error: No space left on device: dist/greet.zip\n"
