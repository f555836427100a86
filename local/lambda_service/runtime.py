"""What all sandboxes share: the interpreter, AWS's runtime client, the unpacked code, and their lifeline."""

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
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from local.lambda_service.errors import Refused

ENTRY = Path(__file__).with_name("entry.py")

# Prints which Python it is, and where the importable names of awslambdaric and of what it needs are installed.
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

# Outlives even a parent that is killed, just long enough to take its folder away.
JANITOR = 'cat >/dev/null; until rm -rf "$0"; do sleep 0.1; done'


class Runtime:
    """A place where sandboxes can be started; a context manager that leaves nothing behind.

    Functions run under the one Python that is given, whatever version their `runtime` setting names, because the
    compiled part of awslambdaric belongs to one version. Of the packages that are installed for this Python the
    sandboxes see awslambdaric alone, so that what is missing from a function's zip is missed.

    Args:
        python: An interpreter with awslambdaric installed; the running one by default.

    Attributes:
        python: The interpreter.
        version: Its version, as Lambda words it; known once it is entered.
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
            # In a session of its own, out of reach of the terminal's Ctrl-C.
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
            Refused: It is no zip.
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
        """Make a private folder for one sandbox."""
        return Path(tempfile.mkdtemp(dir=self._folder, prefix="sandbox-"))

    def start(self, handler: str, **options: object) -> "subprocess.Popen[bytes]":
        """Start a process that serves a handler; it ends when this process does.

        Args:
            handler: The function's handler, as `package.module.function`.
            options: What `subprocess.Popen` takes besides: environment, folder, output.
        """
        # -S leaves out the installed packages, -P the folder of the script; -B writes no bytecode, as on AWS, where
        # the code is read-only.
        command = [self.python, "-S", "-P", "-B", ENTRY, str(self._lifeline), self._client, handler]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[self._lifeline], **options
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


@functools.cache
def _find_client(python: str) -> dict[str, Any]:
    try:
        return json.loads(subprocess.run([python, "-c", FIND_CLIENT], capture_output=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"Functions cannot be run: awslambdaric is not installed for {python}.") from error
