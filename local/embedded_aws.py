"""An AWS in this process: moto's server with the patches applied and IAM enforced."""

import json
import secrets
import socket
import threading
from collections.abc import Callable
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

# Moto's state is global to the process, so a second server would show the first one's resources.
_process_lock = threading.Lock()
_session_lock = threading.Lock()


class _QuietRequestHandler(MotoRequestHandler):
    """A request handler that prints nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing for answered requests."""


class _Server(ThreadedWSGIServer):
    """A server that ends all its connections and threads."""

    def __init__(self, app: DomainDispatcherApplication):
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        super().__init__("127.0.0.1", 0, app, _QuietRequestHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, and keep track of both."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._connections_lock:
            self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._connections_lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close all connections once their current requests are answered."""
        with self._connections_lock:
            connections = dict(self._connections)
        for request, thread in connections.items():
            # End only the reading side: a request that is being served can still send its answer. The connection of a
            # killed client may be closed before its thread notices, which is no error.
            with suppress(OSError):
                request.shutdown(socket.SHUT_RD)
            thread.join()


class EmbeddedAws:
    """AWS on this machine: one server for every service, region and partition. `stop` removes all its state.

    Attributes:
        region: The default region of its clients.
        account_id: The account of its resources.
        admin_credentials: The keys of an administrator, and the region, as arguments of boto3's `client`; set by
            `start`.
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
        """Start the server, empty except for an administrator.

        Raises:
            RuntimeError: Another one is running in this process.
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
            patches.sqs_metrics.sample_regularly()
            self._started = stack.pop_all()

    def stop(self) -> None:
        """Stop the server and remove all its state; do nothing if it is not started."""
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
        """The settings of the patches, such as the duration of a restore."""
        if self._hooks is None:
            raise RuntimeError("EmbeddedAws is not started.")
        return self._hooks

    @property
    def faults(self) -> Faults:
        """Errors to inject into the next calls of S3 and DynamoDB."""
        return self.hooks.faults

    @property
    def lambda_invoker(self) -> LambdaInvoker:
        """The callback that runs invoked functions, see `Hooks`."""
        return self.hooks.lambda_invoker

    @lambda_invoker.setter
    def lambda_invoker(self, invoker: LambdaInvoker) -> None:
        self.hooks.lambda_invoker = invoker

    def administrator(self, region: str) -> dict[str, str]:
        """Create an administrator of the partition of a region, unknown to all other partitions.

        Returns:
            The administrator's keys and the region, as arguments of boto3's `client`.
        """
        iam, name = iam_backends[self.account_id][get_partition(region)], f"administrator-{secrets.token_hex(4)}"
        iam.create_user(region_name=region, user_name=name).put_policy("everything", ALLOW_ALL)
        return {**_keys(iam.create_access_key(name)), "region_name": region}

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of this AWS, by default with the administrator's keys.

        Args:
            service: The name of the service as boto3 has it.
            **options: Arguments of `boto3.client`, such as another region or other keys.
        """
        # Requests ignore the proxies and AWS profiles of this machine.
        config = Config(s3={"addressing_style": "path"}, proxies={}).merge(options.pop("config", Config()))
        settings = {"endpoint_url": self.endpoint_url, **self.admin_credentials, **options}
        # A session is not safe for threads.
        with _session_lock:
            # The stubs of boto3 have an overload for each service's name, and this is any of them.
            client: Callable[..., Any] = _session().client
            return client(service, config=config, **settings)


@cache
def _session() -> boto3.Session:
    """Return the session of all clients: creating one and loading service descriptions is slower than most requests."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    return boto3.Session(botocore_session=session)


def _claim_process(stack: ExitStack) -> None:
    """Ensure that this is the only one in this process until the stack is closed."""
    # pylint: disable-next=consider-using-with  # the stack releases it
    if not _process_lock.acquire(blocking=False):
        raise RuntimeError("An EmbeddedAws is already running in this process; it serves all regions and partitions.")
    stack.callback(_process_lock.release)


def _create_admin(account_id: str) -> dict[str, str]:
    """Create an administrator with the same keys in every partition."""
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


def _keys(access_key: Any) -> dict[str, str]:
    return {"aws_access_key_id": access_key.access_key_id, "aws_secret_access_key": access_key.secret_access_key}


def _create_app(service: str) -> Flask:
    # Moto's type names each service, and the dispatcher passes any.
    create: Callable[[str], Flask] = create_backend_app  # type: ignore[assignment]  # see above
    app = create(service)
    refuse_unknown_actions(app, service)
    return app


class _Dispatcher(DomainDispatcherApplication):
    """Finds the service of a host once; moto lists its own folders for each request."""

    def __init__(self) -> None:
        super().__init__(_create_app)
        self._services: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the name of a service, or None."""
        if host not in self._services:
            self._services[host] = super().get_backend_for_host(host)
        return self._services[host]


def _serve(stack: ExitStack) -> str:
    """Start a server that the stack stops, and return its URL."""
    server = _Server(_Dispatcher())
    # 0.02: the poll interval in seconds, and so the longest `shutdown`.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="embedded AWS", daemon=True)
    thread.start()
    stack.callback(server.close_connections)
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.port}"
