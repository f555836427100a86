"""The limits of a message: it can copy objects of the source bucket, and never brings back an older version.

The role of the function reads the archives too, and a message in its queue can name any bucket.
"""

import itertools

import pytest

from tests.archive_copy.conftest import PROTECTED, PUBLIC, RESTORED
from tests.archive_copy.outcomes import body, failed_files, keys, put, receive_all
from tests.support.events import load, s3_event, s3_record, sqs_event

KEY = "granules/a.txt"
REFUSED = f"is not an object of {RESTORED}, which is the only source bucket"


@pytest.fixture(name="dead_letters")
def queue_for_dead_letters(sqs, environment):
    """Return the messages that the dead-letter queue of the task holds."""
    url = sqs.create_queue(QueueName="archive-copy-dead-letters")["QueueUrl"]
    environment(DEAD_LETTER_QUEUE=url)
    return lambda: receive_all(sqs, url)


# The source bucket.


def test_message_that_names_an_archive_as_its_source_is_a_dead_letter_with_its_reason(archive, s3, wire, dead_letters):
    s3.put_object(Bucket=PROTECTED, Key="secret.txt", Body=b"secret")
    wire.sent.clear()
    assert archive(sqs_event(s3_event(s3_record(PROTECTED, "secret.txt")))) == {"batchItemFailures": []}
    (letter,) = dead_letters()
    assert letter["MessageAttributes"]["Reason"]["StringValue"] == f"s3://{PROTECTED}/secret.txt {REFUSED}"
    assert letter["MessageAttributes"]["ErrorType"]["StringValue"] == "EventError"
    assert (wire.sent, keys(s3, PUBLIC)) == ([], [])


def test_one_forged_record_does_not_hold_back_the_others(archive, s3):
    put(s3, KEY)
    s3.put_object(Bucket=PROTECTED, Key="secret.txt", Body=b"secret")
    failed = failed_files(archive, s3_event(s3_record(PROTECTED, "secret.txt"), s3_record(RESTORED, KEY)))
    assert [(file["source_bucket"], file["err_msg"]) for file in failed] == [
        (PROTECTED, f"s3://{PROTECTED}/secret.txt {REFUSED}")
    ]
    assert keys(s3, PUBLIC) == [KEY]


def test_without_a_source_bucket_any_bucket_but_the_archives_is_accepted(archive, environment, s3):
    environment(SOURCE_BUCKET="")
    put(s3, KEY)
    s3.put_object(Bucket=PROTECTED, Key="secret.txt", Body=b"secret")
    failed = failed_files(archive, s3_event(s3_record(PROTECTED, "secret.txt"), s3_record(RESTORED, KEY)))
    assert [file["err_msg"] for file in failed] == [
        f"s3://{PROTECTED}/secret.txt is in an archive: objects are copied to archives, not from them"
    ]
    assert keys(s3, PUBLIC) == [KEY]


@pytest.mark.parametrize("schema", ["1_0", "2_0"])
def test_batch_operations_task_of_another_bucket_fails_for_good(archive, s3, wire, schema):
    event = load(f"batch_operations_{schema}")
    task = event["tasks"][0]
    task |= {"s3Key": "secret.txt", "s3VersionId": None}
    task |= {"s3Bucket": PROTECTED} if "s3Bucket" in task else {"s3BucketArn": f"arn:aws:s3:::{PROTECTED}"}
    s3.put_object(Bucket=PROTECTED, Key="secret.txt", Body=b"secret")
    wire.sent.clear()
    (result,) = archive(event)["results"]
    assert (result["resultCode"], result["resultString"]) == (
        "PermanentFailure",
        f"s3://{PROTECTED}/secret.txt {REFUSED}",
    )
    assert (wire.sent, keys(s3, PUBLIC)) == ([], [])


def test_event_from_another_bucket_is_refused_even_if_it_asks_for_no_copy(archive):
    failed = failed_files(archive, s3_event(s3_record("elsewhere", KEY, name="ObjectRestore:Post")))
    assert REFUSED in failed[0]["err_msg"]


# The order of versions.


