"""The settings that `task_name` reads from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.utils.settings import Environment, QueueSettings, TelemetrySettings


@dataclass(frozen=True)
class Settings:
    """The settings of one deployment.

    Attributes:
        source_bucket: the only bucket whose objects are measured.
        bucket_owners: bucket -> the account that it must belong to, `*` for all others; {} expects nothing.
        queue: the queue of the function, and its dead letters.
        telemetry: the settings of log lines and metrics.
    """

    source_bucket: str
    bucket_owners: dict[str, str]
    queue: QueueSettings
    telemetry: TelemetrySettings

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Settings:
        """Return the settings that an environment holds.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        settings = cls(
            source_bucket=environment.text("SOURCE_BUCKET", example="the name of a bucket, such as my-data"),
            bucket_owners=environment.bucket_owners(),
            queue=environment.queue_settings(environment.text("WORK_QUEUE", default="")),
            telemetry=environment.telemetry(),
        )
        environment.finish()
        return settings
