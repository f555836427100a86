"""The part of the demo for partition_replicate: changes of objects reach their mirror in order.

The two buckets are in two partitions, which share no users and keys, as on AWS. The function writes the mirror with a
role of the other partition, which it assumes with a token; it has no access key.
"""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local.demo import access_keys
from local.demo.comparison import differences, history_differences
from local.demo.crash import LARGE, crash_half_way
from local.demo.credentials import AUDIENCE, show_refusals
from local.demo.mirror import DESTINATION_REGION, SOURCE, TIMEOUT_SECONDS, Mirror, MirrorLog
from local.demo.result import Result
from local.demo.screen import Headings, Screen
from local.embedded_aws import EmbeddedAws
from local.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

VARIABLES = {
    "partition_replicate_enabled": True,
    "partition_replicate_source_bucket": SOURCE,
    "partition_replicate_destination_region": DESTINATION_REGION,
    "partition_replicate_destination_profile": "mirror",
    "partition_replicate_token_audience": AUDIENCE,
}

# All keys go through the same steps, and each step starts once the changes of the step before have arrived. No object
# has an expected end state of its own: at the end the mirror has to equal the source.
KEYS = ("reports/2026-06.csv", "reports/a b+c.txt", "reports/déjà vu/🪣.txt", "reports/empty")
OVERWRITTEN, WRITES = "reports/overwritten.csv", 8
DELETED = KEYS[:2]

# Half of an event: a message that can never be read.
POISON = '{"detail-type": "Object Created", "source": "aws.s3", "detail": '

HEADINGS: Headings = {"event": "left", "key": "left", "mirror": "left", "attempts": "right", "seconds": "right"}


def prepare(aws: EmbeddedAws) -> dict[str, str]:
    """Create what exists before the deployment: the bucket to mirror, and the issuer of tokens.

    Returns:
        The Terraform variables that depend on them.
    """
    s3: S3Client = aws.client("s3")
    s3.create_bucket(Bucket=SOURCE, CreateBucketConfiguration={"LocationConstraint": aws.region})  # type: ignore[typeddict-item]  # any region
    s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration={"Status": "Enabled"})
    issuer = aws.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
    return {"partition_replicate_issuer_url": issuer}


def run(stack: Stack, screen: Screen) -> Result:
    """Create, overwrite, tag and delete objects, show how the mirror follows, and compare both sides at the end.

    Args:
        stack: The running stack.
        screen: The output.
    """
    mirror = Mirror.of(stack)
    screen.title(f"partition_replicate: {SOURCE} in {stack.aws.region} and its mirror in {DESTINATION_REGION}")
    problems = [*show_refusals(mirror, screen)]
    log = MirrorLog(mirror)
    with screen.table(HEADINGS) as show:
        for step in (_create, _overwrite, _tag, _overwrite_quickly, _delete):
            log.show_arrivals(step(mirror.source), show)
        parts = crash_half_way(mirror, log, show)
    screen.say(f"{LARGE}: the function was killed after {len(parts.at_crash)} parts; the next one kept {parts.kept}")
    letters = _send_poison(mirror)
    screen.dead_letters(letters)
    stack.functions.on_log = None
    sides = (mirror.source, SOURCE, mirror.destination, mirror.outputs["destination_bucket"])
    differing = [*differences(*sides), *history_differences(*sides)]
    keys = access_keys.found(stack)
    problems += [*log.problems, *parts.problems, *differing, *keys]
    if len(letters) != 1:
        problems.append(f"{len(letters)} messages are in the dead-letter queue instead of 1")
    for problem in problems:
        screen.failure(problem)
    summary = {
        "replicated": log.arrived,
        "differences": len(differing),
        "resumed": int(parts.kept > 0),
        "access_keys": len(keys),
    }
    sentence = (
        f"{summary['replicated']} changes mirrored, {summary['resumed']} large object resumed after a crash, "
        f"{len(letters)} poison message in the dead-letter queue, {summary['differences']} differences, "
        f"{summary['access_keys']} access keys"
    )
    return Result(summary, sentence, passed=not problems)


# Each step writes, and returns the number of events of each key.


def _create(s3: "S3Client") -> Counter[str]:
    for key in KEYS:
        body = b"" if key.endswith("empty") else f"first version of {key}\n".encode()
        _put(s3, key, body, Tagging=urlencode({"state": "new"}))
    return Counter(KEYS)


def _overwrite(s3: "S3Client") -> Counter[str]:
    for key in KEYS[:3]:
        _put(s3, key, f"second version of {key}\n".encode() * 1000)
    return Counter(KEYS[:3])


def _tag(s3: "S3Client") -> Counter[str]:
    for key in KEYS:
        s3.put_object_tagging(
            Bucket=SOURCE,
            Key=key,
            Tagging={"TagSet": [{"Key": "state", "Value": "tagged"}, {"Key": "name", "Value": "déjà vu"}]},
        )
    s3.delete_object_tagging(Bucket=SOURCE, Key=KEYS[3])
    return Counter([*KEYS, KEYS[3]])


def _overwrite_quickly(s3: "S3Client") -> Counter[str]:
    for number in range(WRITES):
        _put(s3, OVERWRITTEN, f"version {number}\n".encode())
    return Counter({OVERWRITTEN: WRITES})


def _delete(s3: "S3Client") -> Counter[str]:
    for key in DELETED:
        s3.delete_object(Bucket=SOURCE, Key=key)
    return Counter(DELETED)


def _put(s3: "S3Client", key: str, body: bytes, **options: Any) -> None:
    s3.put_object(
        Bucket=SOURCE,
        Key=key,
        Body=body,
        ContentType="text/x-demo",
        CacheControl="no-store",
        Metadata={"station": "42"},
        **options,
    )


def _send_poison(mirror: Mirror) -> list[tuple[str, str]]:
    """Send half an event to the queue; return the messages in the dead-letter queue, each with its reason."""
    sqs: SQSClient = mirror.stack.aws.client("sqs")
    sqs.send_message(
        QueueUrl=mirror.outputs["queue_url"],
        MessageBody=POISON,
        MessageGroupId="poison",
        MessageDeduplicationId="poison",
    )
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        messages = sqs.receive_message(
            QueueUrl=mirror.outputs["dead_letter_queue_url"],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            WaitTimeSeconds=1,
            VisibilityTimeout=0,
        ).get("Messages", [])
        if messages:
            return [(letter["Body"], letter["MessageAttributes"]["Reason"]["StringValue"]) for letter in messages]
    return []
