"""The use of archive_copy: tags, annotations, versions, copies in parts, missing objects, outages."""

from urllib.parse import urlencode

from tasks.object_clerk.parts import MIB
from tasks.utils.outcome_log import DEAD_LETTERED, RETRIED
from tests.permissions.steps import Task
from tests.support.events import s3_event, s3_record

LARGE = b"x" * (7 * MIB)

# With a lower limit for single copies; every open upload is taken for abandoned.
IN_PARTS = f"""
from tasks.archive_copy import handler as module
from tasks.object_clerk.part_copies import CopyLimits
limits = CopyLimits(single={6 * MIB}, part_size={5 * MIB}, workers=2, quiet_seconds=-60)
module.CopyLimits = lambda **_: limits
handler = module.handler
"""


def use_archive_copy(stack, package):
    outputs = stack.outputs["archive_copy"]
    task = Task(stack, outputs["function_name"], outputs["queue_url"])
    s3, source, archives = stack.aws.client("s3"), outputs["source_bucket"], outputs["bucket_map"]
    extension = ".hdf"
    put_and_change(task, s3, {"Bucket": source, "Key": f"noted{extension}"})
    fail_and_return(task, s3, {"Bucket": source, "Key": f"throttled{extension}"}, archives[extension])
    for each in archives if len(archives) < 10 else (extension,):
        # S3 answers 404 on both sides.
        with task.logging(DEAD_LETTERED, key=f"missing{each}"):
            task.send(event(source, f"missing{each}", eTag="0" * 32))
    task.replace_handler(package, IN_PARTS)
    for bucket, each in {bucket: each for each, bucket in archives.items()}.items():
        copy_in_parts(task, s3, {"Bucket": source, "Key": f"large{each}"}, bucket)


def put_and_change(task, s3, where):
    """Archive an object with tags and annotations, then other tags and annotations, then an older version."""
    key = where["Key"]
    first = s3.put_object(**where, Body=b"1", Tagging=urlencode({"state": "new"})).get("VersionId")
    s3.put_object_annotation(**where, AnnotationName="note", AnnotationPayload=b"first")
    with task.logging("archived", key=key):
        task.send(event(where["Bucket"], key, first))
    s3.put_object_tagging(**where, Tagging={"TagSet": [{"Key": "state", "Value": "old"}]})
    s3.put_object_annotation(**where, AnnotationName="note", AnnotationPayload=b"other")
    with task.logging("already archived", key=key):
        task.send(event(where["Bucket"], key, first))
    second = s3.put_object(**where, Body=b"2").get("VersionId")
    with task.logging("archived", key=key):
        task.send(event(where["Bucket"], key, second))
    if first:
        with task.logging(DEAD_LETTERED, key=key):
            task.send(event(where["Bucket"], key, first))


def fail_and_return(task, s3, where, archive):
    """Fail a message, which comes back; and one that has failed often enough for a copy to replace it."""
    s3.put_object(**where, Body=b"throttled")
    for receives in ("10", "1"):
        task.set_environment(MAX_RECEIVES=receives)
        task.aws.faults.add("CopyObject", bucket=archive, key=where["Key"], times=3, status=503, code="SlowDown")
        with task.logging(RETRIED, key=where["Key"]), task.logging("archived", "already archived", key=where["Key"]):
            task.send(event(where["Bucket"], where["Key"]))


def copy_in_parts(task, s3, where, archive):
    """Copy a large object to an archive with the open upload of a killed function; once its parts are refused."""
    s3.put_object(**where, Body=LARGE)
    s3.create_multipart_upload(Bucket=archive, Key=where["Key"])
    task.aws.faults.add("UploadPartCopy", bucket=archive, key=where["Key"], times=1, status=403, code="AccessDenied")
    with task.logging("archived", key=where["Key"]):
        task.send(event(where["Bucket"], where["Key"], size=len(LARGE)))


def event(bucket, key, version=None, **about):
    return s3_event(s3_record(bucket, key, version_id=version, **about))
