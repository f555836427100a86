"""The use of upload_validate: sets that grow, shrink and are rejected, tags, annotations, copies in parts, outages."""

from urllib.parse import urlencode

from local.demo.upload_validate import STATIONS
from tasks.object_clerk.parts import MIB
from tasks.utils.outcome_log import DEAD_LETTERED, RETRIED
from tests.permissions.steps import Task

# With a lower limit for single copies.
IN_PARTS = f"""
from functools import partial
from tasks.upload_validate import handler as module, publisher
from tasks.object_clerk.part_copies import CopyLimits
limits = CopyLimits(single={5 * MIB}, part_size={5 * MIB}, workers=2, quiet_seconds=-60)
publisher.copy_object = partial(publisher.copy_object, limits=limits)
handler = module.handler
"""


def use_upload_validate(stack, package, prefix):
    outputs = stack.outputs["upload_validate"]
    task = Task(stack, outputs["function_name"], outputs["queue_url"])
    s3, bucket = stack.aws.client("s3"), outputs["upload_bucket"]
    grow_and_shrink(task, s3, bucket, prefix.format(1))
    fail_and_return(task, s3, outputs, prefix.format(2))
    with task.logging(DEAD_LETTERED):
        task.send("{")
    task.replace_handler(package, IN_PARTS)
    header, row, *_ = STATIONS.splitlines(keepends=True)
    verdicts = (
        (3, "published", outputs["final_bucket"], header + row * (6 * MIB // len(row))),
        (4, "rejected", outputs["quarantine_bucket"], bytes(6 * MIB)),
    )
    for number, verdict, written, body in verdicts:
        key = f"{prefix.format(number)}large.csv"
        s3.create_multipart_upload(Bucket=written, Key=key)
        copy_in_parts(task, s3, {"Bucket": bucket, "Key": key}, verdict, body)


def grow_and_shrink(task, s3, bucket, prefix):
    """Upload a file, change its tags and annotations, add a file, remove one, and upload empty ones."""
    first, second = ({"Bucket": bucket, "Key": f"{prefix}{name}.csv"} for name in ("first", "second"))
    with task.logging("published", set=prefix):
        s3.put_object(**first, Body=STATIONS, Tagging=urlencode({"state": "new"}))
        s3.put_object_annotation(**first, AnnotationName="note", AnnotationPayload=b"first")
    s3.put_object_tagging(**first, Tagging={"TagSet": [{"Key": "state", "Value": "old"}]})
    s3.put_object_annotation(**first, AnnotationName="note", AnnotationPayload=b"other")
    with task.logging("published", set=prefix):
        s3.put_object(**second, Body=STATIONS + STATIONS.splitlines()[1] + b"\r\n")
    s3.delete_object(**second)
    with task.logging("published", set=prefix):
        s3.put_object(**first, Body=STATIONS + STATIONS.splitlines()[2] + b"\r\n")
    for name in ("empty", "also-empty"):
        # The second set does not contain the first file any more.
        s3.delete_object(Bucket=bucket, Key=f"{prefix}empty.csv")
        with task.logging("rejected", set=prefix):
            s3.put_object(Bucket=bucket, Key=f"{prefix}{name}.csv", Body=b"")


def fail_and_return(task, s3, outputs, prefix):
    """Fail a message, which comes back; and one that has failed often enough for a copy to replace it."""
    for receives in ("10", "1"):
        task.set_environment(MAX_RECEIVES=receives)
        task.aws.faults.add("CopyObject", bucket=outputs["final_bucket"], times=5, status=503, code="SlowDown")
        with task.logging(RETRIED), task.logging("published", set=prefix):
            s3.put_object(Bucket=outputs["upload_bucket"], Key=f"{prefix}{receives}.csv", Body=STATIONS)


def copy_in_parts(task, s3, where, verdict, body):
    """Publish or reject a large file whose parts are refused once."""
    task.aws.faults.add("UploadPartCopy", key=where["Key"], times=1, status=403, code="AccessDenied")
    with task.logging(verdict, set=where["Key"].rpartition("/")[0] + "/"):
        s3.put_object(**where, Body=body)
