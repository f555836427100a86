"""What `archive_copy` is told by its environment."""

from dataclasses import dataclass

from tasks.archive_copy.bucket_map import EXAMPLE, BucketMap, problems_of
from tasks.archive_copy.older_versions import ALLOW, REFUSE
from tasks.object_clerk.annotations import CARRY, IGNORE
from tasks.utils.settings import Environment


@dataclass(frozen=True)
class Settings:  # pylint: disable=too-many-instance-attributes  # one for each name that Terraform sets
    """The settings of one deployment.

    Attributes:
        source_bucket: the only bucket whose objects are copied, or "" for any but the archives.
        bucket_map: extension -> archive bucket and storage class.
        bucket_owners: bucket -> the account that it must belong to, `*` for all others; {} expects nothing.
        copy_retries: attempts for each object in all, the first included.
        copy_retry_sleep_secs: seconds before the second attempt; they double from one attempt to the next.
        copy_concurrency: objects copied at once.
        work_queue: the URL of the queue that the function takes its work from, or "".
        annotations: `carry` or `ignore`.
        older_versions: `refuse` or `allow`: whether an older version may replace a newer one in the archive.
        direct_requests: whether the most common S3 requests are sent without most of botocore.
        dead_letter_queue: the URL of the queue for what can never succeed, or "".
        max_receives: how often the queue hands out a message before it gives up, or None.
        logging_level: the least level that is logged.
    """

    source_bucket: str
    bucket_map: BucketMap
    bucket_owners: dict[str, str]
    copy_retries: int
    copy_retry_sleep_secs: float
    copy_concurrency: int
    work_queue: str
    annotations: str
    older_versions: str
    direct_requests: bool
    dead_letter_queue: str
    max_receives: int | None
    logging_level: str

    @classmethod
    def read(cls, values, parameter=None):
        """Returns the settings.

        Args:
            values: the environment, a mapping of texts.
            parameter: see `Environment.json_object`; `bucket_map` may be in one.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        buckets = environment.json_object("bucket_map", example=f"a JSON object such as {EXAMPLE}", parameter=parameter)
        settings = cls(
            source_bucket=environment.text("SOURCE_BUCKET", default=""),
            bucket_map=BucketMap(buckets),
            bucket_owners=environment.bucket_owners(),
            # Waits double, so that more than these would not fit into one invocation.
            copy_retries=environment.integer("copy_retries", default=3, least=1, most=100),
            copy_retry_sleep_secs=environment.number("copy_retry_sleep_secs", default=0.0, least=0, most=60),
            copy_concurrency=environment.integer("COPY_CONCURRENCY", default=8, least=1, most=100),
            annotations=environment.choice("ANNOTATIONS", (CARRY, IGNORE), default=CARRY),
            older_versions=environment.choice("OLDER_VERSIONS", (REFUSE, ALLOW), default=REFUSE),
            # A copy is one CopyObject, which botocore sends either way. The import for direct requests would lengthen a
            # cold start by 15 to 25 ms of CPU.
            direct_requests=environment.switch("DIRECT_REQUESTS", default=False),
            work_queue=environment.text("WORK_QUEUE", default=""),
            **environment.of_the_queue(),
            logging_level=environment.logging_level(),
        )
        if not environment.problems:
            for problem in problems_of(buckets):
                environment.problem(f"bucket_map {problem}; an example: {EXAMPLE}")
        environment.finish()
        return settings
