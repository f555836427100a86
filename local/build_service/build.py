"""One build of a project: sources in, exported variables and log out."""

import io
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from botocore.exceptions import ClientError
from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.logs.models import logs_backends

from local.build_service.buildspec import Buildspec, InvalidBuildspec, Shell, read_buildspec
from local.embedded_aws import EmbeddedAws
from local.lambda_service.errors import Refused
from local.lambda_service.roles import assume, permits

# Prefixes of this machine's variables that no build sees.
HIDDEN_PREFIXES = ("AWS_", "CI", "CODEBUILD_", "ENVIRONMENT", "MAKE", "PACKAGE_", "PYTEST_", "TASK", "TF_", "WORKERS")

# The errors of a build whose sources cannot be used.
_UNUSABLE_SOURCES = (BadZipFile, ClientError, InvalidBuildspec, Refused)


@dataclass(frozen=True)
class Order:
    """A started build.

    Attributes:
        project: The project, as the API returns it.
        record: The build, as the API returns it; `Build` replaces its values.
        variables: The environment variables of the request.
    """

    project: Mapping[str, Any]
    record: dict[str, Any]
    variables: Mapping[str, str]


class Build:
    """A build that runs in a folder of its own, with the permissions of the project's role.

    Args:
        aws: The embedded AWS, started.
        order: The started build.
        provision: A callback that gets the folder of the sources before the first command.
    """

    def __init__(self, aws: EmbeddedAws, order: Order, provision: Callable[[Path], None]):
        self._aws = aws
        self._order = order
        self._provision = provision
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        group = order.project["logsConfig"]["cloudWatchLogs"]["groupName"]
        stream = order.record["id"].rpartition(":")[2]
        order.record.update(
            buildComplete=False,
            phases=[{**phase, "phaseStatus": "SUCCEEDED"} for phase in order.record["phases"]],
            endTime=None,
            exportedEnvironmentVariables=[],
            logs={"groupName": group, "streamName": stream, "cloudWatchLogs": {"status": "ENABLED"}},
        )

    def run(self) -> None:
        """Run the build to its end; the record says how it went."""
        succeeded = False
        try:
            with tempfile.TemporaryDirectory(prefix="build-") as folder:
                succeeded = self._run(Path(folder, "src"))
        finally:
            self._deliver_log()
            status = "STOPPED" if self._stopped else "SUCCEEDED" if succeeded else "FAILED"
            now = iso_8601_datetime_with_milliseconds()
            self._order.record.update(buildStatus=status, currentPhase="COMPLETED", endTime=now, buildComplete=True)

    def stop(self) -> None:
        """End the running command and the build."""
        with self._lock:
            self._stopped = True
            if self._process:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _run(self, sources: Path) -> bool:
        with self._phase("DOWNLOAD_SOURCE") as result:
            try:
                role = self._role()
                self._download(sources, role)
                buildspec = read_buildspec(sources)
            except _UNUSABLE_SOURCES as error:
                result.update(phaseStatus="FAILED", contexts=[{"statusCode": "CLIENT_ERROR", "message": str(error)}])
                return False
        self._provision(sources)
        shell = Shell(sources, self._environment(buildspec, role, sources), self._lines.append)
        succeeding = self._run_phases(buildspec, shell)
        self._order.record["exportedEnvironmentVariables"] = [
            {"name": name, "value": shell.environment[name]} for name in buildspec.exported if name in shell.environment
        ]
        return succeeding

    def _run_phases(self, buildspec: Buildspec, shell: Shell) -> bool:
        """Run the phases, and return whether all succeeded.

        CodeBuild User Guide, Build phase transitions: after a failure only a failed build goes on, with post_build.
        """
        succeeding = True
        for name, commands in buildspec.commands.items():
            shell.environment["CODEBUILD_BUILD_SUCCEEDING"] = str(int(succeeding))
            with self._phase(name.upper()) as result:
                if status := self._run_commands(shell, commands):
                    message = f"Error while executing commands of {name}. Reason: exit status {status}"
                    result.update(phaseStatus="FAILED", contexts=[{"statusCode": "COMMAND_ERROR", "message": message}])
            succeeding = succeeding and not status
            if self._stopped or (status and name != "build"):
                return False
        return succeeding

    def _run_commands(self, shell: Shell, commands: tuple[str, ...]) -> int:
        with self._lock:
            if self._stopped:
                return 1
            self._process = shell.start(commands)
        with self._process:
            return shell.finish(self._process)

    def _role(self) -> dict[str, str]:
        record = self._order.record
        region = record["arn"].split(":")[3]
        return assume(record["serviceRole"], session="AWSCodeBuild", region=region, service="CodeBuild")

    def _download(self, sources: Path, role: Mapping[str, str]) -> None:
        bucket, _, key = self._order.project["source"]["location"].partition("/")
        answer = self._aws.client("s3", **role).get_object(Bucket=bucket, Key=key)
        self._order.record["resolvedSourceVersion"] = answer.get("VersionId", "")
        with ZipFile(io.BytesIO(answer["Body"].read())) as archive:
            archive.extractall(sources)

    def _environment(self, buildspec: Buildspec, role: Mapping[str, str], sources: Path) -> dict[str, str]:
        """Return the variables of the commands: those of the request replace the project's, these the buildspec's.

        CodeBuild User Guide, Environment variables in build environments.
        """
        record, project = self._order.record, self._order.project
        region = record["arn"].split(":")[3]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_PREFIXES)},
            **{name.upper(): value for name, value in role.items()},
            "AWS_ENDPOINT_URL": self._aws.endpoint_url,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "CODEBUILD_BUILD_ARN": record["arn"],
            "CODEBUILD_BUILD_ID": record["id"],
            "CODEBUILD_CI": "true",
            "CODEBUILD_RESOLVED_SOURCE_VERSION": record["resolvedSourceVersion"],
            "CODEBUILD_SRC_DIR": str(sources),
            **buildspec.variables,
            **{item["name"]: item["value"] for item in project["environment"].get("environmentVariables", [])},
            **self._order.variables,
        }

    @contextmanager
    def _phase(self, name: str) -> Iterator[dict[str, Any]]:
        """Record a phase; yield its result, which is a success unless the block changes it."""
        record, started = self._order.record, time.monotonic()
        result: dict[str, Any] = {
            "phaseType": name,
            "phaseStatus": "SUCCEEDED",
            "startTime": iso_8601_datetime_with_milliseconds(),
        }
        record["currentPhase"] = name
        self._lines.append(f"[Container] Entering phase {name}")
        try:
            yield result
        finally:
            seconds = round(time.monotonic() - started)
            result.update(endTime=iso_8601_datetime_with_milliseconds(), durationInSeconds=seconds)
            # A new list, because a request may be reading the old one.
            record["phases"] = [*record["phases"], result]
            self._lines.append(f"[Container] Phase complete: {name} State: {result['phaseStatus']}")

    def _deliver_log(self) -> None:
        """Write the log if the role permits it."""
        record = self._order.record
        _, partition, _, region, account_id, _ = record["arn"].split(":", 5)
        group, stream = record["logs"]["groupName"], record["logs"]["streamName"]
        arn = f"arn:{partition}:logs:{region}:{account_id}:log-group:{group}:log-stream:{stream}"
        if all(permits(record["serviceRole"], action, arn) for action in ("logs:CreateLogStream", "logs:PutLogEvents")):
            backend = logs_backends[account_id][region]
            backend.create_log_stream(group, stream)
            now = int(time.time() * 1000)
            backend.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in self._lines])
