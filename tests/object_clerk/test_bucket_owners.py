"""A client that expects owners neither reads nor writes a bucket of another account.

The server lets everyone into every bucket, so what keeps a client out is what it expects.
"""

import ast
import re
from pathlib import Path

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

import tasks
from tasks.object_clerk import s3_requests
from tasks.object_clerk.bodies import BytesBody
from tasks.object_clerk.bucket_owners import expect_owners
from tasks.object_clerk.errors import ObjectClerkServerAuthException
from tasks.object_clerk.transport import clients
from tasks.utils.settings import Environment
from tests.conftest import REGION

ME, STRANGER = DEFAULT_ACCOUNT_ID, "210987654321"
MINE, OTHERS = "mine", "others"
TASKS = Path(tasks.__path__[0])


@pytest.fixture(name="buckets")
def mine_and_a_strangers(s3):
    s3.create_bucket(Bucket=MINE, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3_backends[STRANGER]["aws"].create_bucket(OTHERS, REGION)
    for bucket in (MINE, OTHERS):
        s3.put_object(Bucket=bucket, Key="key", Body=b"before")
    return s3


@pytest.fixture(name="expecting", params=["botocore", "direct"])
def client_that_expects_owners(request):
    """Make clients that know the places of both buckets."""
    request.getfixturevalue("aws")

    def make(owners):
        config = s3_requests.client_config()
        client = clients.s3(direct=request.param == "direct", config=config)
        for bucket in (MINE, OTHERS):
            client.head_object(Bucket=bucket, Key="key")
        expect_owners(client, owners)
        return client

    return make


def body():
    return {"Body": BytesBody(b"after").section(0, 5), "ChecksumAlgorithm": "CRC32", "ChecksumCRC32": "YBPh6w=="}


CALLS = {
    "head_object": {"Key": "key"},
    "get_object": {"Key": "key"},
    "put_object": {"Key": "key"},
    "copy_object": {"Key": "key", "CopySource": {"Bucket": MINE, "Key": "key"}},
    "create_multipart_upload": {"Key": "key"},
    "delete_object": {"Key": "key"},
    "get_object_tagging": {"Key": "key"},
    "list_objects_v2": {},
    "list_object_versions": {},
}


@pytest.mark.parametrize("operation", CALLS)
def test_bucket_of_another_account_is_refused_and_stays_as_it_was(buckets, expecting, operation):
    more = body() if operation == "put_object" else {}
    with pytest.raises(ObjectClerkServerAuthException) as refused:
        s3_requests.request(expecting({"*": ME}), operation, Bucket=OTHERS, **CALLS[operation], **more)
    assert f"(the bucket {OTHERS} must belong to account {ME}" in str(refused.value)
    assert buckets.get_object(Bucket=OTHERS, Key="key")["Body"].read() == b"before"


def test_source_of_a_copy_is_expected_to_have_its_own_owner(buckets, expecting):
    copy = {"Bucket": MINE, "Key": "copy", "CopySource": {"Bucket": OTHERS, "Key": "key"}}
    with pytest.raises(ObjectClerkServerAuthException) as refused:
        s3_requests.request(expecting({"*": ME}), "copy_object", **copy)
    expected = f"(the bucket {MINE} must belong to account {ME} and the bucket {OTHERS} must belong to account {ME})"
    assert expected in str(refused.value)
    for copy_source in (copy["CopySource"], f"{OTHERS}/key"):
        expecting({"*": ME, OTHERS: STRANGER}).copy_object(**{**copy, "CopySource": copy_source})
    assert buckets.get_object(Bucket=MINE, Key="copy")["Body"].read() == b"before"


@pytest.mark.parametrize("owners", [{"*": ME, OTHERS: STRANGER}, {OTHERS: STRANGER}, {MINE: ME}, {}])
def test_bucket_whose_owner_is_named_or_not_expected_is_read(buckets, expecting, owners):
    client = expecting(owners)
    for bucket in (MINE, OTHERS):
        assert client.get_object(Bucket=bucket, Key="key")["Body"].read() == b"before"
    assert buckets


@pytest.mark.usefixtures("buckets")
def test_owner_that_a_request_names_itself_is_kept(expecting):
    expecting({"*": ME}).head_object(Bucket=OTHERS, Key="key", ExpectedBucketOwner=STRANGER)


@pytest.mark.usefixtures("buckets")
def test_other_error_does_not_name_owners(expecting):
    client = expecting({"*": ME})
    with pytest.raises(client.exceptions.NoSuchKey) as missing:
        client.get_object(Bucket=MINE, Key="absent")
    assert "account" not in str(missing.value)


def test_every_operation_that_the_tasks_use_takes_the_condition():
    model = clients.session().get_service_model("s3")
    operations = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): name for name in list(model.operation_names)}
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TASKS.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = texts | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used = {operations[name] for name in names & operations.keys()}
    assert {"HeadObject", "CopyObject", "UploadPartCopy", "ListObjectAnnotations"} <= used
    without = {name for name in used if "ExpectedBucketOwner" not in model.operation_model(name).input_shape.members}
    assert without == set()


@pytest.mark.parametrize(
    "value, owners",
    [("", {}), ("{}", {}), ('{"*": "123456789012", "a": "210987654321"}', {"*": "123456789012", "a": "210987654321"})],
)
def test_owners_are_read_from_the_environment(value, owners):
    environment = Environment({"BUCKET_OWNERS": value})
    assert (environment.bucket_owners(), environment.problems) == (owners, [])


@pytest.mark.parametrize("value", ["123456789012", "[]", '{"*": 123456789012}', '{"*": "12345678901"}', '{"*": ""}'])
def test_owner_that_is_no_account_id_is_refused_with_an_example(value):
    environment = Environment({"BUCKET_OWNERS": value})
    environment.bucket_owners()
    (problem,) = environment.problems
    assert problem.startswith("BUCKET_OWNERS ") and '"shared-archive": "210987654321"' in problem
