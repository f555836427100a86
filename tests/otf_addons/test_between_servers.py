"""Files from one S3 to another: between servers, accounts and partitions."""

import json
import os

import pytest

from tasks.object_clerk import streams
from tasks.object_clerk.buffer_pool import BufferPool
from tasks.otf_addons.bucket_copies import BucketCopies
from tasks.otf_addons.s3_handlers import S3Transfer
from tests.otf_addons.conftest import moto_store
from tests.otf_addons.definitions import destination, source, transfer
from tests.support.proxy import Fault, Proxy, flipped
from tests.support.wire import Wire

MIB = 1024 * 1024
TAGS = "&".join(f"{name}={'v' * 250}" for name in "abcdefghij")


@pytest.fixture(name="elsewhere")
def bucket_of_another_server(new_store):
    """A bucket of a server whose keys no other server knows."""
    return new_store("elsewhere", number=1)


def protocol_of(store, port=None):
    return {
        "endpoint_url": f"http://{store.host}:{port or store.port}",
        "access_key_id": store.keys["aws_access_key_id"],
        "secret_access_key": store.keys["aws_secret_access_key"],
        "region_name": store.keys["region_name"],
    }


def handler(definition):
    return S3Transfer({**definition, "task_id": "task"})


def test_files_go_from_one_server_to_another_with_all_their_attributes(framework, inbox, elsewhere):
    inbox.put(
        "src/small", b"bytes", ContentType="text/csv", ContentEncoding="gzip", Metadata={"origin": "x"}, Tagging=TAGS
    )
    inbox.put("src/empty", b"")
    action = {"action": "move", "destination": "archive/"}

    ran = framework.run(
        transfer(
            source(inbox.bucket, postCopyAction=action), destination(elsewhere.bucket, protocol=protocol_of(elsewhere))
        )
    )

    assert ran.ok, ran.said
    copy = elsewhere.head("dest/small")
    assert (copy["ContentType"], copy["ContentEncoding"], copy["Metadata"]) == ("text/csv", "gzip", {"origin": "x"})
    tags = elsewhere.client.get_object_tagging(Bucket=elsewhere.bucket, Key="dest/small")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == dict.fromkeys("abcdefghij", "v" * 250)
    assert (elsewhere.bytes_of("dest/small"), elsewhere.bytes_of("dest/empty")) == (b"bytes", b"")
    assert inbox.keys_of() == ["archive/empty", "archive/small"]


def test_storage_class_unknown_to_the_other_server_is_left_out(framework, inbox, elsewhere):
    inbox.put("src/a.txt", b"a", StorageClass="STANDARD_IA", Metadata={"origin": "x"})
    with Proxy(elsewhere.host, elsewhere.port) as way:
        way.add(Fault(method="PUT", about="a.txt", refusal=(400, "InvalidStorageClass")))
        there = destination(elsewhere.bucket, protocol=protocol_of(elsewhere, way.listens_on))

        ran = framework.run(transfer(source(inbox.bucket), there))

    assert ran.ok, ran.said
    assert elsewhere.bytes_of("dest/a.txt") == b"a"
    copy = elsewhere.head("dest/a.txt")
    assert (copy["Metadata"], copy.get("StorageClass")) == ({"origin": "x"}, None)


def copying(inbox, elsewhere, way=None):
    """Copy between the two servers, in parts from 6 MiB on."""
    giving = handler(source(inbox.bucket, protocol=protocol_of(inbox, way and way.listens_on)))
    taking = handler(destination(elsewhere.bucket, protocol=protocol_of(elsewhere)))
    limits = streams.StreamLimits(BufferPool(12 * MIB), part_size=6 * MIB)
    # No public method shows the sources that the add-on has listed.
    found = giving.list_files("src", ".*") and giving._sources["src/large"]  # pylint: disable=protected-access
    target = taking.options.place.object("large")
    return lambda: BucketCopies(giving.connection, taking.connection, limits).copy(found, target)


def test_large_file_goes_in_parts_with_all_its_attributes(inbox, elsewhere):
    body = os.urandom(14 * MIB)
    inbox.put_parts("src/large", body, 7 * MIB, ContentType="image/tiff", Metadata={"origin": "x"}, Tagging="k=v")

    copying(inbox, elsewhere)()

    copy = elsewhere.head("dest/large")
    assert (copy["ContentType"], copy["Metadata"]) == ("image/tiff", {"origin": "x"})
    assert elsewhere.client.get_object_tagging(Bucket=elsewhere.bucket, Key="dest/large")["TagSet"] == [
        {"Key": "k", "Value": "v"}
    ]
    assert elsewhere.bytes_of("dest/large") == body


def test_large_file_that_arrives_damaged_is_not_published(inbox, elsewhere):
    inbox.client.put_object(Bucket=inbox.bucket, Key="src/large", Body=os.urandom(7 * MIB), ChecksumAlgorithm="CRC32")
    elsewhere.put("dest/large", b"old")
    with Proxy(inbox.host, inbox.port) as way:
        way.add(Fault(method="GET", about="src/large", times=99, down=lambda head, body: (head, flipped(body))))

        with pytest.raises(Exception, match="CRC32"):
            copying(inbox, elsewhere, way)()

    assert elsewhere.bytes_of("dest/large") == b"old"
    assert elsewhere.open_uploads() == []


