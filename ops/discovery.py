"""The search for a deployment: Terraform's outputs, from its folder or from a file, or the tags of its functions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.aws import Account
from ops.errors import OpsError

# Terraform sets this tag on every function, with the deployment's name_prefix.
TAG = "bucket-brigade:deployment"

# The endings of the names of functions, and of a queue, after name_prefix.
ARCHIVE_COPY = "-archive-copy"
ENQUEUE = "-partition-replicate-enqueue"
REPLICATE = "-partition-replicate"
MIRROR_CHECK = "-mirror-check"
UPLOAD_VALIDATE = "-upload-validate"
UNDELIVERED = "-partition-replicate-undelivered"


def from_terraform(folder: Path | None) -> tuple[dict[str, Any], str]:
    """Return the outputs of Terraform's state, and the folder.

    Args:
        folder: the folder of the configuration; None looks in `terraform`, then here.

    Raises:
        OpsError: Terraform is not installed, or has no state there.
    """
    where = folder or next((one for one in (Path("terraform"), Path()) if any(one.glob("*.tf"))), None)
    if where is None:
        raise OpsError("no Terraform is here: pass its folder as --terraform, or the deployment's name as --deployment")
    try:
        command = ["terraform", f"-chdir={where}", "output", "-json", "-no-color"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise OpsError("Terraform is not installed: pass --deployment, which needs no Terraform") from error
    if done.returncode:
        raise OpsError(f"terraform output fails in {where}: {' '.join(done.stderr.split())}")
    return _values(json.loads(done.stdout)), str(where)


def from_file(file: Path) -> tuple[dict[str, Any], str]:
    """Return the outputs in a file that `terraform output -json` wrote, and its name.

    Raises:
        OpsError: the file cannot be read, or is no JSON object.
    """
    try:
        outputs = json.loads(file.read_bytes())
    except OSError as error:
        raise OpsError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise OpsError(f"{file} is not JSON: it should hold what `terraform output -json` prints") from error
    if not isinstance(outputs, dict):
        raise OpsError(f"{file} holds no JSON object: it should hold what `terraform output -json` prints")
    return _values(outputs), str(file)


def from_tags(account: Account, name: str) -> tuple[dict[str, Any], str]:
    """Return what Terraform's outputs would say, read from the deployment's functions and queues.

    Args:
        account: the deployment's account and region.
        name: the deployment's `name_prefix`.

    Raises:
        OpsError: the region has no function with the deployment's tag.
    """
    tagged = _tagged_functions(account)
    functions = {function for deployment, function in tagged if deployment == name}
    if not functions:
        others = ", ".join(sorted({deployment for deployment, _ in tagged})) or "none"
        where = account.session.region_name
        raise OpsError(f"no function in {where} has the tag {TAG}={name}; the deployments there are: {others}")
    names = _Tagged(account, name)
    present = ((task, read) for ending, task, read in READERS if names.name_of(ending) in functions)
    return {task: read(names) for task, read in present}, f"the deployment {name}"


def _values(outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each.get("value") if isinstance(each, dict) else None for name, each in outputs.items()}


def _tagged_functions(account: Account) -> set[tuple[str, str]]:
    """Return (deployment, function's name) of every tagged function of the region."""
    found = set()
    pages = account.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[{"Key": TAG}], ResourceTypeFilters=["lambda:function"]):
        for resource in page["ResourceTagMappingList"]:
            tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
            found.add((tags[TAG], resource["ResourceARN"].rpartition(":")[2]))
    return found


