"""The deployment of a run: all three tasks by the real Terraform, with the network and the deliveries of the run."""

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from local.demo import packages, partition_replicate, upload_validate
from local.demo.access_keys import PEOPLE
from local.demo.external_services import KEYS, ExternalServices, external_services
from local.demo.mirror import DESTINATION_REGION
from local.deployment import Deployment
from local.stack import Stack, deploying
from local.terraform import profiles
from tests.chaos.changes import ARCHIVE, ARCHIVES, MIRROR, UPLOADS
from tests.chaos.command import brigade
from tests.chaos.deliveries import Deliveries
from tests.chaos.wire import Wire, Wires

DIST = Path(__file__).parents[2] / "dist"

# The least that Terraform accepts, so that a function that hangs ends soon.
TIMEOUT_SECONDS = 10
# The mirror's function ends after this time, less than Terraform accepts.
MIRROR_TIMEOUT_SECONDS = 15
# On AWS 900 s. Here no server holds a request longer than this.
RECHECK_SECONDS = 5

VARIABLES = {
    **partition_replicate.VARIABLES,
    "archive_copy_archives": {name: {"extensions": extensions} for name, extensions in ARCHIVES.items()},
    "archive_copy_timeout_seconds": TIMEOUT_SECONDS,
    "archive_copy_retry_sleep_seconds": 0.2,
    "archive_copy_maximum_concurrency": 2,
    "partition_replicate_credentials": "access_key",
    "partition_replicate_version_deletes": "mirror",
    "partition_replicate_timeout_seconds": 60,
    "partition_replicate_memory_mb": 512,
    "partition_replicate_maximum_concurrency": 3,
    "upload_validate_timeout_seconds": TIMEOUT_SECONDS,
    "upload_validate_maximum_concurrency": 2,
    "upload_validate_superseded_files": "remove",
}
OUTPUTS = {MIRROR: "partition_replicate", ARCHIVE: "archive_copy", UPLOADS: "upload_validate"}


@dataclass(frozen=True)
class Stage:
    """The running deployment.

    Attributes:
        stack: the `Stack`.
        deployment: what Terraform still makes: things that matter later, such as the redrive policies of the queues.
        wire: the network between the functions and AWS.
        deliveries: the events on their way.
        services: the services outside AWS.
        decisions: the decisions on permissions so far, without those of people.
        folder: for files of the run.
    """

    stack: Stack
    deployment: Deployment
    wire: Wire
    deliveries: Deliveries
    services: ExternalServices
    decisions: set
    folder: Path

    @property
    def aws(self):
        return self.stack.aws

    def outputs(self, task):
        """Return Terraform's outputs of a task."""
        return self.stack.outputs[OUTPUTS[task]]

    def function(self, name):
        """Return the name of a function: "replicate", "enqueue", "archive" or "validate"."""
        if name in ("replicate", "enqueue"):
            return self.outputs(MIRROR)[f"{name}_function_name"]
        return self.outputs({"archive": ARCHIVE, "validate": UPLOADS}[name])["function_name"]

    def brigade(self, *arguments):
        """Run a command of `brigade`."""
        return brigade(self._options, *arguments)

    @cached_property
    def _options(self):
        """The options by which `brigade` finds the deployment, whose credentials it takes from the environment."""
        file = self.folder / "outputs.json"
        file.write_text(json.dumps({name: {"value": value} for name, value in self.stack.outputs.items()}))
        keys = self.aws.admin_credentials
        os.environ |= {
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_SHARED_CREDENTIALS_FILE": str(profiles(self.stack.folder)),
            "AWS_CONFIG_FILE": os.devnull,
        }
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            os.environ.pop(name, None)
        where = ["--outputs", str(file), "--region", self.aws.region, "--endpoint-url", self.aws.endpoint_url]
        return [*where, "--destination-profile", "mirror"]

    def queue(self, name):
        """Return the URL of the work queue of a task, or of "recheck"."""
        return self.outputs(MIRROR)["recheck_queue_url"] if name == "recheck" else self.outputs(name)["queue_url"]

    def renew_key(self, *, late=False):
        """Replace the mirror's access key: first in the secret, or first at the destination."""
        iam = self.aws.client("iam", region_name=DESTINATION_REGION)
        user, secret = self.outputs(MIRROR)["destination_user"], self.outputs(MIRROR)["secret"]
        old = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        new = iam.create_access_key(UserName=user)["AccessKey"]
        value = {"accesskey": new["AccessKeyId"], "secretaccesskey": new["SecretAccessKey"]}
        steps = [
            lambda: self.aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.dumps(value))
        ]
        steps += [lambda key=key: iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"]) for key in old]
        for step in reversed(steps) if late else steps:
            step()


@contextmanager
def deployed(folder, seed):
    """Deploy all three tasks; yield the `Stage`, and stop all of it when the block ends."""
    decisions = set()
    with external_services() as services, Wires(seed) as wires:

        def prepare(aws):
            given = {**packages.prepare(aws, DIST), **partition_replicate.prepare(aws)}
            return {**upload_validate.variables(services), **VARIABLES, **given}

        with deploying({}, folder=folder / "terraform", prepare=prepare, endpoint_of=wires.endpoint_of) as (
            stack,
            deployment,
        ):
            stack.aws.hooks.on_decision = lambda one: None if PEOPLE in one.principal else decisions.add(one)
            for task in OUTPUTS.values():
                deployment.wait_for(task)
            deliveries = Deliveries(stack.aws, seed)
            stage = Stage(stack, deployment, wires.wire, deliveries, services, decisions, folder)
            _complete(stage)
            with deliveries.disturbed():
                yield stage


def _complete(stage):
    """Do what the person who deploys does, and shorten what would take minutes."""
    for name, value in KEYS.items():
        stage.aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    stage.renew_key()
    stage.aws.client("sqs").set_queue_attributes(
        QueueUrl=stage.queue("recheck"), Attributes={"DelaySeconds": str(RECHECK_SECONDS)}
    )
    stage.aws.client("lambda").update_function_configuration(
        FunctionName=stage.function("replicate"), Timeout=MIRROR_TIMEOUT_SECONDS
    )
