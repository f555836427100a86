"""The settings that each task with access to a mirror reads: where its destination is, and as what user or role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.utils.settings import Environment

# What a removal at the source does at the destination.
MIRROR, KEEP = "mirror", "keep"


class DestinationSettings(NamedTuple):
    """Where objects are mirrored to, and as what user or role.

    Attributes:
        bucket: the bucket.
        region: the bucket's region.
        role_arn: the role of the destination's partition that writes there, or "".
        token_audience: the audience of the token with which the role is assumed, or "".
        secret: name or ARN of the secret with a user's keys in the place of a role, or "".
        endpoint_url: an S3-compatible store in the place of AWS, or "".
    """

    bucket: str
    region: str
    role_arn: str
    token_audience: str
    secret: str
    endpoint_url: str

    @classmethod
    def read(cls, environment: Environment) -> DestinationSettings:
        """Return the settings, and add what is wrong with them to the environment's problems."""
        found = cls(
            bucket=environment.text("DEST_BUCKET", example="the bucket they are mirrored to"),
            region=environment.text("DEST_BUCKET_REGION", example="that bucket's region, such as us-gov-west-1"),
            role_arn=environment.text("DEST_ROLE_ARN", default=""),
            token_audience=environment.text("DEST_TOKEN_AUDIENCE", default=""),
            secret=environment.text("DEST_SECRET", default=""),
            endpoint_url=environment.text("DEST_ENDPOINT_URL", default=""),
        )
        if bool(found.role_arn) == bool(found.secret):
            environment.problem(
                "either DEST_ROLE_ARN or DEST_SECRET must be set: the ARN of a role in the destination's partition, or "
                "the name or ARN of a secret whose JSON has a user's keys"
            )
        if found.role_arn and not found.token_audience:
            environment.problem("DEST_TOKEN_AUDIENCE is not set: the audience that DEST_ROLE_ARN trusts")
        return found

    @property
    def client_options(self) -> dict[str, Any]:
        """The options of a client's configuration: few S3-compatible stores have a host name for each bucket."""
        return {"s3": {"addressing_style": "path"}} if self.endpoint_url else {}

    def owners(self, owners: Mapping[str, str]) -> Mapping[str, str]:
        """Return the expected owners of buckets there: none for an S3-compatible store, which has no accounts."""
        return {} if self.endpoint_url else owners

    def check_source(self, bucket: str, environment: Environment) -> None:
        """Add to the environment's problems that the source is the destination too."""
        if self.bucket and self.bucket == bucket and not self.endpoint_url:
            environment.problem("DEST_BUCKET is SOURCE_BUCKET: an object cannot be mirrored onto itself")
