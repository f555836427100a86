"""The build service: it runs all builds that are started in an embedded AWS."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from local.build_service.build import Build, Order
from local.embedded_aws import EmbeddedAws


class BuildService:
    """A context manager that runs the builds of the CodeBuild projects of an embedded AWS, each in its own thread.

    A build takes the zip of its sources from S3, runs the commands of `buildspec.yml` on this machine with the
    permissions of the project's role, and reports phases, exported variables and log. There are no containers: image,
    machine, runtime versions, cache and time-out have no effect, and neither reports nor artifacts are stored.

    Args:
        aws: The embedded AWS, started.
        provision: A callback that gets the folder of the sources before the first command, and adds what the image and
            the cache of a build have, such as installed tools.
    """

    def __init__(self, aws: EmbeddedAws, *, provision: Callable[[Path], None] = lambda sources: None):
        self._aws = aws
        self._provision = provision
        self._stack = ExitStack()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "BuildService":
        hooks = self._aws.hooks
        self._stack.callback(setattr, hooks, "build_starter", hooks.build_starter)
        hooks.build_starter = self._start
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def join(self) -> None:
        """Wait for the end of all builds that were started."""
        for thread in self._threads:
            thread.join()

    def _start(self, project: Mapping[str, Any], record: dict[str, Any], variables: Mapping[str, str]) -> None:
        build = Build(self._aws, Order(project, record, variables), self._provision)
        thread = threading.Thread(target=build.run, name=record["id"], daemon=True)
        # The stack calls the last one first: a build is stopped, and then awaited.
        self._stack.callback(thread.join)
        self._stack.callback(build.stop)
        self._threads.append(thread)
        thread.start()