class Versions:
    """A key with several versions in the source bucket.

    Attributes:
        archive: the task's handler.
        ids: their version ids, the oldest first.
    """

    def __init__(self, s3, archive):
        self._s3 = s3
        self.archive = archive
        s3.put_bucket_versioning(Bucket=RESTORED, VersioningConfiguration={"Status": "Enabled"})
        self.ids = []

    def put(self, *contents, **how):
        """Put a version for each content."""
        self.ids += [put(self._s3, KEY, Body=content, **how)["VersionId"] for content in contents]
        return self

    def event(self, number):
        """Return the event of one version."""
        return s3_event(s3_record(RESTORED, KEY, version_id=self.ids[number]))

    def restore(self, number):
        """Pass the event of a version to the task. Return the reason of its refusal, or ""."""
        answer = self.archive(sqs_event(self.event(number)))
        return "refused" if answer["batchItemFailures"] else ""

    def archived(self):
        """Return the content of the archive's current object."""
        return body(self._s3, PUBLIC, KEY)


@pytest.fixture(name="versions")
def key_with_versions(archive, s3):
    return Versions(s3, archive)


def test_older_version_does_not_replace_the_newer_one_and_is_a_dead_letter_with_its_reason(versions, dead_letters):
    versions.put(b"first", b"second")
    versions.restore(1)
    versions.restore(0)
    assert versions.archived() == b"second"
    (letter,) = dead_letters()
    assert letter["MessageAttributes"]["ErrorType"]["StringValue"] == "OlderVersionError"
    assert letter["MessageAttributes"]["Reason"]["StringValue"] == (
        f"s3://{RESTORED}/{KEY}?versionId={versions.ids[0]} -> s3://{PUBLIC}/{KEY}: the archive holds a newer version "
        "already; with OLDER_VERSIONS=allow this one would replace it"
    )


def test_older_version_is_copied_if_nothing_is_archived_yet_at_the_cost_of_one_request(versions, wire):
    versions.put(b"first", b"second")
    wire.sent.clear()
    versions.restore(0)
    assert (versions.archived(), wire.sent) == (b"first", ["CopyObject"])


def test_older_version_replaces_the_newer_one_if_that_is_allowed(versions, environment, wire):
    environment(OLDER_VERSIONS="allow")
    versions.put(b"first", b"second")
    versions.restore(1)
    versions.restore(0)
    assert versions.archived() == b"first"
    assert wire.count("ListObjectVersions") == 0


CONTENTS = (b"v1", b"v2", b"longer v3")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_archive_never_goes_back_in_whatever_order_versions_come_and_come_again(versions, s3, order):
    versions.put(*CONTENTS)
    newest = -1
    for number in (*order, *order):
        refused = versions.restore(number)
        assert refused == ("refused" if number < newest else "")
        newest = max(newest, number)
        assert versions.archived() == CONTENTS[newest]
    # Each refused version is still in the source.
    assert [body_of(s3, version) for version in versions.ids] == list(CONTENTS)


def body_of(s3, version):
    return s3.get_object(Bucket=RESTORED, Key=KEY, VersionId=version)["Body"].read()


@pytest.mark.parametrize("content", [b"same", b"longer"])
def test_newer_version_archived_between_observation_and_write_stays(versions, archive, wire, content):
    versions.put(b"zero", b"same", content)
    versions.restore(0)
    others = iter([versions.event(2)])

    def interfere(operation):
        if operation == "ListObjectVersions" and (event := next(others, None)):
            archive(event)

    wire.before.append(interfere)
    assert versions.restore(1) == ("" if content == b"same" else "refused")
    assert versions.archived() == content


def test_version_created_after_the_copy_replaces_it_without_a_listing(versions, wire):
    versions.put(b"first", b"second")
    versions.restore(0)
    # The time of a HEAD answer has whole seconds, and the test takes less than a second.
    wire.answer_with("HeadObject", made_at_the_copys_second(versions.ids[1]))
    versions.restore(1)
    assert (versions.archived(), wire.count("ListObjectVersions")) == (b"second", 0)


