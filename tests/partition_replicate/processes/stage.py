"""What all histories share: SeaweedFS, the embedded AWS, the network, and containers."""

import itertools
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.credentials import Credentials
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends

from local.embedded_aws import EmbeddedAws
from local.seaweedfs import SeaweedFS
from tasks.object_clerk.transport.direct_s3 import DirectS3
from tasks.object_clerk.versions import in_order
from tests.conftest import REGION
from tests.partition_replicate.conftest import DEAD, QUEUE, TABLE, create_table, fifo
from tests.support.containers import ForkServer
from tests.support.network import Network

ACCOUNT = "123456789012"
SECRET = "mirror-credentials"
RECHECKS = "rechecks"
# After half of these receives a worker sends a copy of the message; after all of them SQS moves it to the dead letters.
MAX_RECEIVES = 10


@dataclass
class Worker:
    """A container and its way to the servers."""

    container: Any
    line: Any

    def close(self):
        self.container.close()
        self.line.close()


class Stage:  # pylint: disable=too-many-instance-attributes  # what all histories share
    """The servers, the network, and containers that wait for work.

    Args:
        planted: the error that each container has, a key of `container.PLANTED`; None for no error.
    """

    def __init__(self, planted=None):
        self.planted = planted
        self._stack = ExitStack()
        self._idle = {}
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise

    def _start(self):
        aws = self._stack.enter_context(EmbeddedAws(region=REGION, account_id=ACCOUNT))
        self._keys = aws.admin_credentials
        self.server = self._started_server()
        self.s3 = self._client_of_the_server()
        create_table(aws.client("dynamodb"))
        sqs = aws.client("sqs")
        self.queue, self.dead_queue = fifo(sqs, QUEUE), fifo(sqs, DEAD)
        self.recheck_queue = sqs.create_queue(QueueName=RECHECKS)["QueueUrl"]
        secret = {"accesskey": self._keys["aws_access_key_id"], "secretaccesskey": self._keys["aws_secret_access_key"]}
        aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps(secret))
        seaweedfs = (self.server.host, self.server.port)
        endpoint = aws.endpoint_url.removeprefix("http://").split(":")
        self.network = Network({"source": seaweedfs, "mirror": seaweedfs, "aws": (endpoint[0], int(endpoint[1]))})
        self._stack.callback(self.network.close)
        self.log = self._stack.enter_context(tempfile.TemporaryFile(mode="w+b"))
        self._containers = ForkServer("tests.partition_replicate.processes.container", self.log)
        self._stack.callback(self._containers.close)
        self._stack.callback(self._close_idle)

    def _started_server(self):
        server = SeaweedFS()
        server.credentials.update(self._keys)
        return self._stack.enter_context(server)

    def _client_of_the_server(self):
        """Return a client for the server, on which it has created the buckets."""
        client = in_order(self.server.client(config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20)))
        s3 = DirectS3(client, Credentials(self._keys["aws_access_key_id"], self._keys["aws_secret_access_key"]))
        self._stack.callback(s3.close)
        for side, kept in itertools.product(("source", "mirror"), ("plain", "versions")):
            s3.create_bucket(Bucket=f"{side}-{kept}")
            if kept == "versions":
                on = {"Status": "Enabled"}
                s3.put_bucket_versioning(Bucket=f"{side}-{kept}", VersioningConfiguration=on)
        return s3

    def close(self):
        self._stack.close()

    def _close_idle(self):
        for worker in itertools.chain.from_iterable(self._idle.values()):
            worker.close()

    def worker(self, setting):
        """Return an idle container with this `draws.Setting`, or a new one."""
        idle = self._idle.setdefault(setting, [])
        return idle.pop() if idle else self._new_worker(setting)

    def give_back(self, setting, worker):
        """Keep a container for a later delivery."""
        self._idle[setting].append(worker)

    def _new_worker(self, setting):
        line = self.network.line()
        container = self._containers.start(self._environment(setting, line.ports))
        line.kill = container.kill
        return Worker(container, line)

    def _environment(self, setting, ports):
        url = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        return {
            "AWS_ACCESS_KEY_ID": self._keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self._keys["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": url["aws"],
            "AWS_ENDPOINT_URL_S3": url["source"],
            "SOURCE_BUCKET": f"source-{setting.source}",
            "OBJECTS_QUEUE": self.queue,
            "RECHECK_QUEUE": self.recheck_queue,
            "DEST_BUCKET": f"mirror-{setting.mirror}",
            "DEST_BUCKET_REGION": REGION,
            "DEST_ENDPOINT_URL": url["mirror"],
            "DEST_SECRET": SECRET,
            "OBJECTS_TABLE": TABLE,
            "VERSIONS": setting.versions,
            "VERSION_DELETES": setting.version_deletes,
            "DELETES": setting.deletes,
            "ANNOTATIONS": "ignore",
            "TRANSFER_MEMORY_MB": "16",
            "DEAD_LETTER_QUEUE": self.dead_queue,
            "MAX_RECEIVES": str(MAX_RECEIVES),
        }

    def take(self, url, prefix):
        """Remove all messages about keys with this prefix from a queue, and return them as moto holds them."""
        queue = sqs_backends[ACCOUNT][REGION].get_queue(url.rpartition("/")[2])
        messages = vars(queue)["_messages"]
        taken = [message for message in messages if f'"{prefix}' in message.body]
        for message in taken:
            messages.remove(message)
        return taken

    def rows(self, prefix):
        """Return the items of the table about keys with this prefix, as moto holds them."""
        items = dynamodb_backends[ACCOUNT][REGION].get_table(TABLE).items
        return {key.value: rows for key, rows in items.items() if key.value.startswith(prefix)}

    def forget(self, prefix):
        """Remove the items of a history, because moto copies the whole table for each transaction."""
        items = dynamodb_backends[ACCOUNT][REGION].get_table(TABLE).items
        for key in [key for key in items if key.value.startswith(prefix)]:
            del items[key]
