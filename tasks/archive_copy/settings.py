"""The settings that `archive_copy` reads from its environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.archive_copy.bucket_map import EXAMPLE, BucketMap, problems_of
from tasks.archive_copy.older_versions import ALLOW, REFUSE
from tasks.object_clerk.annotations import CARRY, IGNORE
from tasks.utils.settings import Environment, QueueSettings, TelemetrySettings


@dataclass(frozen=True)
class CopySettings:
    """How objects are copied.

    Attributes:
        retries: attempts for each object, the first included.
        retry_sleep_secs: seconds before the second attempt; they double from one attempt to the next.
        concurrency: the number of objects that are copied at once.
        annotations: `carry` or `ignore`.
        older_versions: `refuse` or `allow`: whether an older version may replace a newer one in the archive.
        direct_requests: the most common S3 requests are sent without most of botocore.
    """

    retries: int
    retry_sleep_secs: float
    concurrency: int
    annotations: str
    older_versions: str
    direct_requests: bool

    @classmethod
    def read(cls, environment: Environment) -> CopySettings:
        """Return the settings that an environment holds."""
        return cls(
            # Waits double, so one invocation has no time for more attempts.
            retries=environment.integer("copy_retries", default=3, least=1, most=100),
            retry_sleep_secs=environment.number("copy_retry_sleep_secs", default=0.0, least=0, most=60),
            concurrency=environment.integer("COPY_CONCURRENCY", default=8, least=1, most=100),
            annotations=environment.choice("ANNOTATIONS", (CARRY, IGNORE), default=CARRY),
            older_versions=environment.choice("OLDER_VERSIONS", (REFUSE, ALLOW), default=REFUSE),
            # A copy is one CopyObject, which botocore sends either way. The import for direct requests would lengthen a
            # cold start by 15 to 25 ms of CPU.
            direct_requests=environment.switch("DIRECT_REQUESTS", default=False),
        )


@dataclass(frozen=True)
class Settings:
    """The settings of one deployment.

    Attributes:
        source_bucket: the only bucket whose objects are copied, or "" for any bucket but the archives.
        bucket_map: extension -> archive bucket and storage class.
        bucket_owners: bucket -> the account that it must belong to, `*` for all others; {} expects nothing.
        copying: how objects are copied.
        queue: the queue of the function, and its dead letters.
        telemetry: the settings of log lines and metrics.
    """

    source_bucket: str
    bucket_map: BucketMap
    bucket_owners: dict[str, str]
    copying: CopySettings
    queue: QueueSettings
    telemetry: TelemetrySettings

    @classmethod
    def read(cls, values: Mapping[str, str], parameter: Callable[[str], str] | None = None) -> Settings:
        """Return the settings that an environment holds.

        Args:
            values: the environment.
            parameter: see `Environment.json_object`; it may read `bucket_map`.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        buckets = environment.json_object("bucket_map", example=f"a JSON object such as {EXAMPLE}", parameter=parameter)
        settings = cls(
            source_bucket=environment.text("SOURCE_BUCKET", default=""),
            bucket_map=BucketMap(buckets),
            bucket_owners=environment.bucket_owners(),
            copying=CopySettings.read(environment),
            queue=environment.queue_settings(environment.text("WORK_QUEUE", default="")),
            telemetry=environment.telemetry(),
        )
        if not environment.problems:
            for problem in problems_of(buckets):
                environment.problem(f"bucket_map {problem}; an example: {EXAMPLE}")
        environment.finish()
        return settings
