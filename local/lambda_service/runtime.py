"""The parts that all sandboxes share: the interpreter, AWS's runtime client, the unpacked code, and the lifeline."""

import functools
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TypedDict

from local.lambda_service.errors import Refused

ENTRY = Path(__file__).with_name("entry.py")

# The compiled module of awslambdaric, and what takes its place where pip does not build it.
COMPILED = "runtime_client"
IN_PYTHON = Path(__file__).with_name("runtime_client.py")

# Prints the Python version, and the paths of the packages of awslambdaric and of its dependencies.
FIND_CLIENT = """
import importlib.metadata, json, platform, re
client, wanted = {}, ["awslambdaric"]
for name in wanted:
    distribution = importlib.metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files} - {"__pycache__", ".."}
    client.update({top: str(distribution.locate_file(top)) for top in tops if not top.endswith(".dist-info")})
    wanted += [re.match(r"[\\w.-]+", line)[0] for line in distribution.requires or [] if "extra ==" not in line]
print(json.dumps({"version": "python:" + platform.python_version(), "client": client}))
"""

# Removes the folder once the parent has ended, even if the parent was killed.
JANITOR = 'cat >/dev/null; until rm -rf "$0"; do sleep 0.1; done'


class _Client(TypedDict):
    """The Python version, and the paths of awslambdaric's packages by their names."""

    version: str
    client: dict[str, str]


class Runtime:
    """A context manager that starts sandboxes and removes all their files at its end.

    All functions run under the same Python, whatever version their `runtime` setting names, because the compiled part
    of awslambdaric belongs to one version. Of the packages that are installed for this Python the sandboxes can import
    only awslambdaric, so that a package that is missing from a function's zip cannot be imported.

    Args:
        python: An interpreter with awslambdaric installed; the running one by default.

    Attributes:
        python: The interpreter.
        version: Its version, in Lambda's words; set on entry.
    """

    def __init__(self, python: str | None = None):
        self.python = python or sys.executable
        self.version = ""
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._folder = Path()
        self._lifeline = -1

    def __enter__(self) -> "Runtime":
        with ExitStack() as stack:
            self._lifeline, parents_end = os.pipe()
            stack.callback(os.close, self._lifeline)
            self._folder = Path(tempfile.mkdtemp(prefix="lambda-service-"))
            # In its own session, so that the terminal's Ctrl-C does not reach it.
            janitor = subprocess.Popen(
                ["/bin/sh", "-c", JANITOR, str(self._folder)], stdin=self._lifeline, start_new_session=True
            )
            stack.callback(janitor.wait)
            stack.callback(os.close, parents_end)
            self._link_client()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def unpack(self, code: bytes) -> Path:
        """Unpack a function's zip, once for equal zips.

        Returns:
            The folder that holds the zip's content.

        Raises:
            Refused: It is not a zip.
        """
        folder = self._folder / "code" / hashlib.sha256(code).hexdigest()
        with self._lock:
            if not folder.exists():
                unfinished = folder.with_suffix(".unfinished")
                try:
                    with zipfile.ZipFile(io.BytesIO(code)) as archive:
                        archive.extractall(unfinished)
                except zipfile.BadZipFile as error:
                    message = "Lambda was not able to unzip the deployment package."
                    raise Refused(502, "InvalidZipFileException", message) from error
                unfinished.rename(folder)
        return folder

    def new_folder(self) -> Path:
        """Create a private folder for one sandbox."""
        return Path(tempfile.mkdtemp(dir=self._folder, prefix="sandbox-"))

    def start(self, handler: str, *, cwd: Path, env: Mapping[str, str], output: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start a process that serves a handler and ends with this process.

        Args:
            handler: The function's handler, as `package.module.function`.
            cwd: The folder with the function's code.
            env: The environment of the process.
            output: The file for its output and errors.
        """
        # -S leaves out the installed packages and -P the folder of the script. -B writes no bytecode, because on AWS
        # the code is read-only.
        command = [self.python, "-S", "-P", "-B", str(ENTRY), str(self._lifeline), str(self._client), handler]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[self._lifeline],
            cwd=cwd,
            env=env,
        )

    @property
    def _client(self) -> Path:
        return self._folder / "client"

    def _link_client(self) -> None:
        found = _find_client(self.python)
        self.version = found["version"]
        self._client.mkdir()
        for name, path in found["client"].items():
            (self._client / name).symlink_to(path)
        if not any(name.startswith(COMPILED) for name in found["client"]):
            (self._client / IN_PYTHON.name).symlink_to(IN_PYTHON)


@functools.cache
def _find_client(python: str) -> _Client:
    try:
        printed = subprocess.run([python, "-c", FIND_CLIENT], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"Functions cannot run: awslambdaric is not installed for {python}.") from error
    client: _Client = json.loads(printed)
    return client
