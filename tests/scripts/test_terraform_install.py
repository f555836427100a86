import hashlib
import http.server
import io
import os
import re
import subprocess
import sys
import threading
from functools import partial
from zipfile import ZipFile

import pytest

from scripts import terraform_install
from scripts.errors import ScriptError
from scripts.terraform_install import RELEASES, SHA256, VERSION, install, release_zip
from tests.scripts.conftest import ROOT

PROGRAM = "#!/bin/sh\necho this is Terraform\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):  # pylint: disable=redefined-builtin  # the name that the base class has
        pass


@pytest.fixture(name="releases")
def releases_server(tmp_path, monkeypatch):
    """Serve a release for each platform, and pin its SHA-256."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "releases"
    (folder / VERSION).mkdir(parents=True)
    for target in SHA256:
        content = zipped(f"{PROGRAM}# {target}\n")
        (folder / VERSION / f"terraform_{VERSION}_{target}.zip").write_bytes(content)
        monkeypatch.setitem(SHA256, target, hashlib.sha256(content).hexdigest())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def zipped(program):
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr("LICENSE.txt", "a licence")
        archive.writestr("terraform", program)
    return file.getvalue()


def fetched(releases, cache, system="Linux", machine="x86_64"):
    return release_zip({"TERRAFORM_RELEASES_URL": releases}, cache=cache, system=system, machine=machine)


def make(releases, folder):
    """Run the command of `make terraform` in a folder, without Terraform on the PATH."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.terraform_install", "tools"],
        cwd=folder,
        env={**os.environ, "PATH": "", "PYTHONPATH": str(ROOT), "TERRAFORM_RELEASES_URL": releases},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "system, machine, target",
    [
        ("Linux", "x86_64", "linux_amd64"),
        ("Linux", "aarch64", "linux_arm64"),
        ("Darwin", "arm64", "darwin_arm64"),
        ("Darwin", "x86_64", "darwin_amd64"),
    ],
)
def test_release_with_the_pinned_sum_is_installed_for_each_platform(releases, tmp_path, system, machine, target):
    archive = fetched(releases, tmp_path / "cache", system, machine)
    program = install(archive, tmp_path / "tools")
    finished = subprocess.run([program], capture_output=True, text=True, check=True)
    assert finished.stdout == "this is Terraform\n"
    assert target in program.read_text()


def test_release_in_the_cache_is_not_downloaded_again(releases, tmp_path):
    cached = fetched(releases, tmp_path)
    assert fetched("http://127.0.0.1:1", tmp_path) == cached


def test_release_in_the_cache_with_another_sum_is_replaced(releases, tmp_path):
    cached = fetched(releases, tmp_path)
    cached.write_bytes(zipped("something else"))
    program = install(fetched(releases, tmp_path), tmp_path / "tools")
    assert "this is Terraform" in program.read_text()


def test_release_with_another_sum_is_refused_in_one_sentence_and_not_kept(releases, tmp_path):
    finished = make(releases, tmp_path)
    assert finished.returncode == 1
    assert re.fullmatch(
        rf"error: {releases}/{VERSION}/terraform_{VERSION}_\w+\.zip has the SHA-256 [0-9a-f]{{64}} instead of the "
        r"pinned [0-9a-f]{64}: nothing is installed\n",
        finished.stderr,
    )
    assert not list((tmp_path / "build" / ".cache").iterdir())
    assert not (tmp_path / "tools").exists()


@pytest.mark.parametrize("path, reason", [("", "Connection refused"), ("/missing", "HTTP Error 404: File not found")])
def test_release_that_cannot_be_downloaded_is_one_sentence(releases, tmp_path, path, reason):
    finished = make(f"{releases}{path}" if path else "http://127.0.0.1:1", tmp_path)
    assert finished.returncode == 1
    assert re.fullmatch(
        rf"error: Terraform {VERSION} cannot be downloaded from \S+ \(.*{reason}.*\): install it by hand, or name a "
        r"mirror of the releases in TERRAFORM_RELEASES_URL\n",
        finished.stderr,
    )
    assert not list((tmp_path / "build" / ".cache").iterdir())


def test_url_that_is_none_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ScriptError, match="cannot be downloaded from releases.example/.*unknown url type"):
        fetched("releases.example", tmp_path)


@pytest.mark.parametrize(
    "system, machine, target", [("Linux", "riscv64", "linux_riscv64"), ("Windows", "AMD64", "windows_amd64")]
)
def test_platform_without_a_pinned_release_is_refused_and_the_others_are_named(tmp_path, system, machine, target):
    with pytest.raises(ScriptError, match=f"is not pinned for {target}, only for .*linux_amd64, linux_arm64"):
        fetched(RELEASES, tmp_path, system, machine)


@pytest.mark.parametrize("version", [VERSION, "1.9.0", ""], ids=["pinned", "older", "not Terraform"])
def test_command_installs_only_if_the_path_has_no_terraform_of_the_version(
    releases, tmp_path, monkeypatch, capsys, version
):
    installed = version != VERSION
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "terraform").write_text(
        f'#!/bin/sh\necho \'{{"terraform_version": "{version}"}}\'\n' if version else PROGRAM
    )
    (tools / "terraform").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/bin")
    monkeypatch.setenv("TERRAFORM_RELEASES_URL", releases)
    monkeypatch.setattr(sys, "argv", ["terraform_install", "pinned"])
    terraform_install.main()
    where = "pinned/terraform" if installed else tools / "terraform"
    assert capsys.readouterr().out == f"Terraform {VERSION} is installed: {where}\n"
    assert (tmp_path / "pinned" / "terraform").exists() == installed


def test_pinned_version_is_one_that_the_configuration_allows():
    wanted = re.search(r'required_version = ">= (\d+)\.(\d+)"', (ROOT / "terraform" / "versions.tf").read_text())
    assert tuple(map(int, VERSION.split(".")[:2])) >= (int(wanted[1]), int(wanted[2]))
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in SHA256.values())
    assert len(set(SHA256.values())) == len(SHA256)
