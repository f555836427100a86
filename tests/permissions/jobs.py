"""The use of the roles of S3 Batch Operations: the jobs that `backfill` and `check --checksums` of `brigade` start."""

from ops import backfills, batch_jobs
from ops.aws import Account
from ops.checking import checksum_jobs
from ops.deployment import Deployment
from tests.local.lambda_deployment import eventually
from tests.permissions.steps import SECONDS

# Keys that the other parts of the run left behind.
RESTORED, MIRRORED = "noted", "slow"


def use_jobs(stack):
    """Pass objects to both tasks that take jobs, and compute the checksums of the mirror's source."""
    deployment = Deployment.of(stack.outputs, "the stack")
    (archive,), (mirror,) = deployment.archives, deployment.mirrors
    run_job(stack.aws, backfills.request_of(archive, RESTORED, None))
    run_job(stack.aws, backfills.request_of(mirror, MIRRORED, None))
    kind, place = checksum_jobs.KIND, mirror.checksums
    objects = batch_jobs.Objects(mirror.source, MIRRORED)
    run_job(stack.aws, batch_jobs.request_of(kind, place, objects, about=""))


def run_job(aws, request):
    keys = (aws.admin_credentials["aws_access_key_id"], aws.admin_credentials["aws_secret_access_key"])
    control = Account(aws.region, endpoint_url=aws.endpoint_url).client("s3control", keys=keys)
    job = control.create_job(**request)["JobId"]
    address = {"AccountId": aws.account_id, "JobId": job}
    eventually(lambda: control.describe_job(**address)["Job"]["Status"] == "Complete", SECONDS)
