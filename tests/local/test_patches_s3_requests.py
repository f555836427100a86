import contextlib
import threading

import pytest
from botocore.exceptions import ClientError
from moto.s3.responses import S3Response

from local import patches
from local.embedded_aws import EmbeddedAws
from local.patches import s3_requests
from tests.local.patching import TESTED, patched

WRITERS = 2


def delay_method(patch, name, barrier):
    """Make a method of moto wait until all threads have reached it, or until the barrier times out."""
    method = getattr(S3Response, name)

    def delayed(*args, **kwargs):
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(0.3)
        return method(*args, **kwargs)

    patch.setattr(S3Response, name, delayed)


@patched(s3_requests.serialize_object_requests)
def test_concurrent_writes_with_the_same_condition_have_one_winner(stage):
    s3 = stage.s3("bucket")
    answers = []

    def write(body):
        try:
            answers.append(s3.put_object(Bucket="bucket", Key="key", Body=body, IfNoneMatch="*"))
        # Without the patch, the second write may replace and close the bytes of the first one.
        except (ClientError, ValueError) as refused:
            answers.append(refused)

    # Moto calls this method between the check of the conditions and the write.
    with pytest.MonkeyPatch.context() as patch:
        delay_method(patch, "_get_checksum", threading.Barrier(WRITERS))
        writers = [threading.Thread(target=write, args=(b"%d" % number,)) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    refused = [answer for answer in answers if not isinstance(answer, dict)]
    assert len(refused) == WRITERS - 1
    assert all(isinstance(answer, ClientError) for answer in refused)


@patched(s3_requests.serialize_bucket_requests)
def test_concurrent_listing_and_delete_are_serialized(stage):
    s3 = stage.s3("bucket")
    together = threading.Barrier(2)
    with pytest.MonkeyPatch.context() as patch:
        delay_method(patch, "_bucket_response_get", together)
        delay_method(patch, "_bucket_response_post", together)
        listing = threading.Thread(target=lambda: s3.list_objects_v2(Bucket="bucket"))
        listing.start()
        s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "key"}]})
        listing.join()
    # The barrier breaks if one of the two waits for the other in vain.
    assert together.broken


@patched(s3_requests.serialize_object_requests)
def test_injected_fault_occurs_the_given_number_of_times(stage):
    s3 = stage.s3("bucket")
    where = {"Bucket": "bucket", "Key": "a key+%é"}
    s3.put_object(**where, Body=b"1")
    stage.hooks.faults.add("GetObject", bucket="bucket", key="a key+%é", times=2, status=503, code="SlowDown")
    s3.head_object(**where)
    assert [stage.refusal(s3.get_object, **where) for _ in range(2)] == [(503, "SlowDown")] * 2
    assert s3.get_object(**where)["Body"].read() == b"1"


@patched(s3_requests.serialize_object_requests)
def test_fault_is_limited_to_its_bucket_and_key(stage):
    s3 = stage.s3("here", "there")
    stage.hooks.faults.add("CopyObject", bucket="there", times=1, status=403, code="AccessDenied")
    stage.hooks.faults.add("PutObject", key="other", times=1, status=500, code="InternalError")
    s3.put_object(Bucket="here", Key="key", Body=b"1")
    source = {"Bucket": "here", "Key": "key"}
    s3.copy_object(Bucket="here", Key="copy", CopySource=source)
    assert stage.refusal(s3.copy_object, Bucket="there", Key="copy", CopySource=source) == (403, "AccessDenied")
    assert stage.refusal(s3.put_object, Bucket="here", Key="other", Body=b"") == (500, "InternalError")


@patched(s3_requests.serialize_bucket_requests)
def test_fault_of_a_listing_occurs(stage):
    s3 = stage.s3("bucket")
    stage.hooks.faults.add("ListObjectsV2", bucket="bucket", times=1, status=500, code="InternalError")
    assert stage.refusal(s3.list_objects_v2, Bucket="bucket") == (500, "InternalError")
    s3.list_objects_v2(Bucket="bucket")


@patched(s3_requests.serialize_object_requests)
def test_fault_of_a_head_has_only_a_status(stage):
    s3 = stage.s3("bucket")
    stage.hooks.faults.add("HeadObject", times=1, status=503, code="SlowDown")
    assert stage.refusal(s3.head_object, Bucket="bucket", Key="key") == (503, "503")


@pytest.mark.parametrize(
    "without",
    [
        pytest.param((), id="patched"),
        pytest.param(
            (s3_requests.accept_newlines_in_paths,),
            id="without-accept_newlines_in_paths",
            marks=pytest.mark.xfail(
                raises=ClientError, strict=True, reason="moto behaves like AWS: delete accept_newlines_in_paths"
            ),
        ),
    ],
)
@pytest.mark.parametrize("key", ["a\nb", "\n", "a/\n", "\na"])
def test_key_with_a_newline_is_stored_by_the_server(without, key):
    with patches.applied(without=without), EmbeddedAws() as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": aws.region})
        s3.put_object(Bucket="bucket", Key=key, Body=b"1")
        assert [found["Key"] for found in s3.list_objects_v2(Bucket="bucket")["Contents"]] == [key]


TESTED.add(s3_requests.accept_newlines_in_paths)