class _Tagged:
    """The functions, queues and parameters of one deployment."""

    def __init__(self, account: Account, name: str) -> None:
        self._prefix = name
        self._functions = account.client("lambda")
        self._sqs = account.client("sqs")
        self._ssm = account.client("ssm")

    def name_of(self, ending: str) -> str:
        """Return the name of a function or queue."""
        return self._prefix + ending

    def environment_of(self, ending: str) -> dict[str, str]:
        """Return the settings of a function."""
        configuration = self._functions.get_function_configuration(FunctionName=self.name_of(ending))
        found: dict[str, str] = configuration["Environment"]["Variables"]
        return found

    def queue(self, ending: str) -> str:
        """Return the URL of a queue."""
        url: str = self._sqs.get_queue_url(QueueName=self.name_of(ending))["QueueUrl"]
        return url

    def batch(self, ending: str) -> tuple[str, dict[str, str]]:
        """Return the ARN of a task's function, and role and bucket of its jobs, whose names follow from it."""
        arn = self._functions.get_function_configuration(FunctionName=self.name_of(ending))["FunctionArn"]
        _, _, _, region, account, *_ = arn.split(":")
        role = self.role(f"{ending}-batch", arn)
        return arn, {"batch_role_arn": role, "report_bucket": f"{self._prefix}-{account}-{region}-batch"}

    def role(self, ending: str, function_arn: str) -> str:
        """Return the ARN of a role in the account and region of a function."""
        _, partition, _, region, account, *_ = function_arn.split(":")
        return f"arn:{partition}:iam::{account}:role/{self.name_of(ending)}-{region}"

    def text_of(self, setting: str) -> str:
        """Return a setting, which may be in a parameter: `ssm:name`."""
        _, is_parameter, name = setting.partition("ssm:")
        if not is_parameter:
            return setting
        value: str = self._ssm.get_parameter(Name=name)["Parameter"]["Value"]
        return value


def _archive_copy(tagged: _Tagged) -> dict[str, Any]:
    environment = tagged.environment_of(ARCHIVE_COPY)
    bucket_map = json.loads(tagged.text_of(environment["bucket_map"]))
    named = (each if isinstance(each, str) else each["bucket"] for each in bucket_map.values())
    arn, batch = tagged.batch(ARCHIVE_COPY)
    return {
        **batch,
        "function_arn": arn,
        "function_name": tagged.name_of(ARCHIVE_COPY),
        "source_bucket": environment["SOURCE_BUCKET"],
        "archive_buckets": {bucket: bucket for bucket in named},
        "bucket_map": bucket_map,
        "queue_url": environment["WORK_QUEUE"],
        "dead_letter_queue_url": environment["DEAD_LETTER_QUEUE"],
    }


def _mirror(tagged: _Tagged) -> dict[str, Any]:
    environment = tagged.environment_of(REPLICATE)
    arn, batch = tagged.batch(REPLICATE)
    return {
        **batch,
        "checksum_role_arn": tagged.role(f"{REPLICATE}-verify", arn),
        "replicate_function_arn": arn,
        "enqueue_function_name": tagged.name_of(ENQUEUE),
        "replicate_function_name": tagged.name_of(REPLICATE),
        "source_bucket": environment["SOURCE_BUCKET"],
        "destination_bucket": environment["DEST_BUCKET"],
        "table": environment["OBJECTS_TABLE"],
        "secret": environment["DEST_SECRET"] or None,
        "queue_url": environment["OBJECTS_QUEUE"],
        "dead_letter_queue_url": environment["DEAD_LETTER_QUEUE"],
        "recheck_queue_url": environment["RECHECK_QUEUE"],
        "recheck_dead_letter_queue_url": tagged.environment_of(ENQUEUE)["DEAD_LETTER_QUEUE"],
        "undelivered_queue_url": tagged.queue(UNDELIVERED),
    }


def _mirror_check(tagged: _Tagged) -> dict[str, Any]:
    environment = tagged.environment_of(MIRROR_CHECK)
    return {
        "function_name": tagged.name_of(MIRROR_CHECK),
        "queue_url": environment["WORK_QUEUE"],
        "dead_letter_queue_url": environment["DEAD_LETTER_QUEUE"],
        "undelivered_queue_url": tagged.queue(UNDELIVERED),
    }


def _upload_validate(tagged: _Tagged) -> dict[str, Any]:
    environment = tagged.environment_of(UPLOAD_VALIDATE)
    return {
        "function_name": tagged.name_of(UPLOAD_VALIDATE),
        "upload_bucket": environment["TEMP_BUCKET_NAME"],
        "final_bucket": environment["FINAL_BUCKET_NAME"],
        "quarantine_bucket": environment["QUARANTINE_BUCKET_NAME"] or None,
        "outcomes_table": environment["OUTCOMES_TABLE"],
        "queue_url": environment["WORK_QUEUE"],
        "dead_letter_queue_url": environment["DEAD_LETTER_QUEUE"],
    }


# The function that shows that a task is deployed, the task, and the reader of its output.
READERS = (
    (ARCHIVE_COPY, "archive_copy", _archive_copy),
    (REPLICATE, "partition_replicate", _mirror),
    (MIRROR_CHECK, "mirror_check", _mirror_check),
    (UPLOAD_VALIDATE, "upload_validate", _upload_validate),
)
