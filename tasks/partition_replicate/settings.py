"""The settings that `partition_replicate` reads from its environment: `replicate` all of them, `enqueue` seven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from tasks.object_clerk.annotations import CARRY, IGNORE
from tasks.object_clerk.parts import MIB
from tasks.utils.mirror_settings import KEEP, MIRROR, DestinationSettings
from tasks.utils.settings import Environment, QueueSettings, TelemetrySettings

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


class MirrorSettings(NamedTuple):
    """What is mirrored.

    Attributes:
        versions: `all`, `current`, or None for `all` if both buckets keep versions.
        deletes: what a removal at the source does: `mirror` or `keep`.
        version_deletes: what the removal of a version for good does: `mirror` or `keep`.
        annotations: `carry` or `ignore`.
        kms_key: the key that encrypts what is written at the destination, or "".
    """

    versions: str | None
    deletes: str
    version_deletes: str
    annotations: str
    kms_key: str

    @classmethod
    def read(cls, environment: Environment) -> MirrorSettings:
        """Return the settings, and add what is wrong with them to the environment's problems."""
        found = cls(
            versions=environment.choice("VERSIONS", (ALL, CURRENT), default=None),
            deletes=environment.choice("DELETES", (MIRROR, KEEP), default=MIRROR),
            version_deletes=environment.choice("VERSION_DELETES", (KEEP, MIRROR), default=KEEP),
            annotations=environment.choice("ANNOTATIONS", (CARRY, IGNORE), default=CARRY),
            kms_key=environment.text("DEST_KMS_KEY", default=""),
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
        settings.destination.check_source(intake.source_bucket, environment)
        environment.finish()
        return settings
