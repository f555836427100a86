"""The settings that `partition_replicate` reads from its environment: `replicate` all of them, `enqueue` seven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from tasks.object_clerk.annotations import CARRY, IGNORE
from tasks.object_clerk.parts import MIB
from tasks.utils.settings import Environment, QueueSettings, TelemetrySettings

MIRROR, KEEP = "mirror", "keep"
CURRENT, ALL = "current", "all"


@dataclass(frozen=True)
class IntakeSettings:
    """The settings of `enqueue`.

    Attributes:
        source_bucket: the only bucket whose events are taken.
        objects_queue: the URL of the FIFO queue.
        recheck_queue: the URL of the queue whose messages wait until no server holds a request any more.
        queue: the queue from which `enqueue` takes messages, which is the recheck queue, and its dead letters; for
            `replicate` the same of the FIFO queue.
        telemetry: the settings of log lines and metrics.
    """

    source_bucket: str
    objects_queue: str
    recheck_queue: str
    queue: QueueSettings
    telemetry: TelemetrySettings

    @classmethod
    def read(cls, values: Mapping[str, str]) -> IntakeSettings:
        """Return the settings, as `Settings.read` does."""
        environment = Environment(values)
        settings = cls.of(environment)
        environment.finish()
        return settings

    @classmethod
    def of(cls, environment: Environment) -> IntakeSettings:
        """Return the settings, and add what is wrong with them to the environment's problems."""
        source_bucket = environment.text("SOURCE_BUCKET", example="the bucket whose objects are mirrored")
        objects_queue = environment.text("OBJECTS_QUEUE", example="the URL of the FIFO queue")
        recheck_queue = environment.text("RECHECK_QUEUE", example="the URL of the queue that holds messages back")
        queue = environment.queue_settings(recheck_queue)
        return cls(source_bucket, objects_queue, recheck_queue, queue, environment.telemetry())


class DestinationSettings(NamedTuple):
    """Where objects are mirrored to, and as what user or role.

    Attributes:
        bucket: the bucket.
        region: the bucket's region.
        role_arn: the role of the destination's partition that writes there, or "".
        token_audience: the audience of the token with which the role is assumed, or "".
        secret: name or ARN of the secret with a user's keys in the place of a role, or "".
        kms_key: the key that encrypts what is written there, or "".
        endpoint_url: an S3-compatible store in the place of AWS, or "".
    """

    bucket: str
    region: str
    role_arn: str
    token_audience: str
    secret: str
    kms_key: str
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
            kms_key=environment.text("DEST_KMS_KEY", default=""),
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


class MirrorSettings(NamedTuple):
    """What is mirrored.

    Attributes:
        versions: `all`, `current`, or None for `all` if both buckets keep versions.
        deletes: what a removal at the source does: `mirror` or `keep`.
        version_deletes: what the removal of a version for good does: `mirror` or `keep`.
        annotations: `carry` or `ignore`.
    """

    versions: str | None
    deletes: str
    version_deletes: str
    annotations: str

    @classmethod
    def read(cls, environment: Environment) -> MirrorSettings:
        """Return the settings, and add what is wrong with them to the environment's problems."""
        found = cls(
            versions=environment.choice("VERSIONS", (ALL, CURRENT), default=None),
            deletes=environment.choice("DELETES", (MIRROR, KEEP), default=MIRROR),
            version_deletes=environment.choice("VERSION_DELETES", (KEEP, MIRROR), default=KEEP),
            annotations=environment.choice("ANNOTATIONS", (CARRY, IGNORE), default=CARRY),
        )
        if found.versions == CURRENT and found.version_deletes == MIRROR:
            environment.problem("VERSION_DELETES is mirror: single versions are mirrored with VERSIONS=all only")
        if found.versions is None and found.version_deletes == MIRROR:
            return found._replace(versions=ALL)
        return found


class WorkSettings(NamedTuple):
    """How a container works.

    Attributes:
        objects_table: the table that remembers what was made from what.
        concurrency: keys worked on at once.
        memory: bytes of objects on their way at once.
        direct_requests: whether the most common requests to S3 and DynamoDB are sent without most of botocore.
    """

    objects_table: str
    concurrency: int
    memory: int
    direct_requests: bool

    @classmethod
    def read(cls, environment: Environment) -> WorkSettings:
        """Return the settings."""
        return cls(
            objects_table=environment.text("OBJECTS_TABLE", example="the name of a DynamoDB table"),
            concurrency=environment.integer("REPLICATE_CONCURRENCY", default=10, least=1, most=10),
            # A part of the least size that S3 takes has to fit; Lambda has no more than 10 GiB.
            memory=environment.integer("TRANSFER_MEMORY_MB", default=256, least=16, most=10_240) * MIB,
            direct_requests=environment.switch("DIRECT_REQUESTS", default=True),
        )


@dataclass(frozen=True)
class Settings:
    """The settings of `replicate`.

    Attributes:
        intake: what `enqueue` reads as well; its queue is the FIFO queue here.
        destination: where objects are mirrored to.
        mirror: what is mirrored.
        work: how a container works.
        bucket_owners: bucket -> the account that it must belong to, `*` for all others; {} expects nothing.
    """

    intake: IntakeSettings
    destination: DestinationSettings
    mirror: MirrorSettings
    work: WorkSettings
    bucket_owners: dict[str, str]

    @property
    def destination_owners(self) -> dict[str, str]:
        """The part of `bucket_owners` for the destination: none for an S3-compatible store, which has no accounts."""
        return {} if self.destination.endpoint_url else self.bucket_owners

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Settings:
        """Return the settings.

        Args:
            values: the environment.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        intake = IntakeSettings.of(environment)
        settings = cls(
            intake=replace(intake, queue=replace(intake.queue, url=intake.objects_queue)),
            destination=DestinationSettings.read(environment),
            mirror=MirrorSettings.read(environment),
            work=WorkSettings.read(environment),
            bucket_owners=environment.bucket_owners(),
        )
        place = settings.destination
        if place.bucket and place.bucket == intake.source_bucket and not place.endpoint_url:
            environment.problem("DEST_BUCKET is SOURCE_BUCKET: an object cannot be mirrored onto itself")
        environment.finish()
        return settings
