"""The settings that `partition_replicate` reads from its environment: `replicate` all of them, `enqueue` six."""

from dataclasses import dataclass, replace

from tasks.object_clerk.annotations import CARRY, IGNORE
from tasks.object_clerk.parts import MIB
from tasks.utils.settings import Environment

MIRROR, KEEP = "mirror", "keep"
CURRENT, ALL = "current", "all"


@dataclass(frozen=True)
class IntakeSettings:
    """The settings of `enqueue`.

    Attributes:
        source_bucket: the only bucket whose events are taken.
        objects_queue: the URL of the FIFO queue.
        recheck_queue: the URL of the queue whose messages wait until no server holds a request any more.
        dead_letter_queue: the URL of that queue's dead-letter queue, or "".
        max_receives: how often that queue hands out a message before it gives up, or None.
        logging_level: the least level that is logged.
    """

    source_bucket: str
    objects_queue: str
    recheck_queue: str
    dead_letter_queue: str
    max_receives: int | None
    logging_level: str

    @classmethod
    def read(cls, values):
        """Returns the settings; see `Settings.read`."""
        environment = Environment(values)
        settings = cls(**_shared(environment), **environment.of_the_queue())
        environment.finish()
        return settings


@dataclass(frozen=True)
class Settings:  # pylint: disable=too-many-instance-attributes  # one for each name that Terraform sets
    """The settings of one deployment.

    Attributes:
        source_bucket: the only bucket whose events are taken.
        dest_bucket: where its objects are mirrored to.
        dest_region: that bucket's region.
        dest_role_arn: the role of the destination's partition that writes there, or "".
        dest_token_audience: the audience of the token that the role is assumed with, or "".
        dest_secret: name or ARN of the secret with a user's keys in the place of a role, or "".
        dest_kms_key: the key that encrypts what is written there, or "".
        dest_endpoint_url: an S3-compatible store in the place of AWS, or "".
        bucket_owners: bucket -> the account that it must belong to, `*` for all others; {} expects nothing.
        objects_queue: the URL of the FIFO queue.
        recheck_queue: the URL of the queue whose messages wait until no server holds a request any more.
        objects_table: the table that remembers what was made from what.
        versions: `all`, `current`, or None for `all` where both buckets keep versions.
        deletes: `mirror` or `keep`.
        version_deletes: `mirror` or `keep`.
        annotations: `carry` or `ignore`.
        concurrency: keys worked on at once.
        memory: bytes of objects on their way at once.
        direct_requests: whether the most common requests to S3 and DynamoDB are sent without most of botocore.
        dead_letter_queue: the URL of the queue for what can never succeed, or "".
        max_receives: how often the queue hands out a message before it gives up, or None.
        logging_level: the least level that is logged.
    """

    source_bucket: str
    dest_bucket: str
    dest_region: str
    dest_role_arn: str
    dest_token_audience: str
    dest_secret: str
    dest_kms_key: str
    dest_endpoint_url: str
    bucket_owners: dict[str, str]
    objects_queue: str
    recheck_queue: str
    objects_table: str
    versions: str | None
    deletes: str
    version_deletes: str
    annotations: str
    concurrency: int
    memory: int
    direct_requests: bool
    dead_letter_queue: str
    max_receives: int | None
    logging_level: str

    @property
    def dest_owners(self):
        """The part of `bucket_owners` for the destination: none for an S3-compatible store, which has no accounts."""
        return {} if self.dest_endpoint_url else self.bucket_owners

    @classmethod
    def read(cls, values):
        """Returns the settings.

        Args:
            values: the environment, a mapping of texts.

        Raises:
            SettingsError: one sentence for each setting that is missing or wrong.
        """
        environment = Environment(values)
        settings = cls(
            **_shared(environment),
            dest_bucket=environment.text("DEST_BUCKET", example="the bucket they are mirrored to"),
            dest_region=environment.text("DEST_BUCKET_REGION", example="that bucket's region, such as us-gov-west-1"),
            dest_role_arn=environment.text("DEST_ROLE_ARN", default=""),
            dest_token_audience=environment.text("DEST_TOKEN_AUDIENCE", default=""),
            dest_secret=environment.text("DEST_SECRET", default=""),
            dest_kms_key=environment.text("DEST_KMS_KEY", default=""),
            dest_endpoint_url=environment.text("DEST_ENDPOINT_URL", default=""),
            bucket_owners=environment.bucket_owners(),
            objects_table=environment.text("OBJECTS_TABLE", example="the name of a DynamoDB table"),
            versions=environment.choice("VERSIONS", (ALL, CURRENT), default=None),
            deletes=environment.choice("DELETES", (MIRROR, KEEP), default=MIRROR),
            version_deletes=environment.choice("VERSION_DELETES", (KEEP, MIRROR), default=KEEP),
            annotations=environment.choice("ANNOTATIONS", (CARRY, IGNORE), default=CARRY),
            concurrency=environment.integer("REPLICATE_CONCURRENCY", default=10, least=1, most=10),
            # A part of the least size that S3 takes has to fit; Lambda has no more than 10 GiB.
            memory=environment.integer("TRANSFER_MEMORY_MB", default=256, least=16, most=10_240) * MIB,
            direct_requests=environment.switch("DIRECT_REQUESTS", default=True),
            **environment.of_the_queue(),
        )
        if settings.versions is None and settings.version_deletes == MIRROR:
            settings = replace(settings, versions=ALL)
        if settings.versions == CURRENT and settings.version_deletes == MIRROR:
            environment.problem("VERSION_DELETES is mirror: single versions are mirrored with VERSIONS=all only")
        if settings.dest_bucket and settings.dest_bucket == settings.source_bucket and not settings.dest_endpoint_url:
            environment.problem("DEST_BUCKET is SOURCE_BUCKET: an object cannot be mirrored onto itself")
        if bool(settings.dest_role_arn) == bool(settings.dest_secret):
            environment.problem(
                "either DEST_ROLE_ARN or DEST_SECRET must be set: the ARN of a role in the destination's partition, or "
                "the name or ARN of a secret whose JSON has a user's keys"
            )
        if settings.dest_role_arn and not settings.dest_token_audience:
            environment.problem("DEST_TOKEN_AUDIENCE is not set: the audience that DEST_ROLE_ARN trusts")
        environment.finish()
        return settings


def _shared(environment):
    return {
        "source_bucket": environment.text("SOURCE_BUCKET", example="the bucket whose objects are mirrored"),
        "objects_queue": environment.text("OBJECTS_QUEUE", example="the URL of the FIFO queue"),
        "recheck_queue": environment.text("RECHECK_QUEUE", example="the URL of the queue that holds messages back"),
        "logging_level": environment.logging_level(),
    }
