"""The run whose calls are compared with the policies: the deployment of the demo, and one with the other options."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from local.demo import archive_copy, mirror_check, packages, partition_replicate, upload_validate
from local.demo.access_keys import PEOPLE
from local.demo.external_services import KEYS, ExternalServices, external_services
from local.demo.mirror import DESTINATION_REGION
from local.demo.mirror import SOURCE as SOURCE_OF_MIRROR
from local.demo.screen import Screen
from local.deployment import Deployment
from local.embedded_aws import EmbeddedAws
from local.permissions import Decision
from local.stack import Stack, deploying
from local.terraform import initialise
from tests.permissions.archives import use_archive_copy
from tests.permissions.checks import use_mirror_check
from tests.permissions.comparison import Grant, Unused, problems
from tests.permissions.grants import grants_of
from tests.permissions.jobs import use_jobs
from tests.permissions.mirrors import allow_locks, use_partition_replicate
from tests.permissions.uploads import use_upload_validate

DIST = Path(__file__).parents[2] / "dist"

# The second deployment has a prefix and buckets of its own. Its buckets keep no versions.
FIRST, SECOND = "bucket-brigade", "other-brigade"
SOURCE, ARCHIVE = f"{SECOND}-source", f"{SECOND}-archive"
UPLOADS, PUBLISHED, QUARANTINE = f"{SECOND}-uploads", f"{SECOND}-published", f"{SECOND}-quarantine"
MIRRORED, MIRROR, SCHEMA = f"{SECOND}-mirrored", f"{SECOND}-mirror", f"{SECOND}-schema"
SECRETS = {f"{SECOND}/github": "/demo/github-token", f"{SECOND}/webhook": "/demo/webhook-key"}

# The prefix of a set with a number, as the profile of the demo wants it.
DEMO_SET = "E07000223/2026-05-07/2026-03-09T09:30:0{}Z/"

# KMS keys of the first deployment, one for each use of a bucket. No key has to exist: nothing is encrypted here.
KEY_OF = "arn:aws:kms:eu-west-1:123456789012:key/{}"
MEASUREMENTS_KEY = KEY_OF.format("measurements")
MIRROR_KEY = f"arn:aws-us-gov:kms:{DESTINATION_REGION}:123456789012:key/mirror"

KEYS_OF_BUCKETS = {
    "archive_copy_source_kms_key_arns": [KEY_OF.format("restored")],
    "partition_replicate_source_kms_key_arns": [MEASUREMENTS_KEY],
    "upload_validate_upload_kms_key_arns": [KEY_OF.format("uploads")],
    "upload_validate_final_kms_key_arns": [KEY_OF.format("published")],
    "upload_validate_quarantine_kms_key_arns": [KEY_OF.format("quarantine")],
}

# So many extensions that their map does not fit into the environment of the function.
EXTENSIONS = [".hdf", *(f".{number:060d}" for number in range(50))]


def second_variables(first: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of the second deployment: those of the first, and the other choices."""
    return {
        **first,
        **{name: [] for name in KEYS_OF_BUCKETS},
        "partition_replicate_destination_kms_key_arn": None,
        "name_prefix": SECOND,
        "bucket_owners": {},
        "archive_copy_source_bucket": SOURCE,
        "archive_copy_archives": {"all": {"extensions": EXTENSIONS, "bucket": ARCHIVE}},
        "partition_replicate_source_bucket": MIRRORED,
        "partition_replicate_destination_bucket": MIRROR,
        "partition_replicate_credentials": "access_key",
        "partition_replicate_version_deletes": "keep",
        "upload_validate_upload_bucket": UPLOADS,
        "upload_validate_final_bucket": PUBLISHED,
        "upload_validate_quarantine_bucket": QUARANTINE,
        "upload_validate_profile": "table-schema",
        "upload_validate_table_schema": f"s3://{SCHEMA}/stations.json",
        "upload_validate_github_key_name": f"secretsmanager:{SECOND}/github",
        "upload_validate_webhook_key_name": f"secretsmanager:{SECOND}/webhook",
        "upload_validate_ses_identity_enabled": False,
    }


def prepare_second(aws: EmbeddedAws) -> None:
    """Create the buckets of the second deployment."""
    for bucket in (SOURCE, ARCHIVE, UPLOADS, PUBLISHED, QUARANTINE, MIRRORED, SCHEMA):
        create_bucket(aws, bucket, aws.region)
    create_bucket(aws, MIRROR, DESTINATION_REGION)
    columns = [{"name": name, "type": "string"} for name in ("houseid", "station", "address", "postcode")]
    body = json.dumps({"fields": columns}).encode()
    aws.client("s3").put_object(Bucket=SCHEMA, Key="stations.json", Body=body)


def create_bucket(aws: EmbeddedAws, name: str, region: str) -> None:
    """Create a bucket that keeps no versions."""
    s3 = aws.client("s3", region_name=region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})


def encrypt(aws: EmbeddedAws, bucket: str, key: str) -> None:
    """Make a key the default key of a bucket that Terraform does not create."""
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    aws.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})


