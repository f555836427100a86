"""What the checks read, each answer once. Every call is a read: Get, List, Describe, Head or Simulate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from ops.brigade import Brigade
from ops.deployment import Deployment, Mirror
from ops.doctor.subjects import Bucket, name_of
from ops.errors import OpsError

# Codes of answers to credentials that a partition does not know.
FOREIGN_CREDENTIALS = {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}

# Calls whose permission has another name: Service Authorization Reference, Amazon S3.
PERMISSIONS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
}


class ReportedElsewhere(Exception):
    """What a check needs is missing, and another check reports that."""


class NotAllowed(Exception):
    """The caller may not look.

    Attributes:
        permission: the permission that the call needs.
    """

    def __init__(self, permission: str) -> None:
        super().__init__(permission)
        self.permission = permission


def permission_of(service: str, operation: str) -> str:
    """Return the permission that a call needs.

    Args:
        service: the service, as requests are signed for it.
        operation: the name of the call, as AWS has it.
    """
    return f"{service}:{PERMISSIONS.get(operation, operation) if service == 's3' else operation}"


def code_of(error: ClientError) -> str:
    """Return the code of an error of AWS."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


class Facts:
    """The state of a deployment, read when a check asks for it.

    Args:
        brigade: the deployment, and the clients of its account.
    """

    def __init__(self, brigade: Brigade) -> None:
        self.brigade = brigade
        self._clients: dict[tuple[str, bool], Any] = {}
        self._answers: dict[str, dict[str, Any]] = {}

    @property
    def deployment(self) -> Deployment:
        """The deployment."""
        return self.brigade.deployment

    @cached_property
    def caller(self) -> dict[str, Any]:
        """The account and ARN of the caller."""
        return self.read("sts", "get_caller_identity")

    @cached_property
    def region(self) -> str:
        """The region of the deployment."""
        region: str = self._client("sqs").meta.region_name
        return region

    @cached_property
    def partition(self) -> str:
        """The partition of the deployment."""
        return str(self.caller["Arn"].split(":")[1])

    def read(self, service: str, operation: str, absent: str = "", **arguments: Any) -> dict[str, Any]:
        """Return the answer to a call in the deployment's account.

        Args:
            service: the service, as boto3 names it.
            operation: the method of its client.
            absent: the code of the error that means "there is none"; the answer is then empty.
            arguments: the arguments of the method.
        """
        return self._answer(self._client(service), operation, absent, arguments)

    def read_far(
        self, mirror: Mirror, service: str, operation: str, absent: str = "", **arguments: Any
    ) -> dict[str, Any]:
        """Return the answer to a call in the account of a mirror.

        Raises:
            ReportedElsewhere: there are no credentials that the account knows.
        """
        try:
            return self._answer(self.far_client(mirror, service), operation, absent, arguments)
        except ClientError as error:
            if code_of(error) in FOREIGN_CREDENTIALS:
                raise ReportedElsewhere from error
            raise

    def read_bucket(self, bucket: Bucket, operation: str, absent: str = "", **arguments: Any) -> dict[str, Any]:
        """Return the answer to a call about a bucket.

        Raises:
            ReportedElsewhere: the bucket does not exist.
        """
        try:
            if isinstance(bucket.task, Mirror) and bucket.is_far:
                return self.read_far(bucket.task, "s3", operation, absent, Bucket=bucket.label, **arguments)
            return self.read("s3", operation, absent, Bucket=bucket.label, **arguments)
        except ClientError as error:
            if code_of(error) == "NoSuchBucket" and operation != "head_bucket":
                raise ReportedElsewhere from error
            raise

    def configuration(self, function: str) -> dict[str, Any]:
        """Return the configuration of a function.

        Raises:
            ReportedElsewhere: the function does not exist.
        """
        found = self.read("lambda", "get_function_configuration", "ResourceNotFoundException", FunctionName=function)
        if not found:
            raise ReportedElsewhere
        return found

    def settings(self, function: str) -> Mapping[str, str]:
        """Return the environment of a function."""
        found: dict[str, str] = self.configuration(function).get("Environment", {}).get("Variables", {})
        return found

    def queue(self, url: str) -> dict[str, str]:
        """Return the attributes of a queue.

        Raises:
            ReportedElsewhere: the queue does not exist.
        """
        missing = "AWS.SimpleQueueService.NonExistentQueue"
        found = self.read("sqs", "get_queue_attributes", missing, QueueUrl=url, AttributeNames=["All"])
        if not found:
            raise ReportedElsewhere
        attributes: dict[str, str] = found["Attributes"]
        return attributes

    def arn_of_queue(self, url: str) -> str:
        """Return the ARN of a queue, whether or not it exists."""
        account = url.rstrip("/").rsplit("/", 2)[-2]
        return f"arn:{self.partition}:sqs:{self.region}:{account}:{name_of(url)}"

    def owner_of(self, bucket: Bucket) -> str:
        """Return the account that has to own a bucket; empty if the settings name none."""
        owners = json.loads(self.settings(bucket.function).get("BUCKET_OWNERS") or "{}")
        # `*` is the account of the deployment, and a mirror outside AWS belongs to none.
        return str(owners.get(bucket.label, "" if bucket.is_far else owners.get("*", "")))

    def date_of_s3(self) -> str:
        """Return the header `Date` of an answer of S3; empty if it has none."""
        bucket = next(iter(self.buckets_near()), None)
        answer = self.read("s3", "head_bucket", "404", Bucket=bucket) if bucket else {}
        return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))

    def buckets_near(self) -> list[str]:
        """Return the buckets of the deployment's own account."""
        found = [task.source for task in self.deployment.mirrors] + [task.source for task in self.deployment.archives]
        return found + [task.uploads for task in self.deployment.uploads]

    def far_partition(self, mirror: Mirror) -> str:
        """Return the partition of a mirror."""
        return str(self.far_client(mirror, "s3").meta.partition)

    def mappings(self, function: str) -> list[dict[str, Any]]:
        """Return the event source mappings of a function."""
        found = self.read("lambda", "list_event_source_mappings", "ResourceNotFoundException", FunctionName=function)
        mappings: list[dict[str, Any]] = found.get("EventSourceMappings", [])
        return mappings

    def far_client(self, mirror: Mirror, service: str) -> Any:
        """Return a client of the account of a mirror.

        Raises:
            ReportedElsewhere: its secret holds no key.
        """
        if (service, True) not in self._clients:
            try:
                self._clients[service, True] = self.brigade.destination_client(mirror, service)
            except (OpsError, ClientError) as error:
                raise ReportedElsewhere from error
        return self._clients[service, True]

    def _client(self, service: str) -> Any:
        if (service, False) not in self._clients:
            self._clients[service, False] = self.brigade.client(service)
        return self._clients[service, False]

    def _answer(self, client: Any, operation: str, absent: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        key = f"{id(client)} {operation} {json.dumps(arguments, sort_keys=True)}"
        if key not in self._answers:
            try:
                self._answers[key] = getattr(client, operation)(**arguments)
            except ClientError as error:
                if code_of(error) in DENIED:
                    raise NotAllowed(
                        permission_of(client.meta.service_model.signing_name, error.operation_name)
                    ) from error
                if code_of(error) != absent:
                    raise
                self._answers[key] = {}
        return self._answers[key]
