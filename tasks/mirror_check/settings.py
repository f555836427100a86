"""The settings that `mirror_check` reads from its environment; most of them name what `partition_replicate` uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tasks.utils.mirror_settings import KEEP, MIRROR, DestinationSettings
from tasks.utils.settings import Environment, QueueSettings, TelemetrySettings


class MirrorSettings(NamedTuple):
    """The mirror, apart from its destination.

    Attributes:
        source_bucket: the bucket that is mirrored.
        objects_table: the table that remembers what was made from what.
        objects_queue: the URL of its FIFO queue.
        dead_letters: the URLs of the queues for what it could not handle.
    """

    source_bucket: str
    objects_table: str
    objects_queue: str
    dead_letters: tuple[str, ...]

    @classmethod
    def read(cls, environment: Environment) -> MirrorSettings:
        """Return the settings, and add what is wrong with them to the environment's problems."""
        return cls(
            source_bucket=environment.text("SOURCE_BUCKET", example="the bucket whose objects are mirrored"),
            objects_table=environment.text("OBJECTS_TABLE", example="the name of the mirror's DynamoDB table"),
            objects_queue=environment.text("OBJECTS_QUEUE", example="the URL of the mirror's FIFO queue"),
            dead_letters=environment.texts("OBJECTS_DEAD_LETTER_QUEUES"),
        )


class RunSettings(NamedTuple):
    """What a run checks and does.

    Attributes:
        prefixes: the beginnings of the keys that are mirrored; none means all keys.
        keeps_deleted: a removal at the source leaves the destination as it is: DELETES=keep.
        lag: seconds within which the event of a change arrives.
        repairs: keys that differ are sent to the mirror's queue.
    """

    prefixes: tuple[str, ...]
    keeps_deleted: bool
    lag: float
    repairs: bool

    @classmethod
    def read(cls, environment: Environment) -> RunSettings:
        """Return the settings, and add what is wrong with them to the environment's problems."""
        return cls(
            prefixes=environment.texts("PREFIXES"),
            keeps_deleted=environment.choice("DELETES", (MIRROR, KEEP), default=MIRROR) == KEEP,
            lag=environment.number("LAG_SECONDS", default=900.0, least=0),
            repairs=environment.switch("REPAIR", default=False),
        )


@dataclass(frozen=True)
class Settings:
    """The settings of `mirror_check`.

    Attributes:
        mirror: the mirror, apart from its destination.
        destination: where it is mirrored to.
        run: what a run checks and does.
        queue: the queue from which the function takes its messages, and its dead letters.
        bucket_owners: bucket -> the account that it must belong to, `*` for all others; {} expects nothing.
        telemetry: the settings of log lines and metrics.
    """

    mirror: MirrorSettings
    destination: DestinationSettings
    run: RunSettings
    queue: QueueSettings
    bucket_owners: dict[str, str]
    telemetry: TelemetrySettings

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Settings:
        """Return the settings.

        Args:
            values: the environment.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        settings = cls(
            mirror=MirrorSettings.read(environment),
            destination=DestinationSettings.read(environment),
            run=RunSettings.read(environment),
            queue=environment.queue_settings(
                environment.text("WORK_QUEUE", example="the URL of the FIFO queue of mirror_check")
            ),
            bucket_owners=environment.bucket_owners(),
            telemetry=environment.telemetry(),
        )
        settings.destination.check_source(settings.mirror.source_bucket, environment)
        environment.finish()
        return settings
