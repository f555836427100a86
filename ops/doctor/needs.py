"""The permissions that each function needs: actions on resources, by the name of its module or role in Terraform.

A resource is a template of an ARN. A name in braces stands for each of its values, see `names.py`; a name without
values makes no resource, and a permission without resources is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from string import Formatter

Names = Mapping[str, Sequence[str]]

S3_BUCKET, S3_OBJECTS = "arn:{partition}:s3:::", "/*"


@dataclass(frozen=True)
class Need:
    """A permission.

    Attributes:
        actions: the actions.
        resources: templates of ARNs.
        unless: a setting, and the values with which the permission is not needed.
        context: the values of condition keys in the requests of the function; templates.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    unless: tuple[str, tuple[str, ...]] = ("", ())
    context: Mapping[str, str] = field(default_factory=dict)

    def applies(self, names: Names) -> bool:
        """Return whether a function with these names needs the permission."""
        setting, values = self.unless
        return not set(names.get(setting, ())) & set(values)

    def arns(self, names: Names) -> Iterator[str]:
        """Yield the ARN of each resource."""
        for template in self.resources:
            used = [name for _, name, _, _ in Formatter().parse(template) if name]
            for values in product(*(names[name] for name in used)):
                yield template.format(**dict(zip(used, values, strict=True)))


def _of(*actions: str, on: Sequence[str], unless: tuple[str, tuple[str, ...]] = ("", ()), **context: str) -> Need:
    named = {name.replace("__", ":"): value for name, value in context.items()}
    return Need(tuple(actions), tuple(on), unless, named)


def _bucket(name: str) -> str:
    return f"{S3_BUCKET}{{{name}}}"


def _objects(name: str) -> str:
    return _bucket(name) + S3_OBJECTS


NO_ANNOTATIONS = ("ANNOTATIONS", ("ignore",))
CURRENT_ONLY = ("VERSIONS", ("current",))
NO_REPAIR = ("REPAIR", ("off",))

READ_ANNOTATIONS = (
    "s3:GetObjectAnnotation",
    "s3:GetObjectVersionAnnotation",
    "s3:ListObjectAnnotations",
    "s3:ListObjectVersionAnnotations",
)
WRITE_ANNOTATIONS = ("s3:PutObjectAnnotation", "s3:PutObjectVersionAnnotation")
# To compare and write an object.
WRITE = (
    "s3:AbortMultipartUpload",
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
)

# What every function needs: its log, its queue, its failures, and its keys.
EVERY = (
    _of(
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        on=["arn:{partition}:logs:{region}:{account}:log-group:{log_group}:*"],
    ),
    _of("sqs:SendMessage", on=["{on_failure}"]),
    _of(
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        on=["{queue}"],
    ),
    _of("kms:Decrypt", "kms:GenerateDataKey", on=["{key}"]),
    _of("kms:Decrypt", on=["{read_keys}"], kms__ViaService="s3.{region}.amazonaws.com"),
    _of("kms:Decrypt", "kms:GenerateDataKey", on=["{write_keys}"], kms__ViaService="s3.{region}.amazonaws.com"),
)

# What a function needs to enter the destination of a mirror.
ENTER = (
    _of(
        "sts:GetWebIdentityToken",
        on=["{token}"],
        sts__IdentityTokenAudience="{audience}",
        sts__DurationSeconds="300",
        sts__SigningAlgorithm="ES384",
    ),
    _of("secretsmanager:GetSecretValue", on=["{secrets}"]),
)