def made_at_the_copys_second(version):
    def change(answer):
        if answer.get("VersionId") == version:
            answer["LastModified"] = answer["LastModified"].replace(year=2100)

    return change


@pytest.mark.parametrize("archived, restored, said", [(b"FIRST", 1, ""), (b"second", 0, "refused")])
def test_copy_with_another_etag_than_its_source_matches_by_size(versions, s3, archived, restored, said):
    # Like a copy that KMS encrypts, or the copy of an object that was uploaded in parts.
    s3.put_object(Bucket=PUBLIC, Key=KEY, Body=archived)
    versions.put(b"first", b"SECOND")
    assert versions.restore(restored) == said
    assert versions.archived() == (archived if said else b"SECOND")


def test_object_in_the_archive_that_is_no_version_of_the_source_is_not_replaced(versions, s3):
    s3.put_object(Bucket=PUBLIC, Key=KEY, Body=b"from a version that was removed for good")
    versions.put(b"first")
    (failed,) = failed_files(versions.archive, versions.event(0))
    assert failed["err_msg"].endswith(
        "the archive holds another object, which is no version of the source and may be newer; "
        "with OLDER_VERSIONS=allow this one would replace it"
    )


@pytest.mark.parametrize("older, newer", [("", "a=b"), ("a=b", "a=c")])
def test_tags_of_an_older_version_with_the_same_bytes_do_not_replace_those_of_the_newer(versions, s3, older, newer):
    versions.put(b"same", Tagging=older).put(b"same", Tagging=newer)
    versions.restore(1)
    tags = s3.get_object_tagging(Bucket=PUBLIC, Key=KEY)["TagSet"]
    assert versions.restore(0) == "refused"
    assert s3.get_object_tagging(Bucket=PUBLIC, Key=KEY)["TagSet"] == tags


def test_annotations_of_an_older_version_with_the_same_bytes_do_not_replace_those_of_the_newer(versions, s3):
    versions.put(b"same", b"same")
    where, name = {"Bucket": PUBLIC, "Key": KEY}, {"AnnotationName": "note"}
    for version, payload in zip(versions.ids, (b"older", b"newer"), strict=True):
        s3.put_object_annotation(Bucket=RESTORED, Key=KEY, VersionId=version, AnnotationPayload=payload, **name)
    versions.restore(1)
    assert versions.restore(0) == "refused"
    assert s3.get_object_annotation(**where, **name)["AnnotationPayload"].read() == b"newer"


def test_older_version_that_is_equal_to_the_newer_one_is_archived_already(versions, wire):
    versions.put(b"same", b"same")
    versions.restore(1)
    wire.sent.clear()
    assert versions.restore(0) == ""
    assert "ListObjectVersions" not in wire.sent


def test_batch_operations_task_of_an_older_version_fails_for_good(versions, archive):
    versions.put(b"first", b"second")
    versions.restore(1)
    event = load("batch_operations_2_0")
    event["tasks"][0] |= {"s3Key": KEY, "s3VersionId": versions.ids[0]}
    (result,) = archive(event)["results"]
    assert result["resultCode"] == "PermanentFailure"
    assert "the archive holds a newer version already" in result["resultString"]


def test_listing_that_is_denied_comes_back_and_names_the_permission(versions, wire):
    versions.put(b"first", b"second")
    versions.restore(1)
    wire.fail("ListObjectVersions", (403, "AccessDenied", "not authorized to perform: s3:ListBucketVersions"))
    (failed,) = failed_files(versions.archive, versions.event(0))
    assert "list_object_versions" in failed["err_msg"] and "s3:ListBucketVersions" in failed["err_msg"]


def test_unversioned_source_replaces_what_is_archived(archive, s3, wire):
    put(s3, KEY, Body=b"first")
    archive(s3_event(s3_record(RESTORED, KEY)))
    put(s3, KEY, Body=b"second")
    archive(s3_event(s3_record(RESTORED, KEY)))
    assert body(s3, PUBLIC, KEY) == b"second"
    assert "ListObjectVersions" not in wire.sent