@dataclass(frozen=True)
class Run:
    """The deployments after their use.

    Attributes:
        first: the stack with the options of the demo.
        second: the stack with the other options, in the same AWS.
        decisions: the decisions on permissions of roles, users and services.
    """

    first: Stack
    second: Stack
    decisions: set[Decision]

    def grants(self) -> set[Grant]:
        """Return the statements of all policies.

        The user of the second mirror has the policy of the first mirror's role, with buckets that keep no versions.
        """
        aws = self.first.aws
        return {
            Grant(
                as_first(grant.holder).replace("aws-us-gov user ", "aws-us-gov role "),
                grant.sid,
                tuple(map(as_first, grant.principals)),
                grant.actions,
                tuple(map(as_first, grant.resources)),
            )
            for grant in grants_of(aws, aws.region, DESTINATION_REGION)
        }

    def problems(self, unused: Unused) -> list[str]:
        """Return the differences between the policies, their use so far, and a list of unused rights."""
        # Functions that are still running add decisions.
        return problems(self.grants(), set(self.decisions), unused)

    def forget_denials(self) -> None:
        """Forget calls that were denied on purpose."""
        self.decisions.difference_update({decision for decision in set(self.decisions) if not decision.allowed})


def as_first(text: str) -> str:
    """Return a name or an ARN as in the first deployment, so that a right is used if either deployment uses it."""
    return text.replace(SECOND, FIRST)


@contextmanager
def used_deployments(folder: Path) -> Iterator[Run]:
    """Deploy both, use them, and keep them up until the end of the block."""
    decisions: set[Decision] = set()

    def record(decision: Decision) -> None:
        # The people who deploy and write objects are administrators.
        if f":user/{PEOPLE}" not in decision.principal:
            names = {"principal": as_first(decision.principal), "resource": as_first(decision.resource)}
            decisions.add(decision._replace(**names))

    with external_services() as services:
        variables = first_variables(services)

        def prepare(aws: EmbeddedAws) -> dict[str, Any]:
            prepare_second(aws)
            variables.update(packages.prepare(aws, DIST), **partition_replicate.prepare(aws))
            encrypt(aws, SOURCE_OF_MIRROR, MEASUREMENTS_KEY)
            return variables

        with deploying({}, folder=folder / "first", prepare=prepare) as (first, deployment):
            first.aws.hooks.on_decision = record
            terraform = initialise(first.aws, folder / "second", second_variables(variables))
            with Deployment(terraform, lambda progress: None) as other:
                second = replace(first, outputs=other.outputs, folder=folder / "second")
                show_demo(first, deployment, services)
                other.wait()
                add_secrets(second)
                use(first, second)
                deployment.wait()
                yield Run(first, second, decisions)


def first_variables(services: ExternalServices) -> dict[str, Any]:
    """Return the variables of the demo, with every option that needs a permission."""
    archives, archive_key = archive_copy.VARIABLES["archive_copy_archives"], KEY_OF.format("archive")
    return {
        **archive_copy.VARIABLES,
        **partition_replicate.VARIABLES,
        **upload_validate.variables(services),
        **mirror_check.VARIABLES,
        "mirror_check_repair": True,
        **KEYS_OF_BUCKETS,
        "archive_copy_archives": {**archives, "documents": {**archives["documents"], "kms_key_arns": [archive_key]}},
        "partition_replicate_destination_kms_key_arn": MIRROR_KEY,
        "partition_replicate_version_deletes": "mirror",
        "upload_validate_superseded_files": "remove",
    }


def show_demo(stack: Stack, deployment: Deployment, services: ExternalServices) -> None:
    """Run the parts of the demo."""
    screen = Screen(Console(file=io.StringIO()))
    deployment.wait_for("archive_copy")
    assert archive_copy.run(stack, screen).passed
    deployment.wait_for("partition_replicate")
    allow_locks(stack)
    assert partition_replicate.run(stack, screen).passed
    deployment.wait_for("upload_validate")
    assert upload_validate.run(stack, services, screen).passed


def use(first: Stack, second: Stack) -> None:
    """Use what the demo does not, all tasks at the same time, because they mostly wait."""
    with ThreadPoolExecutor() as pool:
        work = [
            *(pool.submit(use_archive_copy, stack, DIST / "archive_copy.zip") for stack in (first, second)),
            *(pool.submit(use_partition_replicate, stack) for stack in (first, second)),
            pool.submit(use_upload_validate, first, DIST / "upload_validate.zip", DEMO_SET),
            pool.submit(use_upload_validate, second, DIST / "upload_validate.zip", "set-{}/"),
        ]
        for each in work:
            each.result()
    for stack in (first, second):
        use_jobs(stack)
        use_mirror_check(stack)


def add_secrets(stack: Stack) -> None:
    """Create the secrets as the person who deploys does; the demo accepts no secret of its own there."""
    outputs = stack.outputs["partition_replicate"]
    iam, secrets = stack.aws.client("iam", region_name=DESTINATION_REGION), stack.aws.client("secretsmanager")
    key = iam.create_access_key(UserName=outputs["destination_user"])["AccessKey"]
    text = json.dumps({"accesskey": key["AccessKeyId"], "secretaccesskey": key["SecretAccessKey"]})
    secrets.put_secret_value(SecretId=outputs["secret"], SecretString=text)
    for name, parameter in SECRETS.items():
        secrets.create_secret(Name=name, SecretString=KEYS[parameter])