NEEDS: Mapping[str, tuple[Need, ...]] = {
    "archive_copy": (
        *EVERY,
        _of("s3:ListBucket", on=[_bucket("source"), _bucket("archives")]),
        _of("s3:ListBucketMultipartUploads", on=[_bucket("archives")]),
        _of(
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionTagging",
            on=[_objects("source")],
        ),
        _of(*READ_ANNOTATIONS, on=[_objects("source")], unless=NO_ANNOTATIONS),
        _of(*WRITE, on=[_objects("archives")]),
        _of(*READ_ANNOTATIONS, *WRITE_ANNOTATIONS, on=[_objects("archives")], unless=NO_ANNOTATIONS),
        _of("s3:ListBucketVersions", on=[_bucket("source")], unless=("OLDER_VERSIONS", ("allow",))),
        _of("sqs:SendMessage", on=["{queue}"]),
        _of("ssm:GetParameter", on=["arn:{partition}:ssm:{region}:{account}:parameter/{parameters}"]),
    ),
    "partition_replicate_enqueue": (
        *EVERY,
        _of("sqs:SendMessage", on=["{keys_queue}", "{queue}", "{dead_letters}"]),
    ),
    "partition_replicate": (
        *EVERY,
        _of("s3:ListBucket", on=[_bucket("source")]),
        _of("s3:GetBucketVersioning", "s3:ListBucketVersions", on=[_bucket("source")], unless=CURRENT_ONLY),
        _of("s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", on=[_objects("source")]),
        _of("s3:GetObjectVersionTagging", on=[_objects("source")], unless=CURRENT_ONLY),
        _of(*READ_ANNOTATIONS, on=[_objects("source")], unless=NO_ANNOTATIONS),
        _of("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", on=["{table}"]),
        _of("dynamodb:Query", on=["{table}"], unless=CURRENT_ONLY),
        _of("sqs:SendMessage", on=["{queue}", "{dead_letters}", "{recheck_queue}"]),
        *ENTER,
    ),
    "mirror_check": (
        *EVERY,
        _of("s3:ListBucket", on=[_bucket("source")]),
        _of("s3:GetObject", on=[_objects("source")]),
        _of("dynamodb:BatchGetItem", on=["{table}"]),
        _of("sqs:GetQueueAttributes", on=["{objects_queue}"]),
        _of("sqs:GetQueueAttributes", on=["{objects_letters}"], unless=NO_REPAIR),
        _of("sqs:SendMessage", on=["{queue}", "{dead_letters}"]),
        _of("sqs:SendMessage", on=["{objects_queue}"], unless=NO_REPAIR),
        *ENTER,
    ),
    # The role or user at the destination of the function that writes the mirror.
    "partition_replicate_destination": (
        _of("s3:ListBucket", "s3:ListBucketMultipartUploads", on=[_bucket("mirror")]),
        _of("s3:GetBucketVersioning", "s3:ListBucketVersions", on=[_bucket("mirror")], unless=CURRENT_ONLY),
        _of(*WRITE, "s3:DeleteObject", on=[_objects("mirror")]),
        _of(
            "s3:DeleteObjectVersion",
            "s3:GetObjectLegalHold",
            "s3:GetObjectRetention",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionTagging",
            on=[_objects("mirror")],
            unless=CURRENT_ONLY,
        ),
        _of(
            *READ_ANNOTATIONS,
            *WRITE_ANNOTATIONS,
            "s3:DeleteObjectAnnotation",
            "s3:DeleteObjectVersionAnnotation",
            on=[_objects("mirror")],
            unless=NO_ANNOTATIONS,
        ),
        _of("kms:Decrypt", "kms:GenerateDataKey", on=["{mirror_key}"]),
    ),
    # The role at the destination of the function that checks the mirror, which only reads.
    "mirror_check_destination": (
        _of("s3:ListBucket", "s3:ListBucketMultipartUploads", on=[_bucket("mirror")]),
        _of("s3:GetObject", on=[_objects("mirror")]),
        _of("kms:Decrypt", on=["{mirror_key}"]),
    ),
    "upload_validate": (
        *EVERY,
        _of("s3:ListBucket", on=[_bucket("uploads"), _bucket("written")]),
        _of("s3:ListBucketMultipartUploads", on=[_bucket("written")]),
        _of("s3:GetObject", "s3:GetObjectTagging", *READ_ANNOTATIONS, on=[_objects("uploads")]),
        _of(*WRITE, *READ_ANNOTATIONS, *WRITE_ANNOTATIONS, on=[_objects("written")]),
        _of("s3:DeleteObject", on=[_objects("written")], unless=("SUPERSEDED_FILES", ("keep",))),
        _of("s3:GetObject", on=["arn:{partition}:s3:::{table_schema}"]),
        _of("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=["{table}"]),
        _of("sqs:SendMessage", on=["{queue}"]),
        _of("ses:SendRawEmail", on=["arn:{partition}:ses:{region}:{account}:identity/{senders}"]),
        _of("ssm:GetParameter", on=["arn:{partition}:ssm:{region}:{account}:parameter/{parameters}"]),
        _of("secretsmanager:GetSecretValue", on=["{secrets}"]),
    ),
}


def needs_of(kind: str, names: Names) -> Iterator[tuple[Need, list[str]]]:
    """Yield each permission that a function needs, with the ARNs of its resources.

    Args:
        kind: the name of the function's module in Terraform, or of its role at the destination.
        names: the values of the names in the templates.
    """
    for need in NEEDS[kind]:
        if need.applies(names) and (arns := list(need.arns(names))):
            yield need, arns