def test_bucket_of_the_same_name_on_the_other_server_is_another_bucket(framework, inbox, elsewhere):
    inbox.put("src/a.txt", b"right")
    elsewhere.client.create_bucket(Bucket=inbox.bucket)
    elsewhere.client.put_object(Bucket=inbox.bucket, Key="src/a.txt", Body=b"wrong")

    ran = framework.run(transfer(source(inbox.bucket), destination(elsewhere.bucket, protocol=protocol_of(elsewhere))))

    assert ran.ok, ran.said
    assert elsewhere.bytes_of("dest/a.txt") == b"right"


# In AWS, with permissions.


def user(aws, name, **buckets):
    """Return the keys of a user with the named permissions for each bucket."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
        for bucket, actions in buckets.items()
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


READ = ["s3:ListBucket", "s3:GetObject", "s3:GetObjectTagging"]
WRITE = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectAcl"]


@pytest.fixture(name="accounts")
def two_buckets_in_aws(aws):
    return moto_store(aws, "giving"), moto_store(aws, "taking")


def test_each_side_gets_requests_with_its_own_credentials(aws, accounts, framework):
    giving, taking = accounts
    giving.put("src/a.txt", b"a", Tagging="k=v")
    reader, writer = user(aws, "reader", giving=READ), user(aws, "writer", taking=WRITE)

    ran = framework.run(transfer(source("giving", protocol=reader), destination("taking", protocol=writer)))

    assert ran.ok, ran.said
    assert taking.bytes_of("dest/a.txt") == b"a"
    assert "files go through this machine" in ran.said


def test_s3_copies_by_itself_if_the_destinations_credentials_reach_both_sides(aws, accounts):
    giving, taking = accounts
    giving.put("src/a.txt", b"a")
    reader, writer = user(aws, "reader", giving=READ), user(aws, "writer", giving=READ, taking=WRITE)
    from_there = handler(source("giving", protocol=reader))
    to_there = handler(destination("taking", protocol=writer))
    files = from_there.list_files("src", ".*")
    wire = Wire()

    with wire.listening(to_there.connection.client.meta.events):
        assert from_there.transfer_files(files, to_there.spec, dest_remote_handler=to_there) == 0

    assert wire.sent == ["CopyObject"]
    assert taking.bytes_of("dest/a.txt") == b"a"


def test_destination_without_write_permission_fails_with_a_sentence(aws, accounts, framework):
    accounts[0].put("src/a.txt", b"a")
    reader = user(aws, "reader", giving=READ, taking=READ)

    ran = framework.run(transfer(source("giving", protocol=reader), destination("taking", protocol=reader)))

    assert not ran.ok
    assert "s3://giving/src/a.txt -> s3://taking/dest/a.txt: AccessDenied" in ran.said


def test_files_go_to_another_partition(aws, framework):
    giving = moto_store(aws, "giving")
    taking = moto_store(aws, "taking", region_name="cn-north-1")
    giving.put("src/a.txt", b"a", Metadata={"origin": "x"})

    ran = framework.run(transfer(source("giving"), destination("taking", protocol={"region_name": "cn-north-1"})))

    assert ran.ok, ran.said
    assert (taking.bytes_of("dest/a.txt"), taking.head("dest/a.txt")["Metadata"]) == (b"a", {"origin": "x"})


OWNER_OPTIONS = [
    ({}, ["bucket-owner-full-control"]),
    ({"disableBucketOwnerControlACL": True}, []),
    ({"bucket_owner_full_control": False}, []),
    ({"bucket_owner_full_control": True, "disableBucketOwnerControlACL": False}, ["bucket-owner-full-control"]),
]


@pytest.mark.parametrize(("protocol", "acls"), OWNER_OPTIONS, ids=[str(option) for option, _ in OWNER_OPTIONS])
def test_all_written_objects_belong_to_the_owner_of_the_bucket(accounts, tmp_path, protocol, acls):
    giving, taking = accounts
    giving.put("src/a.txt", b"a")
    (tmp_path / "b.txt").write_bytes(b"b")
    (tmp_path / "large.txt").write_bytes(bytes(6 * MIB))
    from_there = handler(source("giving"))
    to_there = handler(destination("taking", protocol=protocol, flags={"fullPath": "flag"}))
    files = from_there.list_files("src", ".*")
    wire = Wire()

    with wire.listening(to_there.connection.client.meta.events):
        assert from_there.transfer_files(files, to_there.spec, dest_remote_handler=to_there) == 0
        assert to_there.push_files_from_worker(str(tmp_path)) == 0
        assert to_there.create_flag_files() == 0

    writes = [headers for operation, headers in wire.headers if operation in ("CopyObject", "PutObject")]
    writes += [headers for operation, headers in wire.headers if operation == "CreateMultipartUpload"]
    assert len(writes) == 4
    assert {headers["x-amz-acl"].decode() for headers in writes if "x-amz-acl" in headers} == set(acls)
    assert taking.keys_of() == ["dest/a.txt", "dest/b.txt", "dest/large.txt", "flag"]
