"""AWS in this process: moto's server with the patches applied and IAM enforced."""

import json
import secrets
import socket
import threading
from contextlib import ExitStack, suppress
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from flask import Flask
from moto.core.authorization import enable_iam_authentication
from moto.iam.models import iam_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.utilities.utils import PARTITION_NAMES, get_partition
from werkzeug.serving import ThreadedWSGIServer

from local import patches
from local.faults import Faults
from local.patches.hooks import Hooks, LambdaInvoker
from local.unknown_actions import refuse_unknown_actions

ALLOW_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})

# Moto holds its state in the process, so a second server would show the first one's resources.
_only_one = threading.Lock()
_making_a_client = threading.Lock()


class _QuietRequestHandler(MotoRequestHandler):
    """Answers requests without a line on the terminal for each."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing of requests that were answered."""


class _Server(ThreadedWSGIServer):
    """A server that leaves no connection and no thread behind."""

    def __init__(self, app: DomainDispatcherApplication):
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        super().__init__("127.0.0.1", 0, app, _QuietRequestHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, and remember both."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._connections_lock:
            self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that is done with."""
        with self._connections_lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wait until the last request was answered, but not for one that does not come."""
        with self._connections_lock:
            connections = dict(self._connections)
        for request, thread in connections.items():
            # Only reading ends: a request that is being served may still send its answer. Of a client that was killed
            # the connection may be gone already, before its thread has seen that.
            with suppress(OSError):
                request.shutdown(socket.SHUT_RD)
            thread.join()


class EmbeddedAws:
    """AWS on this machine: one server for every service, region and partition, gone without a trace after `stop`.

    Attributes:
        region: The region of its clients when none is given.
        account_id: The account that its resources belong to.
        admin_credentials: Keys that may do everything, and the region, as boto3's `client` takes them; set by `start`.
    """

    def __init__(self, region: str = "eu-west-1", account_id: str = "123456789012"):
        self.region = region
        self.account_id = account_id
        self.admin_credentials: dict[str, str] = {}
        self._hooks: Hooks | None = None
        self._endpoint_url: str | None = None
        self._started = ExitStack()

    def __enter__(self) -> "EmbeddedAws":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to serve, with nothing in it but an administrator.

        Raises:
            RuntimeError: There is one in this process already.
        """
        with ExitStack() as stack:
            _claim_process(stack)
            self._hooks = stack.enter_context(patches.applied())
            self._hooks.reset()
            moto_api_backend.reset()
            stack.callback(moto_api_backend.reset)
            stack.enter_context(enable_iam_authentication())
            self.admin_credentials = {**_create_admin(self.account_id), "region_name": self.region}
            self._endpoint_url = _serve(stack)
            stack.callback(self._hooks.close)
            self._started = stack.pop_all()

    def stop(self) -> None:
        """Stop serving and forget everything; does nothing when it is not started."""
        self._started.close()
        self._hooks = self._endpoint_url = None

    @property
    def endpoint_url(self) -> str:
        """The URL of all services."""
        if self._endpoint_url is None:
            raise RuntimeError("EmbeddedAws is not started.")
        return self._endpoint_url

    @property
    def hooks(self) -> Hooks:
        """The settings of the patches: faults, who runs functions, how long a restore takes."""
        if self._hooks is None:
            raise RuntimeError("EmbeddedAws is not started.")
        return self._hooks

    @property
    def faults(self) -> Faults:
        """Errors that the next S3 calls get."""
        return self.hooks.faults

    @property
    def lambda_invoker(self) -> LambdaInvoker:
        """Runs a function when it is invoked, by the API, by EventBridge, by S3 or by SNS.

        It is called with the function, the payload and `RequestResponse` or `Event`, and returns status, headers and
        body; for `Event` it has to return at once.
        """
        return self.hooks.lambda_invoker

    @lambda_invoker.setter
    def lambda_invoker(self, invoker: LambdaInvoker) -> None:
        self.hooks.lambda_invoker = invoker

    def administrator(self, region: str) -> dict[str, str]:
        """Make a user who may do everything in the partition of a region, and whom no other partition knows.

        Returns:
            Its keys and the region, as boto3's `client` takes them.
        """
        iam, name = iam_backends[self.account_id][get_partition(region)], f"administrator-{secrets.token_hex(4)}"
        iam.create_user(region_name=region, user_name=name).put_policy("everything", ALLOW_ALL)
        return {**_keys(iam.create_access_key(name)), "region_name": region}

    def client(self, service: str, **options: Any) -> Any:
        """Make a boto3 client of this AWS that is the administrator's.

        Args:
            service: The name of the service as boto3 has it.
            options: What `boto3.client` takes, such as another region or other keys.
        """
        # Neither a proxy nor a profile of this machine stands between the two.
        config = Config(s3={"addressing_style": "path"}, proxies={}).merge(options.pop("config", Config()))
        settings = {"endpoint_url": self.endpoint_url, **self.admin_credentials, **options}
        # A session makes one client at a time.
        with _making_a_client:
            return _session().client(service, config=config, **settings)


@cache
def _session() -> boto3.Session:
    """The session of all clients; making it, and reading what the services can do, takes longer than most requests."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    return boto3.Session(botocore_session=session)


def _claim_process(stack: ExitStack) -> None:
    """Make sure that this is the only one in this process until the stack is closed."""
    # pylint: disable-next=consider-using-with
    if not _only_one.acquire(blocking=False):
        raise RuntimeError("There is an EmbeddedAws in this process already; it serves all regions and partitions.")
    stack.callback(_only_one.release)


def _create_admin(account_id: str) -> dict[str, str]:
    """Make a user who may do everything, with the same keys in every partition."""
    keys = None
    for partition in PARTITION_NAMES:
        iam = iam_backends[account_id][partition]
        user = iam.create_user(region_name=partition, user_name="administrator")
        user.put_policy("everything", ALLOW_ALL)
        if keys is None:
            keys = iam.create_access_key("administrator")
        else:
            user.access_keys.append(keys)
            iam.access_keys[keys.access_key_id] = keys
    return _keys(keys)


def _keys(made: Any) -> dict[str, str]:
    return {"aws_access_key_id": made.access_key_id, "aws_secret_access_key": made.secret_access_key}


def _create_app(service: str) -> Flask:
    app = create_backend_app(service)
    refuse_unknown_actions(app)
    return app


def _serve(stack: ExitStack) -> str:
    """Start a server that the stack stops, and give its URL."""
    server = _Server(DomainDispatcherApplication(_create_app))
    # How long `shutdown` takes at most: the loop looks this often whether it is to end.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="embedded AWS", daemon=True)
    thread.start()
    stack.callback(server.close_connections)
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.port}"
